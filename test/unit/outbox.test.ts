import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Attempt, Delivery, SubscriberState } from "../../src/core/delivery.ts";
import { DAY, HOUR } from "../../src/core/units.ts";
import {
  beforeTry,
  broughtForward,
  CONFIRM_IN,
  deliveryId,
  GIVE_UP,
  nextDue,
  PAUSES,
  pauseAfter,
  REPEATS_MAX,
  replayed,
  SPREAD,
  settle,
} from "../../src/engine/outbox.ts";

const row = (extra: Partial<Delivery> = {}): Delivery => ({
  id: "ev-1_x",
  subscriber: "x",
  event_id: "ev-1",
  event_seq: 1,
  group: "g",
  kind: "failing",
  target: "dns",
  state: "queued",
  tries: 0,
  repeats: 0,
  queued_mono: 0,
  due_mono: 0,
  created_at: "",
  done_at: null,
  last_status: null,
  last_error: null,
  ...extra,
});
const known: SubscriberState = { name: "x", disabled: null, not_found: 0 };
const plain = { confirms: false };
const answered = (status: number, retryAfter: number | null = null): Attempt => ({
  kind: "answered",
  status,
  retryAfter,
});
const attempt = fc.oneof(
  fc.record({
    kind: fc.constant("answered" as const),
    status: fc.constantFrom(200, 204, 301, 302, 400, 404, 410, 429, 500, 503),
    retryAfter: fc.option(fc.integer({ min: 0, max: 10 * HOUR })),
  }),
  fc.record({ kind: fc.constant("failed" as const), detail: fc.string() }),
);

test("a pause lies within a fifth of its step, unless Retry-After asks for more, at most an hour", () => {
  fc.assert(
    fc.property(
      fc.nat(40),
      fc.option(fc.nat(5 * HOUR)),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (tries, retryAfter, chance) => {
        const pause = pauseAfter(tries, 0, retryAfter, chance)!;
        const base = PAUSES[tries] ?? HOUR;
        const asked = Math.min(HOUR, retryAfter ?? 0);
        assert.ok(pause >= Math.max(base * (1 - SPREAD), asked) - 1e-6);
        assert.ok(pause <= Math.max(base * (1 + SPREAD), asked) + 1e-6);
      },
    ),
  );
});

test("whatever a receiver answers, each event is delivered or dead within a day, and never silently gone", () => {
  fc.assert(
    fc.property(fc.infiniteStream(attempt), fc.double({ min: 0, max: 1, noNaN: true }), (attempts, chance) => {
      let delivery = row();
      let subscriber = known;
      let now = 0;
      for (let tries = 0; delivery.state === "queued"; tries++) {
        assert.ok(tries < 60, "tries are bounded");
        now = Math.max(now, delivery.due_mono);
        ({ delivery, subscriber } = settle(
          delivery,
          subscriber,
          attempts.next().value as Attempt,
          plain,
          now,
          "",
          chance,
        ));
        assert.equal(delivery.tries, tries + 1);
      }
      assert.ok(delivery.state === "delivered" || delivery.state === "dead");
      assert.ok(now <= GIVE_UP);
      if (delivery.state === "dead") assert.ok(delivery.last_error);
    }),
  );
});

test("a receiver that is down is tried at 0, 5 s, 30 s, 2, 10, 30 min, then hourly to 24 h", () => {
  let delivery = row();
  const times: number[] = [];
  while (delivery.state === "queued") {
    times.push(delivery.due_mono / 1_000);
    delivery = settle(
      delivery,
      known,
      { kind: "failed", detail: "ECONNREFUSED" },
      plain,
      delivery.due_mono,
      "",
      0.5,
    ).delivery;
  }
  assert.deepEqual(times.slice(0, 7), [0, 5, 35, 155, 755, 2_555, 6_155]);
  assert.ok(times.at(-1)! <= DAY / 1_000 && times.length > 24);
});

test("only 2xx is success, a redirect is not followed, 410 disables at once and 404 the third time", () => {
  assert.equal(settle(row(), known, answered(204), plain, 0, "", 0.5).delivery.state, "delivered");
  assert.equal(settle(row(), known, answered(301), plain, 0, "", 0.5).delivery.state, "queued");
  const gone = settle(row(), known, answered(410), plain, 0, "", 0.5);
  assert.equal(gone.delivery.state, "dead");
  assert.ok(gone.disabledNow && gone.subscriber.disabled !== null);
  let subscriber = known;
  for (const expected of [false, false, true]) {
    const settled = settle(row(), subscriber, answered(404), plain, 0, "", 0.5);
    assert.equal(settled.disabledNow, expected);
    subscriber = settled.subscriber;
  }
  const between = settle(row(), { ...known, not_found: 2 }, answered(500), plain, 0, "", 0.5);
  assert.equal(between.subscriber.not_found, 0, "three in a row are wanted");
});

test("within a group the oldest goes first, whatever is due, and another group does not wait for it", () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ seq: fc.nat(50), group: fc.constantFrom("a", "b", "c"), due: fc.nat(100) }), {
        maxLength: 20,
      }),
      fc.nat(100),
      (items, now) => {
        const rows = items.map((item, index) =>
          row({ id: String(index), event_seq: item.seq * 100 + index, group: item.group, due_mono: item.due }),
        );
        const { delivery, wait } = nextDue(rows, now);
        const heads = ["a", "b", "c"].flatMap(
          (group) => rows.filter((one) => one.group === group).sort((x, y) => x.event_seq - y.event_seq)[0] ?? [],
        );
        const due = heads.filter((head) => head.due_mono <= now);
        assert.equal(delivery !== null, due.length > 0);
        if (delivery !== null) assert.ok(due.includes(delivery));
        else if (heads.length > 0) assert.equal(wait, Math.min(...heads.map((head) => head.due_mono)) - now);
      },
    ),
  );
});

