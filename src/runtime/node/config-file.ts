import { existsSync, readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { type Document, isMap, isPair, isScalar, LineCounter, type Node, parseDocument, visit } from "yaml";
import { cronProblem } from "../../core/config/cron-fields.ts";
import { type House, type Problem, resolveHouse } from "../../core/config/house.ts";
import { type Config, configSchema } from "../../core/config/schema.ts";
import { warningsOf } from "../../core/config/warnings.ts";
import { largestGap } from "../../core/cron.ts";
import { type Finding, findings } from "./config-findings.ts";
import { danglingAliases, yamlFindings } from "./config-yaml.ts";

/** One thing that is wrong in a configuration file. Lines and columns count from 1; 0 when the file itself is the problem. */
export interface ConfigProblem {
  readonly line: number;
  readonly column: number;
  /** Dotted, such as `notify[0].webhook.url`. */
  readonly path: string;
  readonly message: string;
  /** The nearest known key or word, for one that is not known. */
  readonly nearest: string | null;
}

/** All problems of a configuration at once. Its message is what a person reads: one line each, `file:line:column: path: what`. */
export class ConfigError extends Error {
  readonly file: string;
  readonly problems: readonly ConfigProblem[];
  constructor(file: string, problems: readonly ConfigProblem[]) {
    super(problems.map((problem) => sayProblem(file, problem)).join("\n"));
    this.name = "ConfigError";
    this.file = file;
    this.problems = problems;
  }
}

export interface LoadedConfig {
  readonly config: Config;
  /** The configuration with its shorthands resolved. */
  readonly house: House;
  /** Paths in the configuration are relative to this directory. */
  readonly dir: string;
  readonly text: string;
  readonly warnings: readonly ConfigProblem[];
  /** Values that came from the environment, as they were written: what may be shown instead of them. */
  readonly interpolated: readonly Interpolated[];
}

export interface Interpolated {
  readonly path: readonly (string | number)[];
  readonly written: string;
}

export interface LoadOptions {
  /**
   * What a referenced file that is not there means. `problem` (the default): a certificate authority must be there, since a probe
   * without it would report a fault of its own making; secrets are read, and refused, by those who use them. `warning`: any
   * file may be missing and is told, which is what checking a configuration away from its machine needs.
   */
  readonly missingFiles?: "problem" | "warning";
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** A configuration is a page of text; more is a wrong file. */
const BYTES_MAX = 1_048_576;

export function sayProblem(file: string, problem: ConfigProblem): string {
  const where = problem.line === 0 ? file : `${file}:${problem.line}:${problem.column}`;
  return problem.path === "" ? `${where}: ${problem.message}` : `${where}: ${problem.path}: ${problem.message}`;
}

/** Reads, checks and resolves a configuration file. Throws ConfigError with every problem it has. */
export function loadConfig(file: string, options: LoadOptions = {}): LoadedConfig {
  return parseConfig(readText(file), file, options);
}

/** The same for a text that is already at hand; `file` names it in messages and gives the directory of relative paths. */
export function parseConfig(text: string, file: string, options: LoadOptions = {}): LoadedConfig {
  const dir = dirname(resolve(file));
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    uniqueKeys: true,
    prettyErrors: false,
    logLevel: "error",
  });
  const place = (finding: Finding) => locate(document, lines, finding);
  const problems: ConfigProblem[] = yamlFindings(text, document.errors, (offset) => position(lines, offset)).map(
    (finding) => ({ ...finding, path: "", nearest: null }),
  );
  if (document.errors.some((error) => error.code !== "DUPLICATE_KEY")) throw new ConfigError(file, problems);

  const dangling = danglingAliases(document, (offset) => position(lines, offset));
  if (dangling.length > 0)
    throw new ConfigError(file, [...problems, ...dangling.map((found) => ({ ...found, path: "", nearest: null }))]);

  const { interpolated, missing } = interpolate(document, options.env ?? process.env);
  problems.push(...missing.map(place));
  const input = plain(document, file);
  if (input === null)
    throw new ConfigError(file, [...problems, fileProblem("a map of keys is wanted; hairpin init writes one")]);

  const parsed = configSchema.safeParse(input);
  if (!parsed.success) {
    const absent = new Set(missing.map((finding) => finding.path.join("\0"))); // Their value is wrong because it is missing.
    problems.push(
      ...findings(parsed.error.issues, input)
        .filter((found) => !absent.has(found.path.join("\0")))
        .map(place),
    );
    throw new ConfigError(file, inOrder(problems));
  }
  const files = new ReferencedFiles(dir);
  const { house, problems: crossed } = resolveHouse(parsed.data, (path) => files.text(path));
  const absent = files.missing(parsed.data);
  const missingAuthorities = absent.filter((problem) => problem.path.at(-1) === "ca_file");
  const lenient = options.missingFiles === "warning";
  const found = [...crossed, ...scheduleProblems(parsed.data), ...(lenient ? [] : missingAuthorities)];
  problems.push(...found.map(bare).map(place));
  if (problems.length > 0) throw new ConfigError(file, inOrder(problems));
  const warned = [...warningsOf(house), ...(lenient ? absent : [])].map(bare).map(place);
  return { config: parsed.data, house, dir, text, warnings: inOrder(warned), interpolated };
}

