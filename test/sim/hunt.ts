import type { Focus } from "./profile.ts";
import { profileFor, type RunOptions } from "./run.ts";
import type { Violation } from "./witness.ts";

interface Ground {
  /** The runs in which the bug can show itself at all: the others would only take time. */
  readonly focuses: readonly Focus[];
  /** The invariants that are there for it. Breaking another one is no proof that they can fail. */
  readonly invariants: readonly string[];
  /** A seed that is known to show it, to begin with in a hurry. Any change of the code may move it. */
  readonly known: number;
}

const GROUNDS: Readonly<Record<string, Ground>> = {
  "no-recovery": { focuses: ["crashes"], invariants: ["I4", "I6"], known: 6 },
  "no-idempotency": { focuses: ["hostile"], invariants: ["I3"], known: 58 },
  "act-before-intent": { focuses: ["crashes"], invariants: ["I5"], known: 6 },
  "wall-clock-budget": { focuses: ["relapse"], invariants: ["I1"], known: 171 },
  "unknown-as-failed": { focuses: ["mixed"], invariants: ["I7", "I8"], known: 51 },
  "no-time-to-live": { focuses: ["hostile"], invariants: ["I14"], known: 24 },
  "no-epoch": { focuses: ["hostile"], invariants: ["I14"], known: 25 },
};

/** A bug that this many seeds of its grounds do not show is not caught. */
export const HUNT_MAX = 60;

/** Runs that may show the planted bug, in the order of their seeds. */
export function hunt(mutant: string, from: number, days: number): readonly RunOptions[] {
  const runs: RunOptions[] = [];
  for (let seed = from; runs.length < HUNT_MAX; seed++)
    if (GROUNDS[mutant]!.focuses.includes(profileFor(seed).focus)) runs.push({ seed, days, mutant });
  return runs;
}

/** Whether the violations are those by which the planted bug ought to be known. */
export const isCaught = (mutant: string, violations: readonly Violation[]): boolean =>
  violations.some(({ invariant }) => GROUNDS[mutant]!.invariants.includes(invariant));

export const knownSeed = (mutant: string): number => GROUNDS[mutant]!.known;
