import assert from "node:assert/strict";
import { test } from "node:test";
import type { ConfigInput } from "../../src/core/config/schema.ts";
import { FORMER_MAC, factsOf, houseOf, LINK_MAC, type Sight, stage } from "../support/house.ts";
import { play } from "../support/play.ts";

const silent: Sight = { answers: [], table: null, fails: { dns: "no_reply", upstream: "no_reply", https: "no_reply" } };
const dead = { resolver: silent, proxy: silent };
const deaf = { speaker: { ...factsOf().speaker, listening: false } };
const theatre = (change: (config: ConfigInput) => ConfigInput = (config) => config) =>
  play(stage(houseOf(change)))
    .start()
    .run(12);
const heal =
  (extra: ConfigInput["heal"]) =>
  (config: ConfigInput): ConfigInput => ({ ...config, heal: { mode: "auto", ...extra } });

test("nobody answers: failing is told, a remedy follows after confirm, and the vantages prove it", () => {
  const show = theatre().run(58, dead, deaf);
  assert.deepEqual(show.told(), ["failing"]);
  assert.equal(show.state.incident?.heldBy, "unconfirmed");
  show.run(12, dead, deaf);
  assert.deepEqual(
    show.requests().map((request) => request.step),
    ["restart-speaker"],
  );
  show.report({ state: "running" }).report({ state: "done" }).run(6);
  assert.deepEqual(show.told(), ["failing", "heal_started", "heal_succeeded", "recovered"]);
  assert.equal(show.state.phase, "ok");
  assert.equal(show.state.incident, null);
});

test("the same for 20 seconds brings no remedy", () => {
  const show = theatre().run(20, dead, deaf).run(120);
  assert.deepEqual(show.requests(), []);
  assert.deepEqual(show.told(), ["failing", "recovered"]);
});

test("an exit code proves nothing: steps follow each other, each once, then a person is asked", () => {
  const show = theatre(heal({ verify: { announce: "15s", others: "30s" } })).run(75, dead);
  for (let step = 0; step < 3; step++) {
    show.report({ state: "running" }).report({ state: "done" });
    show.run(40, dead);
  }
  assert.deepEqual(
    show.requests().map((request) => request.step),
    ["announce", "restart-speaker", "recreate-link"],
  );
  assert.equal(new Set(show.requests().map((request) => request.id)).size, 3);
  assert.equal(show.told().filter((kind) => kind === "heal_failed").length, 3);
  assert.equal(show.told().at(-1), "asked_for_help");
  assert.equal(show.state.phase, "exhausted");
  assert.equal(show.state.breaker.open, true);
  show.run(3 * 3_600, dead, {}, 10);
  assert.equal(show.requests().length, 3, "nothing more is tried");
  assert.equal(show.told().filter((kind) => kind === "asked_for_help").length, 2, "asked again after an hour");
});

test("in observe mode nothing is repaired, and the reason is told once", () => {
  const show = theatre(heal({ mode: "observe" })).run(600, dead, deaf);
  assert.deepEqual(show.requests(), []);
  assert.deepEqual(show.told(), ["failing", "held"]);
  assert.equal(show.state.incident?.heldBy, "not_armed");
});

test("an unarmed host, a silent host and a missing quorum hold, by their names", () => {
  const unarmed = theatre().run(90, dead, { ...deaf, armed: false });
  assert.equal(unarmed.state.incident?.heldBy, "host_not_armed");
  const away = theatre().run(120, dead, null);
  assert.equal(away.state.incident?.heldBy, "host_not_armed");
  const alone = theatre((config) => ({
    ...config,
    heal: { mode: "auto" },
    vantages: { guest: config.vantages!["guest"]! },
  })).run(90, dead);
  assert.equal(alone.state.incident?.heldBy, "no_quorum");
  assert.deepEqual([...unarmed.requests(), ...away.requests(), ...alone.requests()], []);
});

test("one vantage and the host's fact for the same cause are two votes", () => {
  const show = theatre((config) => ({ ...config, vantages: { guest: config.vantages!["guest"]! } })).run(
    75,
    dead,
    deaf,
  );
  assert.deepEqual(
    show.requests().map((request) => request.step),
    ["restart-speaker"],
  );
});

test("a good sample from any voter starts the confirmation again", () => {
  const show = theatre().run(50, dead, deaf).run(2, {}, deaf).run(50, dead, deaf);
  assert.deepEqual(show.requests(), []);
});

