import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Plan } from "../../src/core/plan.ts";
import { parsePlan } from "../../src/engine/vantage-plan.ts";
import { EMPTY_RECORD, isOpen, recorded } from "../../src/engine/vantage-record.ts";
import { createRounds, type DoneRound } from "../../src/engine/vantage-rounds.ts";
import type { RoundRequest } from "../../src/probes/round.ts";

const PLAN: Plan = {
  type: "hairpin.plan.v1",
  site: "attic",
  vantage: "desk",
  where: "lan",
  schedule: "*/10 * * * * *",
  offset_ms: 2_000,
  control: { gateway: null, reference: null },
  targets: [
    {
      name: "resolver",
      addresses: ["10.9.8.53"],
      mac: null,
      also: {},
      checks: [
        { kind: "tcp", id: "tcp", port: 53 },
        { kind: "tcp", id: "rare", port: 54, schedule: "0 0 * * * *" },
      ],
    },
  ],
  links: [],
  spool_max: 100,
};

interface Ran {
  readonly kind: string;
  readonly at: number;
  readonly checks: readonly string[];
  readonly tries: number;
}

/**
 * The loop under a clock that leaps from one waking to the next. `script` gives the time of each outside event and what it does;
 * `isGood` what the network does at a time. A round takes 100 ms.
 */
async function play(
  isGood: (at: number, id: string) => boolean,
  until: number,
  script: Readonly<Record<number, (loop: ReturnType<typeof createRounds>) => void>> = {},
) {
  let now = 0;
  const ran: Ran[] = [];
  const ticks = new Map<string, () => void>();
  const stop = new AbortController();
  const events = Object.entries(script).map(([at, act]) => ({ at: Number(at), act: () => act(loop) }));
  for (let at = 10_000; at <= until; at += 10_000) events.push({ at, act: () => ticks.get(PLAN.schedule)?.() });
  events.sort((a, b) => a.at - b.at);
  /** Lets time pass up to `to`, or until an event wakes the sleeper. */
  const pass = (to: number, signal: AbortSignal | null) => {
    while (events[0] !== undefined && events[0].at <= to) {
      const event = events.shift()!;
      now = Math.max(now, event.at);
      event.act();
      if (signal?.aborted) return;
    }
    now = to;
    if (now >= until) stop.abort();
  };
  const loop = createRounds(
    {
      clock: {
        mono: () => now,
        wall: () => now,
        sleep: async (millis, signal) => pass(Math.min(until, now + millis), signal ?? null),
      },
      log: () => {},
      timetable: {
        start: (expression, onTick) => {
          ticks.set(expression, onTick);
          return () => void ticks.delete(expression);
        },
      },
      round: async (request: RoundRequest) => {
        const due = PLAN.targets.flatMap((target) => target.checks.filter((check) => request.due(target.name, check)));
        const checks = due.map((check) => ({
          target: "resolver",
          check: "tcp" as const,
          id: check.id,
          ok: isGood(now, check.id),
        }));
        ran.push({ kind: "?", at: now, checks: due.map((check) => check.id), tries: request.tries("resolver", "tcp") });
        pass(now + 100, null);
        return { control: { ok: true }, checks };
      },
    },
    (round: DoneRound) => {
      ran[ran.length - 1] = { ...ran.at(-1)!, kind: round.kind };
    },
  );
  loop.follow(PLAN);
  await loop.run(stop.signal);
  return { ran, ticks };
}

const kinds = (ran: readonly Ran[]) => ran.map((round) => round.kind);

test("four quick rounds at the start, a second apart, then the schedule with the vantage's offset", async () => {
  const { ran, ticks } = await play(() => true, 35_000);
  assert.deepEqual(
    kinds(ran),
    ["first", "first", "first", "first", "scheduled", "scheduled", "scheduled"].slice(0, ran.length),
  );
  assert.deepEqual(
    ran.map((round) => round.at),
    [0, 1_100, 2_200, 3_300, 12_000, 22_000, 32_000],
  );
  assert.deepEqual(ran[0]!.checks, ["tcp", "rare"]);
  assert.deepEqual(ran.at(-1)!.checks, ["tcp"]);
  assert.equal(ticks.size, 0);
});

test("a first failure is confirmed within seconds: three tries at first, then one, until three of four have failed", async () => {
  const { ran } = await play((at) => at < 12_000, 30_000);
  const failing = ran.filter((round) => round.at >= 12_000 && round.at < 20_000);
  assert.deepEqual(
    failing.map((round) => round.at),
    [12_000, 13_100, 14_200],
  );
  assert.deepEqual(kinds(failing), ["scheduled", "confirmation", "confirmation"]);
  assert.deepEqual(
    failing.map((round) => round.tries),
    [3, 1, 1],
  );
  assert.equal(ran.filter((round) => round.at > 20_000).length, 1);
});

test("a recovery is confirmed as quickly as a failure", async () => {
  const { ran } = await play((at) => at < 12_000 || at > 20_000, 30_000);
  const after = ran.filter((round) => round.at > 20_000);
  assert.deepEqual(
    after.map((round) => round.at),
    [22_000, 23_100],
  );
});

test("a hurried vantage asks at once, a second apart, and goes back to its schedule", async () => {
  const { ran } = await play(() => true, 30_000, { 6000: (loop) => loop.hurry(3) });
  const hurried = ran.filter((round) => round.kind === "hurried");
  assert.deepEqual(
    hurried.map((round) => round.at),
    [6_000, 7_100, 8_200],
  );
});

test("a network that is good and bad by turns does not keep a vantage asking for ever", async () => {
  let good = false;
  const { ran } = await play(() => {
    good = !good;
    return good;
  }, 60_000);
  const streaks = kinds(ran)
    .join(" ")
    .split("scheduled")
    .map((part) => part.split("confirmation").length - 1);
  assert.ok(Math.max(...streaks) <= 12);
});

test("whatever happened, at most three further rounds of one kind settle the verdict", () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 12 }), fc.boolean(), (past, now) => {
      let record = EMPTY_RECORD;
      const round = (ok: boolean) => {
        record = recorded(record, [{ target: "a", check: "tcp", id: "tcp", ok }]);
      };
      for (const ok of past) round(ok);
      for (let count = 0; count < 3; count++) round(now);
      return !isOpen(record);
    }),
  );
});

test("a plan is read as it was written, and nonsense is refused in words", () => {
  assert.deepEqual(parsePlan(JSON.parse(JSON.stringify(PLAN))), PLAN);
  fc.assert(fc.property(fc.anything(), (value) => typeof parsePlan(value) === "string"));
  const change = (more: object) => parsePlan({ ...PLAN, ...more });
  assert.equal(typeof change({ targets: [{ name: "x", addresses: ["-f"], checks: [] }] }), "string");
  assert.equal(typeof change({ where: "moon" }), "string");
  const newer = change({ targets: [{ ...PLAN.targets[0], checks: [{ kind: "quic", id: "q" }] }] });
  assert.deepEqual(typeof newer === "string" ? null : newer.targets[0]!.checks, []);
});