/** Where findings about an already loaded configuration are written in it. */
export function located(loaded: LoadedConfig, found: readonly Problem[]): readonly ConfigProblem[] {
  const lines = new LineCounter();
  const document = parseDocument(loaded.text, { lineCounter: lines, prettyErrors: false, logLevel: "error" });
  return inOrder(found.map((finding) => locate(document, lines, bare(finding))));
}

function readText(file: string): string {
  try {
    const bytes = readFileSync(file);
    if (bytes.length > BYTES_MAX)
      throw new ConfigError(file, [fileProblem(`larger than ${BYTES_MAX} bytes: not a configuration`)]);
    return bytes.toString("utf8");
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    const code = (error as NodeJS.ErrnoException).code ?? "unreadable";
    const message = code === "ENOENT" ? "there is no such file; hairpin init writes one" : `cannot be read (${code})`;
    throw new ConfigError(file, [fileProblem(message)]);
  }
}

function fileProblem(message: string): ConfigProblem {
  return { line: 0, column: 0, path: "", message, nearest: null };
}

const bare = (problem: Problem): Finding => ({ ...problem, nearest: null });

function inOrder(problems: readonly ConfigProblem[]): readonly ConfigProblem[] {
  return [...problems].sort((a, b) => a.line - b.line || a.column - b.column);
}

/** The document as plain data; null when it is no map. A top-level key without a value counts as left out. */
function plain(document: Document.Parsed, file: string): Record<string, unknown> | null {
  if (document.contents === null) return {};
  if (!isMap(document.contents)) return null;
  let input: Record<string, unknown>;
  try {
    input = document.toJS({ maxAliasCount: 100 }) as Record<string, unknown>;
  } catch (error) {
    if (!(error instanceof ReferenceError)) throw error;
    throw new ConfigError(file, [fileProblem(`its aliases cannot be followed: ${error.message}`)]);
  }
  return Object.fromEntries(Object.entries(input).filter(([, value]) => value !== null));
}

/** Replaces `${NAME}` in text values by the environment's; `$${` stands for `${` itself. */
function interpolate(document: Document.Parsed, env: Readonly<Record<string, string | undefined>>) {
  const interpolated: Interpolated[] = [];
  const missing: Finding[] = [];
  visit(document, {
    Scalar(key, node, parents) {
      if (key === "key" || typeof node.value !== "string" || !node.value.includes("${")) return;
      const written = node.value;
      const path = pathOf([...parents, node] as Node[]);
      node.value = written.replace(/\$?\$\{([A-Za-z_][A-Za-z0-9_]*)?\}?/g, (match, name: string | undefined) => {
        if (match.startsWith("$$")) return match.slice(1);
        const value = name === undefined || !match.endsWith("}") ? undefined : env[name];
        if (value !== undefined && value !== "") return value;
        const message =
          name === undefined
            ? "a dollar and braces want a name of letters, digits and _ between them; double the dollar to mean them literally"
            : `the environment has no ${name}`;
        missing.push({ path, message, nearest: null });
        return "";
      });
      interpolated.push({ path, written });
    },
  });
  return { interpolated, missing };
}

function pathOf(chain: readonly unknown[]): (string | number)[] {
  const path: (string | number)[] = [];
  chain.forEach((node, index) => {
    const parent = chain[index - 1];
    if (isPair(node) && isScalar(node.key)) path.push(String(node.key.value));
    else if (parent !== null && typeof parent === "object" && "items" in (parent as object) && !isPair(node)) {
      path.push((parent as { items: unknown[] }).items.indexOf(node));
    }
  });
  return path;
}

