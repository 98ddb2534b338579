import { DAY, HOUR, type Millis } from "../core/units.ts";
import type { Clock, PauseFile } from "./port.ts";

export interface Pause {
  readonly until: string;
  readonly reason: string | null;
}

/**
 * Follows the pause file: `{"until": "2026-11-24T11:00:00Z", "reason": "…"}`. An end is mandatory: one that is missing or
 * unreadable counts as 1 h after the file was written, one beyond a day as 24 h. The time left is taken once, when the file is
 * first seen, and then counted on the monotonic clock: a leap of the wall clock neither ends a pause nor makes it endless.
 */
export function followPause(file: PauseFile, clock: Clock): () => Pause | null {
  let seen: string | null = null;
  let endMono: Millis = 0;
  let pause: Pause | null = null;
  return () => {
    const found = file.read();
    if (found === null) {
      seen = null;
      return null;
    }
    if (found.text !== seen) {
      seen = found.text;
      const { untilWall, reason } = parsePause(found.text);
      const left = untilWall === null ? HOUR - found.ageMillis : untilWall - clock.wall();
      const capped = Math.max(0, Math.min(left, DAY));
      endMono = clock.mono() + capped;
      pause = { until: new Date(clock.wall() + capped).toISOString(), reason };
    }
    return clock.mono() < endMono ? pause : null;
  };
}

function parsePause(text: string): { untilWall: number | null; reason: string | null } {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null) return { untilWall: null, reason: null };
    const { until, reason } = value as { until?: unknown; reason?: unknown };
    const untilWall = typeof until === "string" ? Date.parse(until) : typeof until === "number" ? until : Number.NaN;
    return {
      untilWall: Number.isFinite(untilWall) ? untilWall : null,
      reason: typeof reason === "string" ? reason.slice(0, 256) : null,
    };
  } catch {
    return { untilWall: null, reason: null };
  }
}
