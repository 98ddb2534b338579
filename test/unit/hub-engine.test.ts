import assert from "node:assert/strict";
import { test } from "node:test";
import type { Attempt } from "../../src/core/delivery.ts";
import type { Message, Subscriber } from "../../src/engine/hub-ports.ts";
import { type SqlPort, StoreError } from "../../src/engine/store.ts";
import { openSqlite } from "../../src/runtime/node/store-sqlite.ts";
import { factsOf, fakeHost, handClock, harness, houseOf, round } from "../support/hub.ts";

function receiver(
  extra: Partial<Subscriber> = {},
  answer: (message: Message) => Promise<Attempt> = async () => ({ kind: "answered", status: 200, retryAfter: null }),
) {
  const got: Message[] = [];
  const subscriber: Subscriber = {
    name: "rec",
    events: null,
    confirms: false,
    deliver: async (message) => {
      got.push(message);
      return answer(message);
    },
    ...extra,
  };
  /** What was told, without the reasons for waiting: which gate is said when is the reducer's. */
  const kinds = () => got.map(({ event }) => event.data.event).filter((kind) => kind !== "held");
  return { got, subscriber, kinds };
}

type Made = ReturnType<typeof harness>;

async function rounds(made: Made, ok: boolean, count: number, from: number): Promise<number> {
  for (let seq = from; seq < from + count; seq++) {
    for (const vantage of ["lan", "vm"])
      assert.equal((await made.report(vantage, made.observation(vantage, seq, round(ok)))).status, 202);
    await made.hand.pass(1_000);
  }
  return from + count;
}

test("from three failed rounds to failing, the repair, its proof and recovered, each told in order", async () => {
  const out = receiver();
  const made = harness({ subscribers: [out.subscriber] });
  made.hub.start();
  let seq = await rounds(made, true, 5, 1);
  seq = await rounds(made, false, 25, seq);
  assert.equal(out.kinds()[0], "failing");
  assert.equal(made.host.asked.length, 1, "one step for the group");
  const request = made.host.asked[0]!;
  assert.equal(request.step, "announce");
  made.host.reports.set(request.id, { ...made.host.reports.get(request.id)!, state: "done", ms: 90 });
  await made.hand.pass(1_500);
  seq = await rounds(made, true, 6, seq);
  assert.deepEqual(out.kinds(), ["failing", "heal_started", "heal_succeeded", "recovered"]);
  const record = made.hub.heal(request.id)!;
  assert.equal(record.state, "verified");
  assert.deepEqual(record.verification, { lan: "good", vm: "good" });
  const explained = made.hub.explain(record.incident) as { timeline: unknown[]; ended_at: string };
  assert.ok(explained.timeline.length >= 3 && explained.ended_at !== null);
  assert.match(
    await (await made.app.request("/metrics", {}, {})).text(),
    /hairpin_heals_total\{step="announce",outcome="verified"\} 1/,
  );
});

test("a hub that comes back adopts the repair under way by its id and starts no second one", async () => {
  const sql = openSqlite(":memory:");
  const hand = handClock();
  const host = fakeHost();
  const first = harness({ sql, hand, host });
  first.hub.start();
  let seq = await rounds(first, true, 5, 1);
  seq = await rounds(first, false, 25, seq);
  assert.equal(host.asked.length, 1);
  first.hub.stop();
  const second = harness({ sql, hand, host });
  second.hub.start();
  await hand.pass(2_000);
  const explained = second.hub.explain(null) as { groups: { flight: { request: { id: string } } | null }[] };
  assert.equal(explained.groups[0]?.flight?.request.id, host.asked[0]!.id);
  host.reports.set(host.asked[0]!.id, { ...host.reports.get(host.asked[0]!.id)!, state: "done", ms: 5 });
  await hand.pass(1_500);
  await rounds(second, true, 6, seq);
  assert.equal(host.asked.length, 1);
  assert.equal(second.hub.heal(host.asked[0]!.id)?.state, "verified");
  const epochs = sql
    .all("SELECT state FROM groups")
    .map((row) => (JSON.parse(String(row["state"])) as { epoch: number }).epoch);
  assert.deepEqual(epochs, [2]);
});

