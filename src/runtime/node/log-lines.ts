type Fields = Readonly<Record<string, unknown>>;

/** Numbers of pino's levels. */
const LEVELS: Readonly<Record<number, string>> = {
  10: "trace",
  20: "debug",
  30: "",
  40: "WARN",
  50: "ERROR",
  60: "FATAL",
};
/** What stands elsewhere in the line, or only orders lines of several processes. */
const LEFT_OUT: ReadonlySet<string> = new Set(["level", "time", "name", "mono_ms", "msg", "event"]);
/** Sentences: they follow the message without their key. */
const SENTENCES = ["title", "summary", "message", "detail", "error"];
/** A field beyond this is for the JSON form. */
const FIELD_MAX = 160;
const LINES_MAX = 8;

/** One line of the log for a person at a terminal: time of day, what happened, its sentences, then fields as key=value. */
export function readableLine(json: string): string {
  let record: Fields;
  try {
    record = JSON.parse(json) as Fields;
  } catch {
    return json;
  }
  const { level, time, msg, stack } = record;
  const clock = typeof time === "number" ? new Date(time).toISOString().slice(11, 19) : "--:--:--";
  const word = LEVELS[Number(level)] ?? String(level);
  const said = SENTENCES.flatMap((key) => (isText(record[key]) ? [String(record[key])] : []));
  const head = [clock, word, [msg, ...said].filter(isText).map(String).join(": ")].filter((part) => part !== "");
  const fields = Object.entries(record)
    .filter(([key]) => !LEFT_OUT.has(key) && !SENTENCES.includes(key) && key !== "stack")
    .flatMap(([key, value]) => field(key, value));
  const under = Object.values(record)
    .filter((value): value is string[] => Array.isArray(value) && value.length > 0 && value.every(isSentence))
    .flat()
    .slice(0, LINES_MAX);
  const tail = isText(stack) ? String(stack).split("\n").slice(0, LINES_MAX) : [];
  return `${[[...head, ...fields].join(" "), ...[...under, ...tail].map((line) => `         ${line}`)].map(visible).join("\n")}\n`;
}

const isText = (value: unknown): boolean => typeof value === "string" && value !== "";
const isSentence = (value: unknown): boolean => typeof value === "string" && value.includes(" ");

function field(key: string, value: unknown): readonly string[] {
  if (value === null || value === undefined || value === "") return [];
  if (Array.isArray(value) && (value.length === 0 || value.every(isSentence))) return [];
  if (typeof value === "string") return [`${key}=${/\s/.test(value) ? JSON.stringify(value) : value}`];
  const text = JSON.stringify(value);
  return [`${key}=${text.length > FIELD_MAX ? `${text.slice(0, FIELD_MAX)}…` : text}`];
}

/** Without what would move a terminal's cursor or turn its lines around (fault 17). */
function visible(line: string): string {
  return line.replaceAll(
    /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
