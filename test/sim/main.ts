import { parseArgs } from "node:util";
import { HUNT_MAX, hunt, isCaught } from "./hunt.ts";
import { type Outcome, play } from "./job.ts";
import { MUTANTS } from "./mutants.ts";
import { playAll } from "./pool.ts";
import { createTally, printInvariants, printStory } from "./report.ts";
import { type RunOptions, run } from "./run.ts";
import { shrink } from "./shrink.ts";

const USAGE = `npm run test:sim -- [--seeds N] [--from N] [--days D]   many seeds (default: 260 of 2 days, then --mutants)
npm run test:sim -- --seed N [--days D] [--without I,J] [--story]        one seed, with the end of its story when it fails
npm run test:sim -- --mutants                                            each planted bug, and the invariant that catches it
npm run test:sim -- --mutant NAME [--seed N]                             one of ${Object.keys(MUTANTS).join(", ")}
npm run test:sim -- --invariants                                         where each of I1 to I30 is checked
`;

/** Fewer days than this need not have reached everything. */
const DAYS_FOR_ALL = 400;

const seconds = (since: bigint): number => Number(process.hrtime.bigint() - since) / 1e9;

async function manySeeds(from: number, seeds: number, days: number): Promise<number> {
  const began = process.hrtime.bigint();
  const tally = createTally();
  let failed: Outcome | null = null;
  const jobs = Array.from({ length: seeds }, (_, index): RunOptions => ({ seed: from + index, days }));
  await playAll(jobs, (outcome) => {
    tally.add(outcome);
    if (outcome.violations.length > 0) failed ??= outcome;
    return failed === null;
  });
  tally.print(seconds(began));
  if (failed !== null) return await tellFailure({ seed: (failed as Outcome).seed, days }, failed);
  console.log(`seeds ${from} to ${from + seeds - 1}: 0 violations`);
  const missed = tally.days() >= DAYS_FOR_ALL ? tally.missed() : [];
  if (missed.length > 0) console.log(`and yet a failure, since this was never reached: ${missed.join(", ")}`);
  return missed.length > 0 ? 1 : 0;
}

async function tellFailure(options: RunOptions, outcome: Outcome): Promise<number> {
  for (const { invariant, detail } of outcome.violations) console.log(`seed ${options.seed}: ${invariant}: ${detail}`);
  const again = await run(options);
  if (again.violations.length > 0) printStory(await shrink(again, options), false);
  return 1;
}

async function oneSeed(options: RunOptions, story: boolean): Promise<number> {
  const result = await run({ ...options, story: true });
  if (result.violations.length > 0) {
    printStory({ options, result, tries: 1 }, story);
    return 1;
  }
  if (story) for (const line of result.story) console.log(line);
  const outcome = await play(options);
  for (const { invariant, detail } of outcome.violations) console.log(`${invariant}: ${detail}`);
  console.log(
    `seed ${options.seed} (${result.focus}), ${options.days} days, ${result.plan.length} faults: ${outcome.violations.length} violations`,
  );
  return outcome.violations.length > 0 ? 1 : 0;
}

/** The first seed that shows a planted bug, and what it breaks. */
async function killerOf(mutant: string, from: number, days: number): Promise<Outcome | null> {
  let killer: Outcome | null = null;
  await playAll(hunt(mutant, from, days), (outcome) => {
    if (isCaught(mutant, outcome.violations) && (killer === null || outcome.seed < killer.seed)) killer = outcome;
    return killer === null;
  });
  return killer;
}

async function allMutants(from: number, days: number): Promise<number> {
  let survived = 0;
  for (const mutant of Object.keys(MUTANTS)) {
    const killer = await killerOf(mutant, from, days);
    if (killer === null) survived++;
    const [violation] = killer?.violations ?? [];
    console.log(
      killer === null
        ? `${mutant.padEnd(18)} SURVIVED ${HUNT_MAX} seeds`
        : `${mutant.padEnd(18)} caught by ${violation!.invariant.padEnd(4)} (seed ${killer.seed}): ${violation!.detail}`,
    );
  }
  console.log(survived === 0 ? "every mutant is caught" : `${survived} mutants survive`);
  return survived === 0 ? 0 : 1;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seeds: { type: "string" },
      from: { type: "string" },
      days: { type: "string" },
      seed: { type: "string" },
      without: { type: "string" },
      mutant: { type: "string" },
      mutants: { type: "boolean" },
      invariants: { type: "boolean" },
      story: { type: "boolean" },
      help: { type: "boolean", short: "h" },
    },
  });
  const number = (text: string | undefined, fallback: number): number => {
    const value = text === undefined ? fallback : Number(text);
    if (!(value > 0)) throw new TypeError(`not a positive number: ${text}`);
    return value;
  };
  const from = number(values.from, 1);
  const days = number(values.days, 2);
  if (values.mutant !== undefined && !(values.mutant in MUTANTS)) throw new TypeError(`no mutant ${values.mutant}`);
  if (values.help) console.log(USAGE);
  else if (values.invariants) printInvariants();
  else if (values.mutants) return await allMutants(from, days);
  else if (values.seed !== undefined) {
    const without = new Set((values.without ?? "").split(",").filter(Boolean).map(Number));
    const planted = values.mutant === undefined ? {} : { mutant: values.mutant };
    return await oneSeed({ seed: number(values.seed, 1), days, without, ...planted }, values.story === true);
  } else if (values.mutant !== undefined) {
    const killer = await killerOf(values.mutant, from, days);
    if (killer !== null) return 1 - (await tellFailure({ seed: killer.seed, days, mutant: values.mutant }, killer));
    console.log(`${values.mutant} SURVIVED ${HUNT_MAX} seeds`);
    return 1;
  } else {
    const failed = await manySeeds(from, number(values.seeds, 260), days);
    // A suite is trusted only when it kills its mutants: the plain run shows both.
    const plain = values.seeds === undefined && values.from === undefined && values.days === undefined;
    return failed === 0 && plain ? await allMutants(from, days) : failed;
  }
  return 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof TypeError)) throw error;
  process.stderr.write(`${error.message}\n\n${USAGE}`);
  process.exitCode = 2;
}
