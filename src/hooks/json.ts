/**
 * A strict JSON reader (RFC 8259 with the strictness of I-JSON, RFC 7493). `JSON.parse` keeps the last of two equal keys, takes
 * 1e400 as Infinity and hands out `__proto__` as an own key: each has been a way past a check elsewhere (fault 24).
 */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | { readonly [key: string]: JsonValue };

export type JsonRead =
  | { readonly ok: true; readonly value: JsonValue }
  | { readonly ok: false; readonly path: string; readonly message: string };

/** The deepest body of ours is an observation, 6 levels. */
const DEPTH_MAX = 16;
const FORBIDDEN = new Set(["__proto__", "constructor", "prototype"]);

class Refused extends Error {
  readonly path: string;
  constructor(path: readonly (string | number)[], message: string) {
    super(message);
    this.path = pointer(path);
  }
}

/** JSON Pointer (RFC 6901) of a path; the whole document is "". Long keys are cut: the pointer is for a person. */
export function pointer(path: readonly PropertyKey[]): string {
  return path.map((part) => `/${String(part).slice(0, 64).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
}

/** Reads one JSON document. Total: whatever the text is, the answer is a value or a reason with its path. */
export function readJson(text: string): JsonRead {
  const cursor: Cursor = { text, at: 0, path: [] };
  try {
    const value = readValue(cursor, 0);
    skipSpace(cursor);
    if (cursor.at !== text.length) throw new Refused([], `nothing may follow the document (offset ${cursor.at})`);
    return { ok: true, value };
  } catch (error) {
    if (error instanceof Refused) return { ok: false, path: error.path, message: error.message };
    throw error;
  }
}

interface Cursor {
  readonly text: string;
  at: number;
  readonly path: (string | number)[];
}

function skipSpace(cursor: Cursor): void {
  while (cursor.at < cursor.text.length && " \t\n\r".includes(cursor.text[cursor.at]!)) cursor.at++;
}

function refuse(cursor: Cursor, message: string): never {
  throw new Refused(cursor.path, `${message} (offset ${cursor.at})`);
}

function readValue(cursor: Cursor, depth: number): JsonValue {
  skipSpace(cursor);
  const first = cursor.text[cursor.at];
  if (first === "{" || first === "[") {
    if (depth >= DEPTH_MAX) refuse(cursor, `nested deeper than ${DEPTH_MAX}`);
    return first === "{" ? readObject(cursor, depth + 1) : readArray(cursor, depth + 1);
  }
  if (first === '"') return readString(cursor);
  for (const [word, value] of [
    ["null", null],
    ["true", true],
    ["false", false],
  ] as const) {
    if (cursor.text.startsWith(word, cursor.at)) {
      cursor.at += word.length;
      return value;
    }
  }
  return readNumber(cursor);
}

function readNumber(cursor: Cursor): number {
  const pattern = /-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/y;
  pattern.lastIndex = cursor.at;
  const found = pattern.exec(cursor.text)?.[0];
  if (found === undefined) refuse(cursor, cursor.at >= cursor.text.length ? "the document ends too early" : "not JSON");
  const value = Number(found);
  if (!Number.isFinite(value)) refuse(cursor, "a number beyond what a double can hold");
  cursor.at += found.length;
  return value;
}

function readString(cursor: Cursor): string {
  const end = endOfString(cursor);
  const piece = cursor.text.slice(cursor.at, end);
  let value: unknown;
  try {
    value = JSON.parse(piece);
  } catch {
    refuse(cursor, "not a JSON string");
  }
  if (typeof value !== "string") refuse(cursor, "not a JSON string");
  if (!value.isWellFormed()) refuse(cursor, "a lone surrogate");
  cursor.at = end;
  return value;
}

function endOfString(cursor: Cursor): number {
  for (let at = cursor.at + 1; at < cursor.text.length; at++) {
    const char = cursor.text[at];
    if (char === "\\") at++;
    else if (char === '"') return at + 1;
  }
  return refuse(cursor, "a string without an end");
}

function readArray(cursor: Cursor, depth: number): JsonValue[] {
  const values: JsonValue[] = [];
  cursor.at++;
  skipSpace(cursor);
  if (cursor.text[cursor.at] === "]") {
    cursor.at++;
    return values;
  }
  for (;;) {
    cursor.path.push(values.length);
    values.push(readValue(cursor, depth));
    cursor.path.pop();
    skipSpace(cursor);
    const next = cursor.text[cursor.at];
    if (next !== "," && next !== "]") refuse(cursor, "a comma or ] is wanted");
    cursor.at++;
    if (next === "]") return values;
  }
}

function readObject(cursor: Cursor, depth: number): { [key: string]: JsonValue } {
  const object: { [key: string]: JsonValue } = {};
  cursor.at++;
  skipSpace(cursor);
  if (cursor.text[cursor.at] === "}") {
    cursor.at++;
    return object;
  }
  for (;;) {
    skipSpace(cursor);
    if (cursor.text[cursor.at] !== '"') refuse(cursor, "a key in quotes is wanted");
    const key = readString(cursor);
    cursor.path.push(key);
    if (FORBIDDEN.has(key)) refuse(cursor, "this key is not allowed");
    if (Object.hasOwn(object, key)) refuse(cursor, "the same key twice");
    skipSpace(cursor);
    if (cursor.text[cursor.at] !== ":") refuse(cursor, "a colon is wanted");
    cursor.at++;
    object[key] = readValue(cursor, depth);
    cursor.path.pop();
    skipSpace(cursor);
    const next = cursor.text[cursor.at];
    if (next !== "," && next !== "}") refuse(cursor, "a comma or } is wanted");
    cursor.at++;
    if (next === "}") return object;
  }
}
