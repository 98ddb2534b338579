import assert from "node:assert/strict";
import { test } from "node:test";
import { harness, houseOf, round } from "../support/hub.ts";

const HOUR = 3_600_000;
const LEAPS: readonly (readonly [string, (now: number) => number])[] = [
  ["an hour ahead", (now) => now + HOUR],
  ["two hours back", (now) => now - 2 * HOUR],
  ["to 1970", () => 60_000],
  ["to 2040", () => Date.UTC(2040, 0, 1)],
];

/** Two outages, the second within the cool-down of the first; the clock leaps in between. When repairs were asked for, on the monotonic clock. */
async function outages(leap: ((now: number) => number) | null): Promise<readonly number[]> {
  const made = harness({ house: houseOf({ heal: { mode: "auto", confirm: "15s", cool_down: "5m" } }) });
  made.hub.start();
  await made.hand.pass(100);
  const asked: number[] = [];
  let seq = 0;
  const rounds = async (ok: boolean, count: number) => {
    for (let n = 0; n < count; n++) {
      seq++;
      for (const vantage of ["lan", "vm"]) {
        const answer = await made.report(vantage, made.observation(vantage, seq, round(ok)));
        assert.equal(answer.status, 202, await answer.text());
      }
      await made.hand.pass(2_000);
      while (asked.length < made.host.asked.length) asked.push(made.hand.clock.mono());
      for (const { id } of made.host.asked)
        made.host.reports.set(id, { ...made.host.reports.get(id)!, state: "done", ms: 90 });
    }
  };
  await rounds(true, 5);
  await rounds(false, 14);
  await rounds(true, 8);
  if (leap !== null) made.hand.leap(leap(made.hand.clock.wall()) - made.hand.clock.wall());
  await rounds(false, 60);
  await rounds(false, 140);
  made.hub.stop();
  return asked;
}

test("fault 35: a wall clock that leaps in a cool-down changes no decision (I1, I26)", async (t) => {
  const calm = await outages(null);
  assert.ok(calm.length >= 2, "the second outage is healed too");
  const coolDown = calm[1]! - calm[0]!;
  assert.ok(coolDown >= 240_000, `the cool-down of 5 min, less its spread, holds: ${coolDown} ms`);
  for (const [what, leap] of LEAPS) await t.test(what, async () => assert.deepEqual(await outages(leap), calm));
});