test("ledger time goes on where it stopped, whatever the wall clock does and however long the machine is off", async () => {
  const sql = openSqlite(":memory:");
  const stored = () => Number(sql.all("SELECT value FROM meta WHERE key = 'ledger'")[0]?.["value"]);
  const hand = handClock();
  const first = harness({ sql, hand });
  first.hub.start();
  await hand.pass(30_000);
  hand.leap(3_600_000);
  await hand.pass(10_000);
  first.hub.stop();
  assert.ok(stored() >= 39_000 && stored() <= 41_000, String(stored()));
  const later = handClock();
  await later.pass(500_000); // Another boot: the monotonic clock has started anew and says nothing of the time between.
  const second = harness({ sql, hand: later });
  second.hub.start();
  await later.pass(10_000);
  second.hub.stop();
  assert.ok(stored() >= 49_000 && stored() <= 52_000, String(stored()));
});

test("a subscriber that hangs delays neither another subscriber nor the votes", async () => {
  const slow = receiver({ name: "slow" }, () => new Promise(() => {}));
  const fast = receiver({ name: "fast" });
  const made = harness({ subscribers: [slow.subscriber, fast.subscriber] });
  made.hub.start();
  const seq = await rounds(made, true, 5, 1);
  await rounds(made, false, 6, seq);
  assert.deepEqual(fast.kinds(), ["failing"]);
  assert.equal(slow.got.length, 1, "one at a time");
  await made.hand.pass(11_000);
  const row = made.hub.deliveries(false).deliveries.find((one) => one.subscriber === "slow" && one.kind === "failing")!;
  assert.equal(row.last_error, "no answer in 10 s");
  assert.equal(row.state, "queued");
});

test("a subscriber that is down gets everything later, in order, each event under its own id", async () => {
  let up = false;
  const out = receiver({}, async () =>
    up ? { kind: "answered", status: 204, retryAfter: null } : { kind: "failed", detail: "ECONNREFUSED" },
  );
  const made = harness({ subscribers: [out.subscriber], house: houseOf({ heal: { mode: "observe" } }) });
  made.hub.start();
  let seq = await rounds(made, true, 5, 1);
  seq = await rounds(made, false, 6, seq);
  seq = await rounds(made, true, 6, seq);
  up = true;
  const before = out.got.length;
  await made.hand.pass(900_000);
  const arrived = out.got.slice(before);
  const kinds = arrived.map(({ event }) => event.data.event).filter((kind) => kind !== "held");
  assert.deepEqual(kinds.slice(0, 2), ["failing", "recovered"]);
  assert.equal(new Set(arrived.map(({ id }) => id)).size, arrived.length);
  assert.equal(arrived[0]!.id, out.got[0]!.id, "a retry keeps its id");
});

test("Home Assistant gets failing again until an acknowledgement confirms it", async () => {
  const out = receiver({ name: "ha", confirms: true });
  const made = harness({ subscribers: [out.subscriber], house: houseOf({ heal: { mode: "observe" } }) });
  made.hub.start();
  let seq = await rounds(made, true, 5, 1);
  seq = await rounds(made, false, 6, seq);
  const id = out.got[0]!.id;
  assert.equal(made.hub.delivery(id)?.state, "accepted");
  for (let minute = 0; minute < 3; minute++) seq = await rounds(made, false, 62, seq);
  const sent = out.got.filter((message) => message.id === id).length;
  assert.ok(sent >= 3 && sent <= 5, String(sent));
  assert.equal(made.hub.delivery(id)?.state, "unconfirmed");
  const ack = await made.post("/v1/acks", JSON.stringify({ delivery_id: id }), {
    "content-type": "application/json",
    authorization: "Bearer a-token-of-the-operator",
  });
  assert.equal(ack.status, 200);
  assert.equal(made.hub.delivery(id)?.state, "confirmed");
  await rounds(made, false, 62, seq);
  assert.equal(out.got.filter((message) => message.id === id).length, sent, "confirmed is enough");
});

