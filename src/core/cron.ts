import { DAY, type Millis, SECOND } from "./units.ts";

/** Expands one numeric cron field (star, lists, ranges, steps) within its bounds; null when it is written otherwise. */
function expand(field: string, low: number, high: number): readonly number[] | null {
  const values = new Set<number>();
  for (const part of field.split(",")) {
    const match = /^(\*|(\d+)(?:-(\d+))?)(?:\/(\d+))?$/.exec(part);
    if (match === null) return null;
    const step = Number(match[4] ?? 1);
    const from = match[2] === undefined ? low : Number(match[2]);
    const to =
      match[3] !== undefined ? Number(match[3]) : match[2] === undefined || match[4] !== undefined ? high : from;
    if (step < 1 || from < low || to > high || from > to) return null;
    for (let value = from; value <= to; value += step) values.add(value);
  }
  return [...values].sort((a, b) => a - b);
}

/** The longest pause between two scheduled times, in a cyclic list of points. */
function cyclicGap(points: readonly number[], cycle: number): number {
  let widest = 0;
  points.forEach((point, index) => {
    const next = points[index + 1] ?? points[0]! + cycle;
    widest = Math.max(widest, next - point);
  });
  return widest;
}

/**
 * The largest gap of a cron expression with seconds first. Freshness is three of these (safety.md, "Votes"). Expressions that
 * name days or months, or that cannot be read, count as a gap of a month, which no automatic heal accepts.
 */
export function largestGap(cron: string): Millis {
  const [second, minute, hour, ...days] = cron.trim().split(/\s+/);
  const seconds = expand(second ?? "", 0, 59);
  const minutes = expand(minute ?? "", 0, 59);
  const hours = expand(hour ?? "", 0, 23);
  if (
    seconds === null ||
    minutes === null ||
    hours === null ||
    days.length !== 3 ||
    days.some((day) => day !== "*" && day !== "?")
  ) {
    return 31 * DAY;
  }
  const moments = hours.flatMap((h) => minutes.flatMap((m) => seconds.map((s) => h * 3_600 + m * 60 + s)));
  return cyclicGap(moments, 86_400) * SECOND;
}
