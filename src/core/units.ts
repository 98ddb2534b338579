/** A duration, or a point on a monotonic clock, in whole or fractional milliseconds. */
export type Millis = number;

/** Milliseconds since 1970 on a wall clock. Used for what people read and for signatures, never for a decision (I26). */
export type WallMillis = number;

/** When an input happened: `mono` orders and measures, `wall` is shown to people. Read once per input and passed down. */
export interface Instant {
  /** Ledger time: monotonic milliseconds that this site's hub has really seen pass, persisted across restarts. */
  readonly mono: Millis;
  readonly wall: WallMillis;
}

export const SECOND: Millis = 1_000;
export const MINUTE: Millis = 60_000;
export const HOUR: Millis = 3_600_000;
export const DAY: Millis = 86_400_000;

const UNITS: Readonly<Record<string, Millis>> = { ms: 1, s: SECOND, m: MINUTE, h: HOUR, d: DAY };

/** Parses "500ms", "60s", "2m", "1h", "1d"; several parts may follow each other ("1h30m"). Null for anything else. */
export function parseDuration(text: string): Millis | null {
  if (!/^(\d{1,9}(ms|s|m|h|d))+$/.test(text)) return null;
  let sum = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+)(ms|s|m|h|d)/g)) sum += Number(amount) * (UNITS[unit!] ?? 0);
  return sum;
}

/** Writes a duration the way a person reads it: "850 ms", "4.2 s", "2 min", "1 h 30 min". */
export function sayDuration(millis: Millis): string {
  if (millis < SECOND) return `${Math.round(millis)} ms`;
  if (millis < MINUTE) return `${Number((millis / SECOND).toFixed(millis < 10 * SECOND ? 1 : 0))} s`;
  if (millis < HOUR) return `${Math.round(millis / MINUTE)} min`;
  const hours = Math.floor(millis / HOUR);
  const minutes = Math.round((millis - hours * HOUR) / MINUTE);
  return minutes === 0 ? `${hours} h` : `${hours} h ${minutes} min`;
}
