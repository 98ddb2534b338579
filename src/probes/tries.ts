import type { Millis } from "../core/units.ts";
import type { Clock } from "./port.ts";

/** Between the starts of two tries of one check: long enough for an answer on a LAN, short enough to see a lost packet through. */
export const STAGGER: Millis = 300;

export interface Outcome {
  readonly ok: boolean;
}

/** `commit` says that this try has got through to the service: no further one starts, and the others are given up. */
export type TryOnce<T> = (signal: AbortSignal, commit: () => void) => Promise<T>;

/**
 * Runs up to `count` tries, each started `STAGGER` after the one before, and returns the first success. When none succeeds, the
 * result of the last one to end, so that a check fails in a round only when all of its tries fail (safety.md, "Votes"). A try that
 * was `heard` by the service, though with a failure, outweighs those that were not: one lost packet beside a SERVFAIL is no silence.
 */
export async function staggered<T extends Outcome>(
  count: number,
  once: TryOnce<T>,
  clock: Clock,
  signal: AbortSignal,
  heard: (result: T) => boolean = () => true,
): Promise<{ readonly result: T; readonly tries: number }> {
  const settled = new AbortController();
  const all = AbortSignal.any([signal, settled.signal]);
  const own: AbortController[] = [];
  let committed: number | null = null;
  let tries = 0;
  let last: T | null = null;
  let winner: T | null = null;
  const start = async (index: number): Promise<void> => {
    const mine = new AbortController();
    own.push(mine);
    const result = await once(AbortSignal.any([all, mine.signal]), () => {
      if (committed !== null) return;
      committed = index;
      own.forEach((other, at) => {
        if (at !== index) other.abort();
      });
    });
    if (winner !== null || (committed !== null && committed !== index)) return;
    if (last === null || heard(result) || !heard(last)) last = result;
    if (result.ok || committed === index) {
      winner = result;
      settled.abort();
    }
  };
  const running: Promise<void>[] = [];
  for (let index = 0; index < count && !all.aborted && committed === null; index++) {
    tries++;
    running.push(start(index));
    if (index + 1 < count) await clock.sleep(STAGGER, all);
  }
  await Promise.all(running);
  const result = winner ?? last;
  if (result === null) throw new Error("a try ended without a result");
  return { result, tries };
}