/** The files that a configuration refers to, read once. */
class ReferencedFiles {
  readonly #dir: string;
  constructor(dir: string) {
    this.#dir = dir;
  }

  text(path: string): string | null {
    try {
      return readFileSync(resolve(this.#dir, path), "utf8");
    } catch {
      return null; // Told by `missing`, with its line.
    }
  }

  /** Every `*_file` of the configuration that is not there, and every certificate authority that is none. */
  missing(config: Config): Problem[] {
    const problems: Problem[] = [];
    const look = (value: unknown, path: readonly (string | number)[]): void => {
      if (Array.isArray(value)) for (const [index, item] of value.entries()) look(item, [...path, index]);
      else if (value !== null && typeof value === "object") {
        for (const [key, item] of Object.entries(value)) look(item, [...path, key]);
      } else if (typeof value === "string" && String(path.at(-1)).endsWith("_file")) {
        if (!existsSync(resolve(this.#dir, value))) problems.push({ path, message: `${value} is not there` });
        else if (path.at(-1) === "ca_file" && !this.text(value)?.includes("-----BEGIN CERTIFICATE-----")) {
          problems.push({ path, message: `${value} holds no certificate in PEM form` });
        }
      }
    };
    look(config, []);
    return problems;
  }
}

/** Above this a vote would be stale before the next one comes: three gaps are the age at which it counts no more (safety.md). */
const GAP_MAX_MS = 60_000;

function scheduleProblems(config: Config): Problem[] {
  const problems: Problem[] = [];
  const wrong = cronProblem(config.schedule);
  if (wrong !== null) problems.push({ path: ["schedule"], message: wrong });
  else if (config.heal.mode === "auto" && largestGap(config.schedule) > GAP_MAX_MS) {
    const message =
      "with heal.mode auto a gap over 60 s is not allowed: too few fresh votes; ask more often, or set heal.mode to observe";
    problems.push({ path: ["schedule"], message });
  }
  for (const [name, target] of Object.entries(config.targets)) {
    target.checks.forEach((check, index) => {
      const [kind, settings] = Object.entries(check)[0] as [string, { schedule?: string }];
      const bad = settings.schedule === undefined ? null : cronProblem(settings.schedule);
      if (bad !== null) problems.push({ path: ["targets", name, "checks", index, kind, "schedule"], message: bad });
    });
  }
  return problems;
}

/** Shorthands and what they stand for: resolveHouse names the long form. */
const SHORTHANDS: Readonly<Record<string, string>> = { links: "link", speakers: "speaker", hosts: "host" };

function locate(document: Document.Parsed, lines: LineCounter, finding: Finding): ConfigProblem {
  const [first, second, ...rest] = finding.path;
  let path = finding.path;
  const short = SHORTHANDS[String(first)];
  if (short !== undefined && !document.has(first) && document.has(short) && second !== undefined)
    path = [short, ...rest];
  if (first === "host" && !document.has("host") && document.has("hosts")) path = ["hosts"];
  return {
    ...position(lines, offsetOf(document, path)),
    path: sayPath(path),
    message: finding.message,
    nearest: finding.nearest,
  };
}

/** Where a path is written: its key, or the deepest part of it that is there. */
function offsetOf(document: Document.Parsed, path: readonly (string | number)[]): number {
  let offset = document.contents?.range?.[0] ?? 0;
  let node: unknown = document.contents;
  for (const part of path) {
    const items: readonly unknown[] = (node as { items?: unknown[] } | null)?.items ?? [];
    const item =
      typeof part === "number"
        ? items[part]
        : items.find((pair) => isPair(pair) && isScalar(pair.key) && String(pair.key.value) === part);
    if (item === undefined) return offset;
    const place = isPair(item) ? item.key : item;
    offset = (place as Node).range?.[0] ?? offset;
    node = isPair(item) ? item.value : item;
  }
  return offset;
}

function position(lines: LineCounter, offset: number): { line: number; column: number } {
  const { line, col } = lines.linePos(offset);
  return { line, column: col };
}

function sayPath(path: readonly (string | number)[]): string {
  return path.map((part, index) => (typeof part === "number" ? `[${part}]` : index === 0 ? part : `.${part}`)).join("");
}
