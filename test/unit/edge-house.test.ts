import assert from "node:assert/strict";
import { test } from "node:test";
import { exitOf } from "../../src/cli/status.ts";
import { EDGE_BODY_MAX, heartbeat } from "../../src/core/edge/wire.ts";
import { verify } from "../../src/core/standard-webhooks.ts";
import type { Status } from "../../src/core/status.ts";
import { heartbeatText } from "../../src/engine/hub-edge-mirror.ts";
import type { Message, Subscriber } from "../../src/engine/hub-ports.ts";
import { hmac } from "../../src/runtime/node/hmac.ts";
import { openSqlite } from "../../src/runtime/node/store-sqlite.ts";
import { edgeThat, envelope, honest, houseWithEdge, seenOutside } from "../support/edge.ts";
import { handClock, harness, round, secret } from "../support/hub.ts";

const house = houseWithEdge();

/** A house that is fine inside, with the edge of the test. */
async function standing(edge: ReturnType<typeof edgeThat>, extra: Parameters<typeof harness>[0] = {}) {
  const hand = extra.hand ?? handClock();
  const made = harness({ house, edge: edge.port, hand, ...extra });
  made.hub.start();
  let seq = 0;
  const rounds = async (ok: boolean, count: number) => {
    for (let turn = 0; turn < count; turn++) {
      seq += 1;
      for (const vantage of ["lan", "vm"])
        await made.report(vantage, made.observation(vantage, seq, round(ok)), { id: `${vantage}-${seq}` });
      await hand.pass(1_000);
    }
  };
  await rounds(true, 5);
  /** So many seconds in which the house goes on reporting. */
  return { ...made, hand, rounds };
}

test("a heartbeat is signed with the site's key, grows, and mirrors the status", async () => {
  const hand = handClock();
  const edge = edgeThat(() => honest({}, hand.clock.wall()));
  const { rounds, hub } = await standing(edge, { hand });
  await rounds(true, 65);
  assert.ok(edge.beats.length >= 3, `${edge.beats.length} heartbeats in 70 s`);
  const seqs: number[] = [];
  for (const { headers, body } of edge.beats) {
    const parsed = heartbeat.parse(JSON.parse(body));
    seqs.push(parsed.seq);
    const seconds = Number(headers["webhook-timestamp"]);
    const get = (name: string) => (headers as unknown as Record<string, string>)[name];
    assert.equal((await verify([secret("edge")], { get }, body, seconds, hmac)).ok, true);
  }
  assert.deepEqual(
    seqs,
    seqs.map((_, index) => index + 1),
  );
  const last = heartbeat.parse(edge.last());
  assert.equal(last.status.state, "ok");
  assert.equal(last.status.targets["dns"]?.vantages["lan"]?.state, "ok");
  assert.deepEqual(
    last.checks.map((check) => check.id),
    ["https:auth.example.com"],
  );
  assert.equal(hub.status().edge?.state, "ok");
  assert.equal(hub.status().vantages["edge"]?.where, "edge");
});

test("news goes out before its turn, and at most every five seconds", async () => {
  const hand = handClock();
  const edge = edgeThat(() => honest({}, hand.clock.wall()));
  const { rounds } = await standing(edge, { hand });
  await rounds(true, 31);
  const before = edge.beats.length;
  await rounds(false, 8);
  assert.equal(heartbeat.parse(edge.last()).status.state, "failing");
  assert.ok(edge.beats.length - before <= 2, `${edge.beats.length - before} heartbeats in 8 s`);
});