test("during grace nothing is repaired, and grace ends with the voters that are present", () => {
  const three = (config: ConfigInput): ConfigInput => ({
    ...config,
    vantages: { ...config.vantages, shed: { where: "lan", key_file: "c", optional: true } },
  });
  const show = play(stage(houseOf(three))).start();
  const heard = ["guest", "desk"];
  show.run(12, {}, {}, 2, heard).run(270, dead, deaf, 2, heard);
  assert.equal(show.state.incident?.heldBy, "grace");
  assert.deepEqual(show.requests(), []);
  show.run(30, dead, deaf, 2, heard);
  assert.equal(show.requests().length, 1);
});

test("maintenance holds, ends by itself, and wants a fresh confirmation", () => {
  const show = theatre();
  show.input({ kind: "paused", forMillis: 120_000, reason: "host update" });
  show.run(119, dead, deaf);
  assert.equal(show.state.incident?.heldBy, "maintenance");
  show.run(50, dead, deaf);
  assert.deepEqual(show.requests(), []);
  show.run(20, dead, deaf);
  assert.equal(show.requests().length, 1);
  assert.deepEqual(show.told().slice(0, 3), ["paused", "failing", "resumed"]);
});

test("a pause longer than a day is cut to a day", () => {
  const show = theatre();
  show.input({ kind: "paused", forMillis: 9e9, reason: null });
  assert.equal(show.state.maintenance!.until - stageNow(show), 86_400_000);
});
const stageNow = (show: ReturnType<typeof play>) => show.state.flap.at;

test("a refusal ran nothing: the step is asked for again under another id, and spends no budget", () => {
  const show = theatre().run(75, dead, deaf).report({ state: "refused", refusal: "kubernetes_unreachable" });
  assert.equal(show.state.remedies.length, 0);
  assert.equal(show.state.incident?.heldBy, "host_refused");
  show.run(40, dead, deaf);
  const requests = show.requests();
  assert.deepEqual(
    requests.map((request) => request.step),
    ["restart-speaker", "restart-speaker"],
  );
  assert.notEqual(requests[0]!.id, requests[1]!.id);
});

test("a host that says nothing for 30 s may have run it: held, spent, and the step is not asked for again", () => {
  const show = theatre().run(75, dead, deaf).run(35, dead, deaf);
  assert.equal(show.state.incident?.heldBy, "host_refused");
  assert.equal(show.state.remedies.length, 1);
  show.run(60, dead, deaf);
  assert.deepEqual(
    show.requests().map((request) => request.step),
    ["restart-speaker", "recreate-link"],
  );
});

test("the budget of an hour is kept, whatever fails", () => {
  const show = theatre(
    heal({ budget: { hour: 2, day: 8 }, cool_down: "1s", flap: { suppress: 1e9, reuse: 1, half_life: "1m" } }),
  );
  for (let outage = 0; outage < 5; outage++) {
    show.run(75, dead, deaf);
    if (show.state.flight) show.report({ state: "running" }).report({ state: "done" });
    show.run(120);
  }
  assert.equal(show.requests().length, 2);
  assert.equal(show.told().includes("held"), true);
});

test("flapping is damped: three outages in a row are not healed a third time", () => {
  const show = theatre(heal({ cool_down: "1s" }));
  for (let outage = 0; outage < 4; outage++) {
    show.run(75, dead, deaf);
    if (show.state.flight) show.report({ state: "running" }).report({ state: "done" });
    show.run(20);
  }
  assert.equal(show.requests().length, 2);
  assert.equal(show.state.flap.suppressed, true);
});

test("more addresses fail after a repair: the breaker opens at once, and only a reset closes it", () => {
  const one = { resolver: silent };
  const show = theatre().run(75, one, deaf).report({ state: "running" }).report({ state: "done" }).run(10, dead, deaf);
  assert.equal(show.state.breaker.open, true);
  assert.deepEqual(show.told().slice(-2), ["heal_failed", "asked_for_help"]);
  show.run(3_600, {}).run(90, dead, deaf);
  assert.equal(show.requests().length, 1);
  show.input({ kind: "breaker_reset" });
  assert.equal(show.state.breaker.open, false);
});

test("an address that failed before, for whatever reason, is not what a repair made worse", () => {
  const former: Sight = { answers: [LINK_MAC], table: FORMER_MAC };
  const deafOne: Sight = { answers: [], table: LINK_MAC };
  const show = theatre().run(2, { resolver: former, proxy: deafOne }).run(70, { proxy: deafOne });
  assert.deepEqual([show.state.flight?.request.step, show.state.incident?.cause], ["announce", "stale_neighbour"]);
  show.report({ state: "running" }).report({ state: "done" });
  show.run(6, { proxy: { ...silent } });
  assert.equal(show.state.breaker.open, false);
});