test("reports that Home Assistant answers and drops while it starts come again, in order, each once", async () => {
  let isStarting = false;
  const shown: string[] = [];
  const out = receiver({ name: "ha", confirms: true }, async ({ id, event }) => {
    if (!isStarting) {
      shown.push(event.data.event);
      queueMicrotask(() => made.hub.acknowledge(id));
    }
    return { kind: "answered", status: 200, retryAfter: null };
  });
  const made = harness({ subscribers: [out.subscriber], house: houseOf({ heal: { mode: "observe" } }) });
  made.hub.start();
  let seq = await rounds(made, true, 5, 1);
  seq = await rounds(made, false, 6, seq);
  assert.deepEqual(shown, ["failing"], "it confirms what it gets");
  isStarting = true;
  seq = await rounds(made, true, 6, seq);
  seq = await rounds(made, false, 6, seq);
  assert.deepEqual(shown, ["failing"]);
  isStarting = false;
  await made.hand.pass(40_000);
  assert.deepEqual(shown, ["failing", "recovered", "failing"]);
  assert.deepEqual(
    made.hub.deliveries(false).subscribers.map(({ proven }) => proven),
    [true],
  );
});

test("after a start of Home Assistant an alert that was confirmed is told again, once for all ways of saying so", async () => {
  const out = receiver({ name: "ha", confirms: true }, async ({ id }) => {
    queueMicrotask(() => made.hub.acknowledge(id));
    return { kind: "answered", status: 200, retryAfter: null };
  });
  const made = harness({ subscribers: [out.subscriber], house: houseOf({ heal: { mode: "observe" } }) });
  made.hub.start();
  const seq = await rounds(made, true, 5, 1);
  await rounds(made, false, 6, seq);
  assert.deepEqual(out.kinds(), ["failing"]);
  const born = async () => {
    const answer = await made.post("/v1/births", "{}", {
      "content-type": "application/json",
      authorization: "Bearer a-token-of-the-operator",
    });
    await made.hand.pass(100);
    return answer.status;
  };
  assert.deepEqual([await born(), await born()], [202, 202]);
  assert.deepEqual(out.kinds(), ["failing", "failing"]);
  await made.hand.pass(60_000);
  await born();
  assert.deepEqual(out.kinds(), ["failing", "failing", "failing"]);
});

test("a state is never told without being saved: when the transaction fails nothing has happened", async () => {
  const real = openSqlite(":memory:");
  let full = false;
  const sql: SqlPort = {
    ...real,
    transaction: (work) => {
      if (full) throw new StoreError("full");
      return real.transaction(work);
    },
  };
  const out = receiver();
  const made = harness({ subscribers: [out.subscriber], sql });
  made.hub.start();
  let seq = await rounds(made, true, 5, 1);
  seq = await rounds(made, false, 2, seq);
  full = true;
  for (const vantage of ["lan", "vm"])
    assert.equal((await made.report(vantage, made.observation(vantage, seq, round(false)))).status, 503);
  await made.hand.pass(3_000);
  assert.deepEqual(out.kinds(), []);
  full = false;
  await rounds(made, false, 3, seq);
  assert.deepEqual(out.kinds(), ["failing"]);
  const seqs = made.hub.events(-1, 10).map((event) => event.seq);
  assert.equal(seqs[0], 1, "no number was used up");
});

test("what the guard did is told once, also across a restart of the hub", async () => {
  const sql = openSqlite(":memory:");
  const guard_log = [
    {
      id: "g1",
      link: "metallb0",
      cause: "link_missing" as const,
      step: "ensure-link" as const,
      outcome: "done" as const,
      ms: 5,
      at: "2026-11-24T10:00:00Z",
      detail: null,
    },
  ];
  const host = fakeHost(factsOf({ guard_log }));
  for (const _ of [1, 2]) {
    const made = harness({ sql, host });
    made.hub.start();
    await made.hand.pass(3_000);
    made.hub.stop();
    assert.deepEqual(
      made.hub.events(-1, 10).map((event) => event.data.event),
      ["guard_repaired"],
    );
  }
});

test("with nothing failing nothing happens: no event, no repair, no delivery in twenty minutes", async () => {
  const out = receiver();
  const made = harness({ subscribers: [out.subscriber] });
  made.hub.start();
  let seq = 1;
  for (let turn = 0; turn < 120; turn++) {
    for (const vantage of ["lan", "vm"]) await made.report(vantage, made.observation(vantage, seq, round(true)));
    seq++;
    await made.hand.pass(10_000);
  }
  assert.deepEqual([out.got.length, made.host.asked.length, made.hub.events(-1, 10).length], [0, 0, 0]);
  assert.equal((made.hub.status() as { state: string }).state, "ok");
});
