import assert from "node:assert/strict";
import { test } from "node:test";
import { costOf, sayCost } from "../../src/cli/edge-cost.ts";
import { resolveHouse } from "../../src/core/config/house.ts";
import { configSchema } from "../../src/core/config/schema.ts";
import { warningsOf } from "../../src/core/config/warnings.ts";
import { type EdgeSight, edgeFindings } from "../../src/core/doctor/edge.ts";
import type { SiteStatus } from "../../src/core/edge/port.ts";
import { EDGE, houseWithEdge } from "../support/edge.ts";

const SITE: SiteStatus = {
  site: "home",
  state: "ok",
  cause: null,
  summary: "All 2 addresses are fine.",
  since: "2026-11-24T09:00:00.000Z",
  last_seen: "2026-11-24T10:00:00.000Z",
  dark_at: "2026-11-24T10:03:00.000Z",
  silence_ms: 180_000,
  every_ms: 30_000,
  house: null,
  outside: [],
  heals: [],
  events: [],
  deliveries: [],
  receivers: [{ kind: "ntfy", disabled: null }],
};
const SIGHT: EdgeSight = {
  origin: "https://edge.example",
  state: "key_good",
  detail: null,
  skew: 0,
  every: 30_000,
  silence: 180_000,
  known: { status: 200, site: SITE },
};
const said = (extra: Partial<EdgeSight>, isHub: boolean | null = null) =>
  edgeFindings({ ...SIGHT, ...extra }, isHub).filter((finding) => finding.state !== "good");

test("an edge that is fine is good in every finding", () => {
  assert.deepEqual(said({}), []);
});

for (const [what, extra, state, text] of [
  ["a clock that is 40 s off", { skew: 40_000 }, "warning", /40 s ahead of this machine's: a request to heal/],
  ["a clock that is 10 min behind", { skew: -600_000 }, "bad", /10 min behind .* refused beyond 5 min/],
  ["a key that is refused", { state: "key_refused" }, "bad", /refuses this house's key/],
  ["a key that is not here", { state: "no_key" }, "unknown", /not on this machine/],
  ["no edge at all", { state: "no_edge" }, "bad", /not an edge of hairpin/],
  ["no answer", { state: "unreachable" }, "bad", /does not answer/],
  ["a silence below the pace", { silence: 20_000 }, "bad", /dark all the time/],
  ["a silence of one and a half beats", { silence: 45_000 }, "warning", /one heartbeat that is lost/],
  ["no token at hand", { known: null }, "unknown", /no token of it/],
  ["a wrong token", { known: { status: 401, site: null } }, "warning", /answered 401/],
  ["a site that is dark", { known: { status: 200, site: { ...SITE, state: "dark" } } }, "bad", /for dark since/],
  ["no heartbeat yet", { known: { status: 200, site: { ...SITE, last_seen: null } } }, "bad", /No heartbeat/],
  ["nobody to tell", { known: { status: 200, site: { ...SITE, receivers: [] } } }, "warning", /nobody to tell/],
] as const) {
  test(`the doctor says of ${what} what it is`, () => {
    const findings = said(extra as Partial<EdgeSight>);
    assert.equal(findings.length, 1, JSON.stringify(findings));
    assert.equal(findings[0]!.state, state);
    assert.match(findings[0]!.text, text);
  });
}

test("that another machine than the hub does not reach the edge is no fault of the house", () => {
  assert.equal(said({ state: "unreachable" }, false)[0]?.state, "warning");
});

test("the sums of the free plan grow with the pace, and are said in sentences", () => {
  const pace = { every: 30_000, silence: 180_000, probes: true };
  // The table of docs/edge.md.
  assert.deepEqual(costOf(pace), { requests: 2_880, object_requests: 2_880 + 520 + 1_440, rows_written: 4_840 });
  assert.equal(costOf({ ...pace, probes: false }).rows_written, 3_400);
  assert.match(sayCost(pace), /The free plan carries 20 sites/);
});

const problems = (edge: object, extra: object = {}) =>
  resolveHouse(
    configSchema.parse({
      site: "home",
      vantages: { lan: { where: "lan", key_file: "lan" } },
      ...extra,
      edge: { ...EDGE, ...edge },
    }),
    () => null,
  ).problems.map(({ path, message }) => `${path.join(".")}: ${message}`);

test("an edge that could not work is an error of the configuration, with its place", () => {
  assert.deepEqual(problems({}), []);
  assert.match(problems({ silence: "10s" })[0]!, /^edge\.silence: shorter than `every`/);
  assert.match(
    problems({ heal_keys: [{ name: "a", key_file: "edge" }] })[0]!,
    /^edge\.heal_keys\.0\.key_file: the key of the edge/,
  );
  assert.match(problems({ heal_keys: [{ name: "a", key_file: "lan" }] })[0]!, /the key of vantage lan/);
  assert.match(
    problems({
      heal_keys: [
        { name: "a", key_file: "x" },
        { name: "a", key_file: "y" },
      ],
    })[0]!,
    /^edge\.heal_keys\.1\.name: a is there already/,
  );
  assert.match(problems({}, { vantages: { edge: { where: "lan", key_file: "lan" } } })[0]!, /^vantages\.edge: /);
  assert.match(
    problems({ url: "https://192.0.2.53" }, { targets: { dns: { address: "192.0.2.53" } } })[0]!,
    /^edge\.url: the guarded address of target dns/,
  );
});

test("what is allowed and probably not meant is a warning", () => {
  const warned = (edge: object) =>
    warningsOf(houseWithEdge({ edge: { ...EDGE, ...edge } }))
      .filter(({ path }) => path[0] === "edge")
      .map(({ path }) => path.join("."));
  assert.deepEqual(warned({ notify: [{ ntfy: { url: "https://ntfy.example/t" } }], url: "https://192.0.2.1" }), []);
  assert.deepEqual(warned({}), ["edge.notify", "edge.url"]);
  assert.ok(warned({ url: "http://192.0.2.1" }).includes("edge.url"));
  assert.ok(warned({ silence: "45s" }).includes("edge.silence"));
  assert.ok(warned({ every: "60s" }).includes("edge.every"));
});