test("when what the host had found is over, every vantage is asked to look at once", () => {
  const gone = { link: { ...factsOf().link, exists: false, up: null } };
  const show = theatre().run(10, {}, gone, 1_000);
  show.effects.length = 0;
  show.run(1, {}, {}, 1_000);
  assert.equal(show.effects[0]?.kind, "hurry");
  assert.notEqual(show.state.incident, null, "and the incident is not over before they have");
});

test("what the host alone has found confirms nothing: from the first vote on it counts", () => {
  const gone = {
    parent: { exists: false, up: null, mac: null },
    link: { ...factsOf().link, exists: false, up: null },
  };
  const show = theatre().run(100, {}, gone, 1_000).run(40, dead, deaf);
  assert.deepEqual(show.requests(), []);
  show.run(40, dead, deaf);
  assert.deepEqual(
    show.requests().map((request) => request.step),
    ["restart-speaker"],
  );
});

test("a voter that falls silent leaves the repair unverified: no next step, a person is told", () => {
  const show = theatre().run(75, dead, deaf).report({ state: "running" }).report({ state: "done" });
  show.run(130, {}, {}, 2, ["guest"]);
  assert.equal(show.state.incident?.heldBy ?? null, "unverified");
  assert.equal(show.requests().length, 1);
  assert.equal(show.state.breaker.failures, 0);
  assert.equal(show.told().at(-1), "asked_for_help");
});

test("a manual heal skips the waiting gates and keeps the protecting ones", () => {
  const show = theatre(heal({ mode: "observe" })).run(8, dead, deaf);
  const answer = show.ask();
  assert.deepEqual([answer.status, answer.step], [202, "recreate-link"]);
  assert.equal(show.ask().status, 409);
  show.report({ state: "running" }).report({ state: "done" }).run(8);
  assert.deepEqual(show.told().slice(-3), ["heal_started", "heal_succeeded", "recovered"]);
});

test("a manual heal has nothing to do when all is green or no step cures the cause, unless forced", () => {
  const show = theatre();
  assert.equal(show.ask().state, "nothing_to_do");
  assert.equal(show.ask({ force: true }).status, 202);
  const down = theatre().run(8, { proxy: { fails: { https: "refused" } } });
  assert.equal(down.ask().state, "nothing_to_do");
  assert.match(down.ask().detail, /No step of hairpin cures this/);
});

test("a manual heal names its step, chooses ensure-link where the link is wrong, and may be a dry run", () => {
  const link = { ...factsOf().link, exists: false, up: null };
  const show = theatre().run(8, dead, { link });
  assert.equal(show.ask({ dryRun: true }).state, "dry_run");
  assert.deepEqual(show.requests(), []);
  assert.equal(show.ask().step, "ensure-link");
});

test("a manual heal is refused while paused or with an open breaker, unless overridden, and four an hour at most", () => {
  const show = theatre().run(8, dead, deaf);
  show.input({ kind: "paused", forMillis: 3_600_000, reason: null });
  assert.equal(show.ask().status, 423);
  for (let heal = 0; heal < 4; heal++) {
    assert.equal(show.ask({ override: true, id: `h-${heal}` }).status, 202);
    show.report({ state: "running" }).report({ state: "failed" }).run(130, dead, deaf);
  }
  const fifth = show.ask({ override: true });
  assert.equal(fifth.status, 429);
  assert.ok(fifth.retryAfterMillis! > 0);
});

test("heal.mode off refuses even a person", () => {
  assert.equal(
    theatre(heal({ mode: "off" }))
      .run(8, dead, deaf)
      .ask().state,
    "off",
  );
});

test("a degraded house is told and healed before the caches run out", () => {
  const green: Sight = { answers: [] };
  const show = theatre().run(75, { resolver: green, proxy: green }, deaf);
  assert.deepEqual(show.told().slice(0, 1), ["failing"]);
  assert.deepEqual(
    show.requests().map((request) => request.step),
    ["restart-speaker"],
  );
});

test("a day in which nothing fails brings no event, no request and no change of phase", () => {
  const show = theatre().run(86_400, {}, {}, 10);
  assert.deepEqual(
    show.effects.filter((effect) => effect.kind !== "hurry"),
    [],
  );
});
