import assert from "node:assert/strict";
import { test } from "node:test";
import { harness, round } from "../support/hub.ts";

test("fault 37: when all vantages fall silent it is told within 3 minutes, and nothing is healed", async () => {
  const told: { kind: string; at: number }[] = [];
  const made = harness({
    subscribers: [
      {
        name: "rec",
        events: null,
        confirms: false,
        deliver: async ({ event }) => {
          told.push({ kind: event.data.event, at: made.hand.clock.mono() });
          return { kind: "answered", status: 200, retryAfter: null };
        },
      },
    ],
  });
  made.hub.start();
  await made.hand.pass(100);
  // The last that was heard is bad: silence must not turn it into a reason to heal.
  for (let seq = 1; seq <= 6; seq++) {
    const ok = seq < 6;
    for (const vantage of ["lan", "vm"]) await made.report(vantage, made.observation(vantage, seq, round(ok)));
    await made.hand.pass(1_000);
  }
  const silentFrom = made.hand.clock.mono();
  await made.hand.pass(180_000);
  const silent = told.filter(({ kind }) => kind === "vantage_silent");
  assert.equal(silent.length, 2, "one for each");
  assert.ok(silent.every(({ at }) => at - silentFrom <= 180_000));
  await made.hand.pass(900_000);
  assert.deepEqual(made.host.asked, []);
  made.hub.stop();
});