for (const [what, answer, state, detail] of [
  ["is down", new Error("ECONNREFUSED: connect ECONNREFUSED"), "unreachable", /ECONNREFUSED/],
  ["never answers", "never", "unreachable", /no answer in 10 s/],
  ["redirects", { status: 302, body: "", date: null }, "refused", /redirect is not followed/],
  ["knows no such site", { status: 404, body: "", date: null }, "refused", /edge add-site/],
  ["fails", { status: 503, body: "", date: null }, "unreachable", /503/],
  ["answers too much", { status: 200, body: null, date: null }, "invalid", /more than it may/],
  ["answers nonsense", { status: 200, body: "<html>", date: null }, "invalid", /not an edge/],
  ["answers for another site", honest({ site: "elsewhere" }), "invalid", /another site/],
  [
    "answers a thousand observations",
    honest({ observations: Array(1_000).fill(seenOutside(0)) }),
    "invalid",
    /not an edge/,
  ],
  ["refuses the key", { status: 401, body: "", date: null }, "refused", /add-site gives it this house's key/],
  [
    "has a clock of its own",
    { status: 401, body: "", date: "Tue, 24 Nov 2026 11:00:00 GMT" },
    "refused",
    /its clock is 3\d{3} s ahead of this one/,
  ],
] as const) {
  test(`an edge that ${what} is told in the status, and delays nothing`, async () => {
    const edge = edgeThat(() => answer);
    const { rounds, hub, host } = await standing(edge);
    await rounds(true, 10);
    const known = hub.status();
    assert.equal(known.state, "ok");
    assert.equal(known.edge?.state, state);
    assert.match(known.edge?.detail ?? "", detail);
    assert.equal(known.vantages["edge"]?.state, "silent");
    await rounds(false, 25);
    assert.equal(host.asked.length, 1, "the repair starts as if there were no edge");
    await hub.stop();
  });
}

test("inside fine, outside not: told once with its cause, and once when it is good again; nothing is repaired", async () => {
  const hand = handClock();
  const got: Message[] = [];
  const subscriber: Subscriber = {
    name: "rec",
    events: null,
    confirms: false,
    deliver: async (message) => {
      got.push(message);
      return { kind: "answered", status: 200, retryAfter: null };
    },
  };
  let ok = false;
  const edge = edgeThat(() => {
    const now = hand.clock.wall();
    const failed = { ok, failure: ok ? null : ("no_reply" as const), detail: ok ? null : "no\u001b[2J answer" };
    return honest({ observations: [seenOutside(now, failed)] }, now);
  });
  const { rounds, hub, host, app } = await standing(edge, { hand, subscribers: [subscriber] });
  await rounds(true, 95);
  const known = hub.status();
  assert.deepEqual([known.state, known.cause], ["ok", "outside_path"]);
  assert.equal(exitOf(known), 1, "not well, for a script that asks by the exit code");
  assert.match(known.summary, /Inside all is fine. From outside auth.example.com fails: the tunnel/);
  assert.deepEqual(known.edge?.checks["https:auth.example.com"]?.detail, "no\\u001b[2J answer");
  assert.equal(known.groups["metallb0"]?.cause, null, "no group has it");
  const page = await (await app.request("/", { headers: { host: "127.0.0.1:8787" } }, {})).text();
  assert.match(page, /https:auth.example.com/);
  const metrics = await (await app.request("/metrics", { headers: { host: "127.0.0.1:8787" } }, {})).text();
  assert.match(
    metrics,
    /hairpin_edge_probe_success\{vantage="edge",target="outside",check="https:auth.example.com"\} 0/,
  );
  assert.match(metrics, /hairpin_outside_path_broken 1/);
  ok = true;
  await rounds(true, 65);
  const told = got.map(({ event }) => [event.data.event, event.data.target, event.data.cause, event.data.incident]);
  assert.deepEqual(told, [
    ["failing", "outside", "outside_path", "out-1"],
    ["recovered", "outside", "outside_path", "out-1"],
  ]);
  assert.equal(got[0]!.event.data.can_heal, false);
  const explained = hub.explain("out-1") as {
    ended_at: string | null;
    evidence: string[];
    timeline: { phase: string }[];
  };
  assert.match(explained.evidence[0]!, /^edge: https:auth.example.com no_reply/);
  assert.deepEqual(
    explained.timeline.map((entry) => entry.phase),
    ["failing", "recovered"],
  );
  ok = false;
  await rounds(true, 130);
  assert.equal(got.length, 2, "an edge that lies in turns is not told again so soon");
  assert.equal(host.asked.length, 0);
});

test("what fails from outside is silent while something inside explains it", async () => {
  const hand = handClock();
  const edge = edgeThat(() =>
    honest({ observations: [seenOutside(hand.clock.wall(), { ok: false, failure: "no_reply" })] }, hand.clock.wall()),
  );
  const { rounds, hub } = await standing(edge, { hand });
  await rounds(false, 120);
  const known = hub.status();
  assert.equal(known.edge?.checks["https:auth.example.com"]?.state, "failed");
  assert.equal(known.edge?.cause, null);
  assert.equal(known.cause, "not_announced");
});

test("a heal from outside goes the road of POST /heal, once, and its outcome is in the next heartbeats", async () => {
  const hand = handClock();
  let waiting: Awaited<ReturnType<typeof envelope>>[] = [];
  const edge = edgeThat(() => honest({ heals: waiting }, hand.clock.wall()));
  const { rounds, host, hub, report, observation } = await standing(edge, { hand });
  void report;
  void observation;
  waiting = [await envelope("ask-1", hand.clock.wall(), { step: "announce", force: true, reason: "I am away" })];
  await rounds(true, 31);
  assert.deepEqual(
    host.asked.map((request) => request.step),
    ["announce"],
  );
  const id = host.asked[0]!.id;
  assert.equal(hub.heal(id)?.by, "alice (from outside)");
  await rounds(true, 3);
  const results = () => heartbeat.parse(edge.last()).heal_results;
  assert.deepEqual(
    results().map((result) => [result.id, result.status]),
    [["ask-1", 202]],
  );
  host.reports.set(id, { ...host.reports.get(id)!, state: "done", ms: 12 });
  await rounds(true, 8);
  assert.deepEqual(
    results().map((result) => [result.id, result.status, result.state]),
    [["ask-1", 200, "verified"]],
  );
  await rounds(true, 40);
  assert.equal(host.asked.length, 1, "the edge repeats it, and nothing runs again");
});

test("a hub that starts anew still knows which requests were answered", async () => {
  const hand = handClock();
  const sql = openSqlite(":memory:");
  const waiting = [await envelope("ask-1", hand.clock.wall(), { step: "announce", force: true })];
  const first = edgeThat(() => honest({ heals: waiting }, hand.clock.wall()));
  const before = await standing(first, { hand, sql });
  await before.rounds(true, 3);
  assert.equal(before.host.asked.length, 1);
  await before.hub.stop();
  const second = edgeThat(() => honest({ heals: waiting }, hand.clock.wall()));
  const after = harness({ house, edge: second.port, hand, sql, host: before.host });
  after.hub.start();
  await hand.pass(35_000);
  assert.equal(before.host.asked.length, 1);
  assert.equal(heartbeat.parse(second.last()).heal_results[0]?.id, "ask-1");
});

test("a hub that starts anew does not take an edge that says nothing for a recovery", async () => {
  const hand = handClock();
  const sql = openSqlite(":memory:");
  const failing = edgeThat(() => {
    const now = hand.clock.wall();
    return honest({ observations: [seenOutside(now, { ok: false, failure: "no_reply" })] }, now);
  });
  const before = await standing(failing, { hand, sql });
  await before.rounds(true, 95);
  assert.equal(before.hub.status().cause, "outside_path");
  await before.hub.stop();
  const gone = edgeThat(() => new Error("ECONNREFUSED"));
  const after = harness({ house, edge: gone.port, hand, sql });
  after.hub.start();
  await hand.pass(65_000);
  const told = after.hub.events(-1, 20).map((event) => event.data.event);
  assert.deepEqual(
    told.filter((kind) => kind === "failing" || kind === "recovered"),
    ["failing"],
  );
});

test("a heartbeat of the largest house still fits, with its worst targets", async () => {
  const { hub } = await standing(edgeThat(() => honest()));
  const calm = hub.status() as Status;
  const [target] = Object.values(calm.targets);
  const [seen] = Object.values(target!.vantages);
  const vantages = Object.fromEntries(
    Array.from({ length: 32 }, (_, index) => [`vantage-${index}-${"v".repeat(40)}`, seen!]),
  );
  const targets = Object.fromEntries(
    Array.from({ length: 200 }, (_, index) => [
      `target-${index}-${"t".repeat(40)}`,
      { ...target!, vantages, state: index === 199 ? ("failing" as const) : ("ok" as const) },
    ]),
  );
  const text = heartbeatText({
    site: "home",
    boot_id: "b1",
    seq: 1,
    sent_at: new Date().toISOString(),
    silence: 180_000,
    every: 30_000,
    status: { ...calm, targets, summary: "ü".repeat(5_000) },
    checks: [],
    results: [],
  });
  assert.ok(Buffer.byteLength(text) <= EDGE_BODY_MAX, `${Buffer.byteLength(text)} bytes`);
  const parsed = heartbeat.parse(JSON.parse(text));
  assert.ok(Object.keys(parsed.status.targets).some((name) => name.startsWith("target-199-")));
});

test("the exit code of status: 0 well, 1 not, 3 unknown; a failover and a silent vantage break nothing", () => {
  const table = [
    ["ok", null, 0],
    ["ok", "announced_elsewhere", 0],
    ["ok", "vantage_silent", 0],
    ["ok", "outside_path", 1],
    ["unknown", "vantage_silent", 3],
    ["suspect", null, 1],
    ["failing", "not_announced", 1],
    ["degraded", "not_announced", 1],
    ["healing", "link_missing", 1],
    ["maintenance", null, 1],
  ] as const;
  for (const [state, cause, code] of table) assert.equal(exitOf({ state, cause }), code, `${state} ${cause}`);
});
