import type { Millis } from "../core/units.ts";

export interface Deadline {
  readonly signal: AbortSignal;
  /** Whether the time was over before `end` was called. */
  readonly isLate: () => boolean;
  /** Lets go of the timer and of the parents. */
  readonly end: () => void;
}

/**
 * A signal that aborts with any of its parents, or after a time. `AbortSignal.any` and `AbortSignal.timeout` would do the same, and
 * leave some 2 KB behind for each use under a parent that lives as long as the process: measured over 1,500 rounds.
 */
export function deadline(parents: readonly AbortSignal[], millis: Millis | null): Deadline {
  const own = new AbortController();
  let late = false;
  const abort = () => own.abort();
  const timer =
    millis === null
      ? null
      : setTimeout(() => {
          late = true;
          own.abort();
        }, millis);
  for (const parent of parents) {
    if (parent.aborted) own.abort();
    else parent.addEventListener("abort", abort, { once: true });
  }
  return {
    signal: own.signal,
    isLate: () => late,
    end() {
      if (timer !== null) clearTimeout(timer);
      for (const parent of parents) parent.removeEventListener("abort", abort);
    },
  };
}
