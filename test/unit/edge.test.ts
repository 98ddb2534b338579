import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type FleetRow, fleetList, sweepFrom } from "../../src/core/edge/fleet.ts";
import { darkAt, heard, LATE_TICK, newSite, type SiteState, tick, wakeAt } from "../../src/core/edge/site.ts";
import { type Heartbeat, heartbeat, siteSettings } from "../../src/core/edge/wire.ts";
import { failureOf } from "../../src/probes/classify.ts";
import { faultBehindCloudflare } from "../../src/probes/cloudflare.ts";

const SETTINGS = siteSettings.parse({
  keys: [`whsec_${"A".repeat(43)}=`],
  notify: [{ kind: "webhook", url: "https://example.com/hook" }],
  silence_ms: 60_000,
});
const T0 = Date.UTC(2026, 10, 24, 10);

function beat(seq: number, more: Partial<Heartbeat> = {}): Heartbeat {
  return heartbeat.parse({
    type: "hairpin.heartbeat.v1",
    aud: "edge",
    site: "home",
    boot_id: "boot-1",
    seq,
    sent_at: new Date(T0).toISOString(),
    silence_ms: 60_000,
    every_ms: 10_000,
    status: {
      state: "ok",
      cause: null,
      summary: "All is well.",
      since: null,
      targets: {},
      heal: { mode: "auto", state: "ok", breaker: "closed" },
    },
    checks: [],
    heal_results: [],
    ...more,
  });
}

function hear(state: SiteState, seq: number, now: number): SiteState {
  const taken = heard(state, beat(seq), { webhook_id: `id-${seq}`, digest: `d-${seq}`, origin: "https://edge" }, now);
  assert.equal(taken.kind, "accepted");
  return taken.kind === "accepted" ? taken.state : state;
}

const told = (state: SiteState): readonly string[] => state.events.map(({ data }) => data.event);

test("whatever comes when, dark and back take turns, and each silence is told exactly once", () => {
  const step = fc.record({ after: fc.integer({ min: 0, max: 100_000 }), beat: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      let state = newSite("home", SETTINGS, T0);
      let now = T0;
      let seq = 0;
      for (const one of steps) {
        now += one.after;
        const before = state;
        state = one.beat ? hear(state, ++seq, now) : tick(state, now);
        if (!one.beat) assert.equal(tick(state, now), state, "a second tick at the same time changes nothing");
        const isNew = state.events.length > before.events.length || state.next_seq > before.next_seq;
        if (isNew && !one.beat) assert.equal(now >= darkAt(before), true, "never told before the silence is over");
        assert.equal(state.next_seq - before.next_seq <= 1, true);
      }
      const kinds = told(state);
      kinds.forEach((kind, index) => {
        if (index > 0) assert.notEqual(kind, kinds[index - 1]);
      });
    }),
    { numRuns: 400 },
  );
});

test("ticks that come in time call a silent site dark at its deadline, and not a millisecond before", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: LATE_TICK }), (late) => {
      const state = hear(newSite("home", SETTINGS, T0), 1, T0 + 5_000);
      const deadline = darkAt(state);
      assert.equal(deadline, T0 + 65_000);
      assert.equal(tick(state, deadline - 1).phase, "alive");
      assert.equal(tick(state, deadline + late).phase, "dark");
      assert.equal(wakeAt(state), deadline);
    }),
  );
});

test("a tick that comes far too late gives one more silence, once", () => {
  const state = hear(newSite("home", SETTINGS, T0), 1, T0);
  const late = darkAt(state) + LATE_TICK + 1;
  const resumed = tick(state, late);
  assert.equal(resumed.phase, "alive");
  assert.equal(darkAt(resumed), late + 60_000);
  assert.equal(tick(resumed, late + 60_000 + 10 * LATE_TICK).phase, "dark");
});

test("the state of one site stays small, whatever happens to it", () => {
  let state = newSite("home", SETTINGS, T0);
  let now = T0;
  for (let round = 1; round <= 300; round++) {
    now += 1_000;
    state = hear(state, round, now);
    now += 61_000;
    state = tick(state, now);
  }
  assert.equal(JSON.stringify(state).length < 64 * 1_024, true, `${JSON.stringify(state).length} bytes`);
});

test("sites are swept in turn, and none is left out", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 500 }), fc.integer({ min: 1, max: 60 }), (total, limit) => {
      const seen = new Set<number>();
      const rounds = total * 2;
      for (let minute = 0; minute < rounds; minute++) {
        const from = sweepFrom(minute, limit, total);
        for (let at = from; at < Math.min(total, from + limit); at++) seen.add(at);
      }
      assert.equal(seen.size, total);
    }),
    { numRuns: 50 },
  );
});

test("the list is in the same order whatever order the rows come in", () => {
  const row = fc.record({
    site: fc.stringMatching(/^[a-z]{1,6}$/),
    state: fc.constantFrom("ok", "dark", "failing", "waiting", "what-a-newer-hub-says"),
    cause: fc.constant(null),
    summary: fc.constant("x"),
    since: fc.constantFrom("2026-11-24T10:00:00.000Z", "2026-11-24T11:00:00.000Z"),
  });
  fc.assert(
    fc.property(fc.uniqueArray(row, { selector: ({ site }) => site, maxLength: 30 }), (rows: readonly FleetRow[]) => {
      const one = fleetList(rows, "", 1_000).sites;
      assert.deepEqual(fleetList([...rows].reverse(), "", 1_000).sites, one);
      const firstCalm = one.findIndex(({ state }) => state === "ok");
      if (firstCalm >= 0) for (const { state } of one.slice(firstCalm)) assert.equal(state, "ok");
    }),
  );
});

test("what Cloudflare says instead of the house has the word of what became of the way", () => {
  const words = [521, 522, 523, 524, 525, 526, 530].map((status) =>
    failureOf(faultBehindCloudflare(status, "cloudflare")!, null),
  );
  assert.deepEqual(words, [
    "refused",
    "no_reply",
    "unreachable",
    "http_timeout",
    "tls_handshake",
    "tls_handshake",
    "unreachable",
  ]);
  assert.equal(faultBehindCloudflare(522, "nginx"), null);
  assert.equal(faultBehindCloudflare(502, "cloudflare"), null);
});