test("a 200 of Home Assistant is accepted, never confirmed, and failing is repeated while it fails", () => {
  const manner = { confirms: true };
  let { delivery } = settle(row(), known, answered(200), manner, 0, "t", 0.5);
  assert.equal(delivery.state, "accepted");
  for (let repeat = 1; repeat <= REPEATS_MAX; repeat++) {
    const prepared = beforeTry(delivery, manner, true, delivery.due_mono, "t");
    assert.ok(prepared.send);
    assert.equal(prepared.delivery.state, "unconfirmed", "visibly so");
    delivery = settle(prepared.delivery, known, answered(200), manner, delivery.due_mono, "t", 0.5).delivery;
    assert.equal(delivery.repeats, repeat);
  }
  assert.equal(beforeTry(delivery, manner, true, delivery.due_mono, "t").send, false, "bounded");
});

test("what a receiver that confirms has answered and not confirmed goes out again, holds its group, and ends as unconfirmed", () => {
  const manner = { confirms: true, proven: true };
  const first = settle(row({ kind: "heal_started" }), known, answered(200), manner, 0, "t", 0.5).delivery;
  const next = row({ id: "ev-2_x", event_seq: 2, kind: "recovered" });
  let delivery = first;
  let now = 0;
  for (const wait of CONFIRM_IN.slice(0, -1)) {
    assert.equal(delivery.state, "accepted");
    assert.deepEqual(nextDue([delivery, next], now), { delivery: null, wait });
    assert.deepEqual(nextDue([delivery, { ...next, group: "h" }], now).delivery?.id, "ev-2_x", "only its own");
    now += wait;
    const prepared = beforeTry(delivery, manner, false, now, "t");
    assert.ok(prepared.send);
    delivery = settle(prepared.delivery, known, answered(200), manner, now, "t", 0.5).delivery;
  }
  now += CONFIRM_IN.at(-1)!;
  const last = beforeTry(delivery, manner, false, now, "t");
  assert.deepEqual([last.send, last.delivery.state], [false, "unconfirmed"]);
  assert.equal(nextDue([last.delivery, next], now).delivery?.id, "ev-2_x", "and nothing waits any longer");
});

test("a test, and what a receiver gets that has never confirmed, is not sent again", () => {
  for (const [kind, proven] of [
    ["test", true],
    ["recovered", false],
  ] as const) {
    const manner = { confirms: true, proven };
    const { delivery } = settle(row({ kind }), known, answered(200), manner, 0, "t", 0.5);
    const later = beforeTry(delivery, manner, false, delivery.due_mono, "t");
    assert.deepEqual([later.send, later.delivery.state], [false, "unconfirmed"]);
    assert.equal(nextDue([delivery, row({ id: "b", event_seq: 2 })], 0).delivery?.id, "b", "it holds nothing");
  }
});

test("what was accepted before the receiver had ever confirmed is not sent again behind later news", () => {
  const early = settle(row({ kind: "heal_started" }), known, answered(200), { confirms: true }, 0, "t", 0.5).delivery;
  const now = { confirms: true, proven: true };
  assert.equal(beforeTry(early, now, false, early.due_mono, "t").send, false);
  assert.equal(broughtForward(early, false, true, 30_000), null);
  assert.equal(nextDue([early, row({ id: "b", event_seq: 2 })], 0).delivery?.id, "b");
});

test("at Home Assistant's birth what it answered while it started goes out at once, and what it is just taking does not", () => {
  const manner = { confirms: true, proven: true };
  const { delivery } = settle(row({ kind: "recovered" }), known, answered(200), manner, 1_000, "t", 0.5);
  assert.equal(broughtForward(delivery, false, true, 2_000), null);
  assert.equal(broughtForward(delivery, false, true, 5_000)?.due_mono, 5_000);
});

test("a failing that is late is not sent to Home Assistant once its incident is over, and to others it is", () => {
  const late = beforeTry(row(), { confirms: true }, false, 0, "t");
  assert.deepEqual([late.send, late.delivery.state], [false, "superseded"]);
  assert.equal(beforeTry(row(), plain, false, 0, "t").send, true);
  assert.equal(beforeTry(row({ kind: "recovered" }), { confirms: true }, false, 0, "t").send, true);
  const accepted = row({ state: "accepted", due_mono: 60_000 });
  assert.equal(
    beforeTry(accepted, { confirms: true }, false, 60_000, "t").send,
    false,
    "a repeat never reopens an alert",
  );
});

test("a delivery id is a webhook id, tells subscribers apart and stays the same", () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/), fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/), (a, b) => {
      const id = deliveryId("ev-123456-abcdefgh", a);
      assert.match(id, /^[A-Za-z0-9_-]{1,64}$/);
      assert.equal(id, deliveryId("ev-123456-abcdefgh", a));
      if (a !== b) assert.notEqual(id, deliveryId("ev-123456-abcdefgh", b));
    }),
  );
});

test("a replay starts the schedule again under the same id", () => {
  const again = replayed(row({ state: "dead", tries: 30, last_error: "gone", event_seq: 4 }), 5_000);
  assert.deepEqual([again.state, again.tries, again.due_mono, again.id], ["queued", 0, 5_000, "ev-1_x"]);
});
