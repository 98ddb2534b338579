const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

interface Field {
  readonly name: string;
  readonly low: number;
  readonly high: number;
  readonly names?: readonly string[];
}

const FIELDS: readonly Field[] = [
  { name: "second", low: 0, high: 59 },
  { name: "minute", low: 0, high: 59 },
  { name: "hour", low: 0, high: 23 },
  { name: "day of the month", low: 1, high: 31 },
  { name: "month", low: 1, high: 12, names: MONTHS },
  { name: "day of the week", low: 0, high: 7, names: DAYS },
];

/** What is wrong with a six-field cron expression (seconds first), field by field, in words; null when nothing is. */
export function cronProblem(text: string): string | null {
  const fields = text.trim().split(/\s+/);
  if (fields.length !== FIELDS.length)
    return `cron with six fields is wanted, seconds first; this has ${fields.length}`;
  for (const [index, field] of FIELDS.entries()) {
    const bad = fields[index]!.split(",").find((part) => !isPart(part, field));
    if (bad !== undefined) return `${field.name}: ${JSON.stringify(bad)} is not within ${field.low}-${field.high}`;
  }
  return null;
}

function isPart(part: string, field: Field): boolean {
  const match = /^(\*|[a-z0-9]+)(?:-([a-z0-9]+))?(?:\/(\d{1,2}))?$/i.exec(part);
  if (match === null) return false;
  const [, from, to, step] = match;
  if (step !== undefined && Number(step) < 1) return false;
  if (from === "*") return to === undefined;
  const low = fieldValue(from!, field);
  const high = to === undefined ? low : fieldValue(to, field);
  return low !== null && high !== null && low <= high;
}

function fieldValue(word: string, field: Field): number | null {
  const named = field.names?.findIndex((name) => word.toLowerCase().startsWith(name)) ?? -1;
  if (named >= 0) return named + (field.low === 1 ? 1 : 0);
  if (!/^\d{1,2}$/.test(word)) return null;
  const value = Number(word);
  return value >= field.low && value <= field.high ? value : null;
}
