import { z } from "zod";
import { refusedAtEdge } from "../../core/config/edge-checks.ts";
import type { Problem } from "../../core/config/house.ts";
import { nearest, suggestion } from "../../core/config/nearest.ts";
import { configSchema } from "../../core/config/schema.ts";

/** A problem with the nearest known word, where one was mistyped. */
export interface Finding extends Problem {
  readonly nearest: string | null;
}

/** Keys whose value is a duration: a bare number is what people write first. */
export const DURATION_KEYS: ReadonlySet<string> = new Set([
  "confirm",
  "cool_down",
  "grace",
  "announce",
  "others",
  "half_life",
  "every",
  "silence",
  "maintenance",
  "expire_after",
]);

type Issue = z.core.$ZodIssue;
type Path = readonly (string | number)[];
type JsonSchema = { readonly [key: string]: unknown };

/** Turns zod's issues into what a person can act on: one finding for each wrong key or value. */
export function findings(issues: readonly Issue[], input: unknown): readonly Finding[] {
  return issues.flatMap((issue) => fromIssue(issue, [], input));
}

function fromIssue(issue: Issue, prefix: Path, input: unknown): readonly Finding[] {
  const path: Path = [...prefix, ...(issue.path as (string | number)[])];
  if (issue.code === "unrecognized_keys") return issue.keys.map((key) => unknownKey([...path, key], knownKeys(path)));
  const refused = refusedAtEdge(path, valueAt(input, path));
  if (refused !== null) return [{ path, message: refused, nearest: null }];
  if (issue.code === "invalid_union") return fromUnion(issue, path, input);
  if (issue.code === "invalid_key") {
    return [
      {
        path,
        message: `the name ${JSON.stringify(path.at(-1))}: ${issue.issues[0]?.message ?? "not allowed"}`,
        nearest: null,
      },
    ];
  }
  if (issue.code === "invalid_value") {
    const known = issue.values.map(String);
    const given = valueAt(input, path);
    if (given === undefined) return [{ path, message: `missing; one of ${known.join(", ")} is wanted`, nearest: null }];
    const hint = typeof given === "string" ? `; ${suggestion(given, known)}` : "";
    const message = hint.startsWith("; known here")
      ? `one of ${known.join(", ")} is wanted`
      : `one of ${known.join(", ")} is wanted${hint}`;
    return [{ path, message, nearest: typeof given === "string" ? nearest(given, known) : null }];
  }
  if (issue.code === "invalid_type" && DURATION_KEYS.has(String(path.at(-1))) && valueAt(input, path) !== undefined) {
    return [{ path, message: "a duration with a unit is wanted, such as 30s, 2m or 1h", nearest: null }];
  }
  if (issue.code === "invalid_type")
    return [{ path, message: wrongType(issue.expected, valueAt(input, path), issue.message), nearest: null }];
  return [{ path, message: sayLimit(issue), nearest: null }];
}

function unknownKey(path: Path, known: readonly string[]): Finding {
  const refused = refusedAtEdge(path, undefined);
  if (refused !== null) return { path, message: refused, nearest: null };
  const key = String(path.at(-1));
  return { path, message: `unknown key; ${suggestion(key, known)}`, nearest: nearest(key, known) };
}

const TYPES: Readonly<Record<string, string>> = {
  object: "a map of keys",
  array: "a list",
  string: "text",
  number: "a number",
  boolean: "true or false",
  record: "a map of names",
  int: "a whole number",
};

function wrongType(expected: string, given: unknown, message: string): string {
  const own = message.startsWith("Invalid input") ? (TYPES[expected] ?? expected) : message;
  if (given === undefined) return `missing; ${own} is wanted`;
  const got = given === null ? "nothing" : Array.isArray(given) ? "a list" : (TYPES[typeof given] ?? typeof given);
  return `${own} is wanted, this is ${got}`;
}

function sayLimit(issue: Issue): string {
  if (issue.code === "too_small")
    return `at least ${issue.minimum}${issue.origin === "number" || issue.origin === "int" ? "" : ` ${unitOf(issue.origin)}`} is wanted`;
  if (issue.code === "too_big")
    return `at most ${issue.maximum}${issue.origin === "number" || issue.origin === "int" ? "" : ` ${unitOf(issue.origin)}`} is allowed`;
  if (issue.code === "invalid_format" || issue.code === "custom") {
    return issue.message.startsWith("Invalid")
      ? issue.message.replace(/^Invalid (string|input): ?/, "")
      : `${issue.message} is wanted`;
  }
  return issue.message;
}

