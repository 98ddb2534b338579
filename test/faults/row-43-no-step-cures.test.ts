import assert from "node:assert/strict";
import { test } from "node:test";
import { houseOf, type Sight, stage } from "../support/house.ts";
import { play } from "../support/play.ts";

const silent: Sight = { answers: [], table: null, fails: { dns: "no_reply", upstream: "no_reply", https: "no_reply" } };
const dead = { resolver: silent, proxy: silent };
const HOUR = 3_600;

test("fault 43: a fault that no step cures for two days brings at most three heals; a person is told at once, after 1 h, 4 h, then daily", () => {
  const show = play(
    stage(houseOf((config) => ({ ...config, heal: { mode: "auto", verify: { others: "30s" } } }))),
  ).start();
  show.run(12).run(75, dead);
  for (let step = 0; step < 5 && show.state.flight !== null; step++)
    show.report({ state: "running" }).report({ state: "done" }).run(60, dead);
  show.run(50 * HOUR, dead, {}, 10);
  assert.ok(
    show.requests().length <= 3,
    show
      .requests()
      .map(({ step }) => step)
      .join(),
  );
  const help = show.effects.filter((effect) => effect.kind === "emit" && effect.draft.kind === "asked_for_help");
  const hours = help.map(({ at }) => Math.round((at - help[0]!.at) / HOUR));
  assert.deepEqual(hours, [0, 1, 5, 29]);
});
