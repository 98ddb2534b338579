import { type RunOptions, run } from "./run.ts";
import { leapsChangeNothing, sameSeedSameRun, TWIN_EVERY } from "./twins.ts";
import type { Violation } from "./witness.ts";

/** What a worker hands back: plain data. */
export interface Outcome {
  readonly seed: number;
  readonly focus: string;
  readonly days: number;
  readonly violations: readonly Violation[];
  readonly counts: ReadonlyMap<string, number>;
  readonly byPace: ReadonlyMap<number, number>;
  readonly steps: number;
}

/** One seed with its checks, those by twin runs included. */
export async function play(options: RunOptions): Promise<Outcome> {
  const result = await run(options);
  const { seed, focus, days, byPace, steps } = result;
  const counts = new Map(result.counts);
  const violations = [...result.violations];
  const twin = async (name: string, invariant: string, check: Promise<string | null>) => {
    const detail = await check;
    counts.set(name, (counts.get(name) ?? 0) + 1);
    if (detail !== null) violations.push({ invariant, at: 0, detail });
  };
  if (violations.length === 0 && options.mutant === undefined) {
    if (seed % TWIN_EVERY === 0) await twin("twins of one seed compared", "I29", sameSeedSameRun(options, result));
    if (focus === "leaps")
      await twin("twins with and without leaps compared", "I26", leapsChangeNothing(options, result));
  }
  return { seed, focus, days, violations, counts, byPace, steps };
}