const unitOf = (origin: string) => (origin === "array" || origin === "set" ? "entries" : "characters");

type UnionIssue = Extract<Issue, { code: "invalid_union" }>;

/**
 * Finds the alternative that was meant, and reports what is wrong with that one: the alternative whose own shape fits and that
 * fails deeper inside. When none fits, the union's own words and, for a map, the nearest of the keys that would choose one.
 */
function fromUnion(issue: UnionIssue, path: Path, input: unknown): readonly Finding[] {
  const branches = (issue.errors ?? []) as readonly (readonly Issue[])[];
  const given = valueAt(input, path);
  const own = issue.message.startsWith("Invalid input") ? null : issue.message;
  if (given === undefined) {
    const wanted = own ?? branches.map((branch) => wantedBy(branch[0]!)).join(" or ");
    return [{ path, message: `missing; ${wanted} is wanted`, nearest: null }];
  }
  const depth = (branch: readonly Issue[]) => Math.min(...branch.map((inner) => innerDepth(inner, given)));
  const meant = [...branches].sort((a, b) => depth(b) - depth(a))[0];
  if (meant !== undefined && depth(meant) > 0) return meant.flatMap((inner) => fromIssue(inner, path, input));
  if (given !== null && typeof given === "object" && !Array.isArray(given)) return fromKeyedUnion(path, given, own);
  const fitting = branches.filter(
    (branch) => !branch.some((inner) => inner.path.length === 0 && inner.code === "invalid_type"),
  );
  if (own === null && fitting.length === 1) return fitting[0]!.flatMap((inner) => fromIssue(inner, path, input));
  return [
    { path, message: `${own ?? branches.map((branch) => wantedBy(branch[0]!)).join(" or ")} is wanted`, nearest: null },
  ];
}

/** What an alternative would have taken, in words. */
function wantedBy(issue: Issue): string {
  if (!issue.message.startsWith("Invalid")) return issue.message;
  return issue.code === "invalid_type" ? (TYPES[issue.expected] ?? issue.expected) : "another value";
}

/** A key that is missing inside the alternative, or unknown to it, says that another alternative was meant. */
function innerDepth(issue: Issue, given: unknown): number {
  if (issue.code === "invalid_type" && valueAt(given, issue.path as Path) === undefined) return issue.path.length - 1;
  return issue.path.length;
}

function fromKeyedUnion(path: Path, given: object, own: string | null): readonly Finding[] {
  const known = knownKeys(path);
  const unknown = Object.keys(given).filter((key) => !known.includes(key));
  if (unknown.length > 0) return unknown.map((key) => unknownKey([...path, key], known));
  return [{ path, message: `exactly ${own ?? `one of ${known.join(", ")}`} is wanted`, nearest: null }];
}

function valueAt(input: unknown, path: Path): unknown {
  let value = input;
  for (const part of path) {
    if (value === null || typeof value !== "object" || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<string | number, unknown>)[part];
  }
  return value;
}

/** The JSON Schema of what a person writes: editors complete and check with it. */
export function jsonSchema(): JsonSchema {
  return z.toJSONSchema(configSchema, { io: "input" }) as JsonSchema;
}

/** The keys that the schema knows at a path, of all alternatives. */
export function knownKeys(path: Path): readonly string[] {
  let places: readonly JsonSchema[] = [jsonSchema()];
  for (const part of path) places = places.flatMap(alternatives).flatMap((place) => step(place, part));
  return [
    ...new Set(places.flatMap(alternatives).flatMap((place) => Object.keys((place["properties"] as object) ?? {}))),
  ];
}

function alternatives(place: JsonSchema): readonly JsonSchema[] {
  const anyOf = place["anyOf"] as readonly JsonSchema[] | undefined;
  return anyOf === undefined ? [place] : anyOf.flatMap(alternatives);
}

function step(place: JsonSchema, part: string | number): readonly JsonSchema[] {
  const properties = place["properties"] as Record<string, JsonSchema> | undefined;
  const next =
    typeof part === "number"
      ? place["items"]
      : properties && Object.hasOwn(properties, part)
        ? properties[part]
        : place["additionalProperties"];
  return next !== null && typeof next === "object" ? [next as JsonSchema] : [];
}
