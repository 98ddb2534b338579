import { DAY } from "../../src/core/units.ts";
import { type RunOptions, type RunResult, run } from "./run.ts";

/** Runs that are spent on one story. */
const TRIES_MAX = 60;

export interface Shrunk {
  readonly options: RunOptions;
  readonly result: RunResult;
  readonly tries: number;
}

/** The shortest story that still breaks the same invariant: fewer days, then without one fault after another. */
export async function shrink(first: RunResult, options: RunOptions): Promise<Shrunk> {
  const [violation] = first.violations;
  let tries = 0;
  let best = { ...options, without: new Set(options.without) };
  const breaks = async (candidate: RunOptions): Promise<boolean> => {
    if (tries >= TRIES_MAX) return false;
    tries++;
    const { violations } = await run(candidate);
    return violations.some(({ invariant }) => invariant === violation?.invariant);
  };
  const until = Math.ceil(((violation?.at ?? 0) + 1) / DAY);
  if (until < best.days && (await breaks({ ...best, days: until }))) best = { ...best, days: until };
  while (best.days > 0.1 && (await breaks({ ...best, days: best.days / 2 }))) best = { ...best, days: best.days / 2 };
  const beforehand = first.plan.filter(({ at }) => at <= (violation?.at ?? 0)).map(({ index }) => index);
  const later = first.plan.map(({ index }) => index).filter((index) => !beforehand.includes(index));
  const rest = new Set([...best.without, ...later]);
  if (later.length > 0 && (await breaks({ ...best, without: rest }))) best = { ...best, without: rest };
  for (let size = Math.ceil(beforehand.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < beforehand.length; at += size) {
      const dropped = beforehand.slice(at, at + size).filter((index) => !best.without.has(index));
      if (dropped.length === 0) continue;
      const without = new Set([...best.without, ...dropped]);
      if (await breaks({ ...best, without })) best = { ...best, without };
    }
  }
  return { options: best, result: await run({ ...best, story: true }), tries };
}
