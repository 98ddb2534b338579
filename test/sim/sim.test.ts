import assert from "node:assert/strict";
import { test } from "node:test";
import { hunt, isCaught, knownSeed } from "./hunt.ts";
import { INVARIANTS } from "./invariants/all.ts";
import { play } from "./job.ts";
import { MUTANTS } from "./mutants.ts";
import { FOCUSES } from "./profile.ts";
import { profileFor, run } from "./run.ts";
import { leapsChangeNothing, sameSeedSameRun } from "./twins.ts";

/** Seeds of `npm test`: one of each focus. The long run is `npm run test:sim`. */
const seeds = FOCUSES.map((focus) => {
  let seed = 1;
  while (profileFor(seed).focus !== focus) seed++;
  return seed;
});

for (const seed of seeds)
  test(`two simulated days about ${profileFor(seed).focus} break no invariant (seed ${seed})`, async () => {
    const { violations } = await play({ seed, days: 2 });
    assert.deepEqual(violations, []);
  });

test("the same seed makes the same run, to the millisecond and the word (I29)", async () => {
  const options = { seed: seeds[0]!, days: 2 };
  assert.equal(await sameSeedSameRun(options, await run(options)), null);
});

for (const mutant of Object.keys(MUTANTS))
  test(`the simulation catches a planted bug: ${mutant}`, async (t) => {
    for (const options of hunt(mutant, knownSeed(mutant), 1)) {
      const { seed, violations } = await run(options);
      if (!isCaught(mutant, violations)) continue;
      t.diagnostic(`seed ${seed}: ${violations[0]!.invariant}: ${violations[0]!.detail}`);
      return;
    }
    assert.fail("it survived");
  });

test("clocks that decide by wall time are seen to decide otherwise when they leap (I26 can fail)", async () => {
  const options = { seed: seeds[FOCUSES.indexOf("leaps")]!, days: 2, mutant: "wall-clock-budget" };
  assert.notEqual(await leapsChangeNothing(options, await run(options)), null);
});

test("every invariant has its place in the table", () => {
  assert.deepEqual(
    INVARIANTS.map(({ id }) => id),
    Array.from({ length: 30 }, (_, index) => `I${index + 1}`),
  );
});
