import { type RunOptions, type RunResult, run } from "./run.ts";

/** One seed in so many is run a second time. */
export const TWIN_EVERY = 12;

/** I29 Same seed and inputs, same decisions: down to the millisecond, the words and the order. */
export async function sameSeedSameRun(options: RunOptions, first: RunResult): Promise<string | null> {
  const second = await run(options);
  return second.fingerprint === first.fingerprint
    ? null
    : `seed ${options.seed} took two ways: ${first.fingerprint} and ${second.fingerprint} after ${first.steps} and ${second.steps} steps`;
}

/**
 * I26 Wall-clock leaps change nothing but which signatures are accepted. The clocks of all machines leap together here, so that the
 * signatures stay good; what was decided, and when, must be the same as without any leap.
 */
export async function leapsChangeNothing(options: RunOptions, first: RunResult): Promise<string | null> {
  const leaps = first.plan.filter(({ kind }) => kind.kind === "clock-leaps-everywhere").map(({ index }) => index);
  if (leaps.length === 0 || first.focus !== "leaps") return null;
  const without = await run({ ...options, still: true });
  const [a, b] = [first.decisions, without.decisions];
  if (a.join("\n") === b.join("\n")) return null;
  const at = a.findIndex((decision, index) => decision !== b[index]);
  return `with leaps: ${a[at] ?? "nothing more"}; without: ${b[at] ?? "nothing more"}`;
}
