import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { STEPS } from "../../src/core/repair.ts";
import { FORMER_MAC, factsOf, houseOf, LINK_MAC, OTHER_MAC, PARENT_MAC, type Sight, stage } from "../support/house.ts";
import { play } from "../support/play.ts";

/**
 * Laws of safety.md that hold for any history at all: random rounds from random vantages, with random answers, random facts,
 * random words from the host, and random people. fast-check prints the seed and shrinks a failure to its shortest story.
 */
const failure = fc.constantFrom(
  "no_reply",
  "refused",
  "unreachable",
  "dns_servfail",
  "tls_expired",
  "http_status",
  "mac_unexpected" as const,
);
const sight: fc.Arbitrary<Sight> = fc.record(
  {
    answers: fc.oneof(
      fc.constant(null),
      fc.uniqueArray(fc.constantFrom(LINK_MAC, PARENT_MAC, FORMER_MAC, OTHER_MAC), { maxLength: 3 }),
    ),
    table: fc.constantFrom(null, LINK_MAC, FORMER_MAC, OTHER_MAC),
    fails: fc.dictionary(fc.constantFrom("dns", "upstream", "https"), failure, { maxKeys: 3 }),
  },
  { requiredKeys: ["answers", "table", "fails"] },
);
const facts = fc.oneof(
  { weight: 1, arbitrary: fc.constant(null) },
  {
    weight: 6,
    arbitrary: fc
      .record({ listening: fc.boolean(), exists: fc.boolean(), failed: fc.boolean(), armed: fc.boolean() })
      .map((seen) => ({
        armed: seen.armed,
        speaker: { ...factsOf().speaker, listening: seen.listening, announce_failed: seen.failed },
        link: { ...factsOf().link, exists: seen.exists },
      })),
  },
);
const dead: Sight = { answers: [], table: null, fails: { dns: "no_reply", upstream: "no_reply", https: "no_reply" } };
const move = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constant("dead" as const), seconds: fc.integer({ min: 20, max: 90 }), facts }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("run" as const),
      seconds: fc.integer({ min: 1, max: 90 }),
      resolver: sight,
      proxy: sight,
      facts,
      from: fc.subarray(["guest", "desk"]),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant("calm" as const), seconds: fc.integer({ min: 1, max: 200 }) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("word" as const),
      state: fc.constantFrom("running", "done", "failed", "refused", "interrupted" as const),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("ask" as const), force: fc.boolean(), override: fc.boolean() }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("pause" as const), seconds: fc.integer({ min: 1, max: 600 }) }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: "restart" as const }) },
);
type Move = typeof move extends fc.Arbitrary<infer T> ? T : never;

function perform(moves: readonly Move[], mode: "auto" | "observe" = "auto") {
  const world = stage(
    houseOf((config) => ({
      ...config,
      heal: {
        mode,
        confirm: "20s",
        cool_down: "5s",
        verify: { announce: "5s", others: "8s" },
        flap: { suppress: 1e9, reuse: 1, half_life: "1m" },
      },
    })),
  );
  const show = play(world).start().run(12);
  const launches: {
    votes: number;
    disputed: boolean;
    siteWide: boolean;
    maintenance: boolean;
    grace: boolean;
    armed: boolean;
    at: number;
    manual: boolean;
    id: string;
  }[] = [];
  let seen = 0;
  const look = () => {
    for (const request of show.requests().slice(seen)) {
      const assessment = world.assess(show.state.provedAfter);
      launches.push({
        votes: new Set(assessment.votes.map((vote) => vote.voter)).size,
        disputed: assessment.disputed,
        siteWide: assessment.siteWide,
        maintenance: show.state.maintenance !== null && world.now.mono < show.state.maintenance.until,
        grace: show.state.graceUntil !== null,
        armed: world.host().armed === true,
        at: world.now.mono,
        manual: request.manual,
        id: request.id,
      });
    }
    seen = show.requests().length;
  };
  let asks = 0;
  for (const one of moves) {
    if (one.kind === "run")
      for (let s = 0; s < one.seconds; s++, look())
        show.run(1, { resolver: one.resolver, proxy: one.proxy }, one.facts, 1, one.from);
    else if (one.kind === "dead")
      for (let s = 0; s < one.seconds; s++, look()) show.run(1, { resolver: dead, proxy: dead }, one.facts, 1);
    else if (one.kind === "calm") for (let s = 0; s < one.seconds; s++, look()) show.run(1);
    else if (one.kind === "word" && show.state.flight !== null) show.report({ state: one.state });
    else if (one.kind === "ask") show.ask({ force: one.force, override: one.override, id: `ask-${asks++}` });
    else if (one.kind === "pause") show.input({ kind: "paused", forMillis: one.seconds * 1_000, reason: null });
    else if (one.kind === "restart") show.input({ kind: "started", hub: "hub1" });
    look();
  }
  return { show, launches };
}

const stories = fc.array(move, { minLength: 1, maxLength: 14 });
const runs = { numRuns: 60 };

test("no automatic remedy without a quorum, in a dispute, in maintenance, in grace, or at an unarmed host (I7, I11)", () => {
  let launched = 0;
  fc.assert(
    fc.property(stories, (moves) => {
      for (const launch of perform(moves).launches.filter((one) => !one.manual)) {
        launched += 1;
        assert.ok(launch.votes >= 2, "quorum");
        assert.ok(!launch.disputed && !launch.siteWide && !launch.maintenance && !launch.grace && launch.armed);
      }
    }),
    runs,
  );
  assert.ok(launched > 0, "the stories must reach a remedy, or the law says nothing");
});

test("no more remedies than the budget in any hour, across restarts (I1)", () => {
  fc.assert(
    fc.property(stories, (moves) => {
      const { show, launches } = perform(moves);
      const refused = new Set(show.refused);
      const automatic = launches.filter((one) => !one.manual && !refused.has(one.id));
      for (const one of automatic)
        assert.ok(automatic.filter((other) => other.at <= one.at && other.at > one.at - 3_600_000).length <= 3);
    }),
    runs,
  );
});

test("in observe mode nothing is ever requested but by a person (I11)", () => {
  fc.assert(
    fc.property(stories, (moves) => {
      assert.deepEqual(
        perform(moves, "observe").launches.filter((one) => !one.manual),
        [],
      );
    }),
    runs,
  );
});

test("each step at most once per incident and in the ladder's order, and never two in flight (I2, I13)", () => {
  let longest = 0;
  fc.assert(
    fc.property(stories, (moves) => {
      const { show } = perform(moves);
      const tried = (show.state.incident?.steps ?? [])
        .filter((step) => !step.manual && step.outcome !== "refused")
        .map((step) => STEPS.indexOf(step.step));
      assert.deepEqual(
        tried,
        [...new Set(tried)].sort((a, b) => a - b),
      );
      longest = Math.max(longest, tried.length, ...show.climbs);
      const pending = (show.state.incident?.steps ?? []).filter((step) => step.outcome === "pending");
      assert.ok(pending.length <= 1);
    }),
    runs,
  );
  assert.ok(longest >= 2, "the stories must climb the ladder, or the law says nothing");
});

test("the same story gives the same decisions (I29), and the state is plain JSON", () => {
  fc.assert(
    fc.property(stories, (moves) => {
      const [one, two] = [perform(moves).show, perform(moves).show];
      assert.deepEqual(one.effects, two.effects);
      assert.deepEqual(JSON.parse(JSON.stringify(one.state)), one.state);
    }),
    { numRuns: 25 },
  );
});
