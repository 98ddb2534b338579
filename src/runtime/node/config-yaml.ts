import { type Document, visit, type YAMLError } from "yaml";

/** What is wrong with the YAML of a configuration, in the words of who writes it. Lines and columns count from 1. */
export interface YamlFinding {
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

type Place = (offset: number) => { readonly line: number; readonly column: number };

/**
 * One finding for what went wrong first: a wrong indentation makes the parser stumble over all that follows, and only the first of
 * its complaints is about something that a person did. Keys written twice are each a finding of their own.
 */
export function yamlFindings(text: string, errors: readonly YAMLError[], place: Place): readonly YamlFinding[] {
  const lines = text.split("\n");
  const twice = errors.filter((error) => error.code === "DUPLICATE_KEY");
  const first = errors.find((error) => error.code !== "DUPLICATE_KEY");
  return [
    ...twice.map((error) => ({ ...place(error.pos[0]), message: `${keyAt(text, error.pos[0])} is written twice` })),
    ...(first === undefined ? [] : [inWords(first, lines, place(first.pos[0]))]),
  ];
}

function keyAt(text: string, offset: number): string {
  return /^["']?[^\s:"']*["']?/.exec(text.slice(offset, offset + 80))?.[0] || "a key";
}

function inWords(error: YAMLError, lines: readonly string[], at: ReturnType<Place>): YamlFinding {
  const line = lines[at.line - 1] ?? "";
  switch (error.code) {
    case "TAB_AS_INDENT":
      return { ...at, message: "a tab: YAML is indented with spaces alone, two for each level" };
    case "BAD_INDENT":
    case "UNEXPECTED_TOKEN":
    case "BLOCK_IN_FLOW":
      return indented(error, lines, at);
    case "BLOCK_AS_IMPLICIT_KEY":
    case "MULTILINE_IMPLICIT_KEY":
      return nested(lines, at);
    case "MISSING_CHAR":
      return missing(error, line, at);
    default:
      return { ...at, message: `this is not YAML: ${error.message}` };
  }
}

const indentOf = (line: string): number => /^ */.exec(line)![0].length;
const isText = (line: string): boolean => line.trim() !== "" && !line.trim().startsWith("#");

/** The lines above, nearest first, that have something to say, with their indentation. */
function above(lines: readonly string[], line: number): readonly { readonly line: number; readonly indent: number }[] {
  return lines
    .slice(0, line - 1)
    .map((text, index) => ({ text, line: index + 1, indent: indentOf(text) }))
    .filter(({ text }) => isText(text))
    .reverse();
}

function indented(error: YAMLError, lines: readonly string[], at: ReturnType<Place>): YamlFinding {
  const line = lines[at.line - 1] ?? "";
  if (/sufficiently indented and end with a (.)/.test(error.message)) {
    const close = error.message.at(-1);
    return {
      ...at,
      message: `the ${close === "]" ? "[" : "{"} above is not closed: a ${close} is missing before this line`,
    };
  }
  const here = indentOf(line);
  const before = above(lines, at.line);
  const columns = [...new Set(before.map(({ indent }) => indent))];
  const place = { line: at.line, column: here + 1 };
  const [previous] = before;
  if (previous !== undefined && here !== previous.indent) {
    const fitting = columns.filter((indent) => indent <= previous.indent);
    const nearest = [...fitting].sort((a, b) => Math.abs(a - here) - Math.abs(b - here))[0] ?? previous.indent;
    const than = here > previous.indent ? "deeper than" : "not like";
    return {
      ...place,
      message: `indented by ${spaces(here)}, ${than} what it belongs to: begin it with ${spaces(nearest)}, under its neighbours`,
    };
  }
  return { ...at, message: `this does not belong here: ${error.message}` };
}

const spaces = (count: number): string => (count === 0 ? "no space" : count === 1 ? "1 space" : `${count} spaces`);

/** "a: b: c" on one line, a line below that is too deep, or a key without the space after its colon. */
function nested(lines: readonly string[], at: ReturnType<Place>): YamlFinding {
  const line = lines[at.line - 1] ?? "";
  if (/^\s*(- +)?[A-Za-z_$"'-][\w$"'-]*:\S/.test(line))
    return { line: at.line, column: indentOf(line) + 1, message: "a space is missing after the colon" };
  if (/:\s.*:(\s|$)/.test(line))
    return { ...at, message: "two keys on one line: put the second on the next line, indented by two spaces more" };
  const below = lines.findIndex((text, index) => index >= at.line && isText(text));
  if (below >= 0 && indentOf(lines[below]!) > indentOf(line)) {
    const message = `indented deeper than line ${at.line}, which has its value already: begin it with ${spaces(indentOf(line))}`;
    return { line: below + 1, column: indentOf(lines[below]!) + 1, message };
  }
  return { ...at, message: "a key wants a colon and a space after it" };
}

function missing(error: YAMLError, line: string, at: ReturnType<Place>): YamlFinding {
  if (/closing .*quote/i.test(error.message)) return { ...at, message: "a quote that was opened above is not closed" };
  if (/^\s*(- +)?[A-Za-z_$][\w$-]*:\S/.test(line)) return { ...at, message: "a space is missing after the colon" };
  if (/map keys need to be followed by map values/.test(error.message))
    return { ...at, message: "a key without a colon: write `key: value`" };
  return { ...at, message: `something is missing: ${error.message}` };
}

/** YAML's `*name` where no `&name` stands before it: mostly a star that was meant as text. */
export function danglingAliases(document: Document.Parsed, place: Place): readonly YamlFinding[] {
  const found: YamlFinding[] = [];
  visit(document, {
    Alias(_key, node) {
      if (node.resolve(document) !== undefined) return;
      const message = `*${node.source} leads nowhere: no &${node.source} stands before it; put a text that begins with a star in quotes`;
      found.push({ ...place(node.range?.[0] ?? 0), message });
    },
  });
  return found;
}
