import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type HealEnvelope, heartbeat } from "../../src/core/edge/wire.ts";
import { FAILURE_CODES } from "../../src/core/failure.ts";
import { type Answer, edgeThat, envelope, honest, houseWithEdge, seenOutside } from "../support/edge.ts";
import { handClock, harness, round, WALL } from "../support/hub.ts";

const house = houseWithEdge();

/** A house that fails inside or not, under an edge that answers what the test lays out; what its host was asked to do. */
async function lived(
  answers: (wall: number, count: number) => Answer,
  options: { readonly seconds: number; readonly failsFrom?: number; readonly withoutEdge?: boolean },
) {
  const hand = handClock();
  const edge = edgeThat((_beat, count) => answers(hand.clock.wall(), count));
  const made = harness({ house, hand, ...(options.withoutEdge === true ? {} : { edge: edge.port }) });
  made.hub.start();
  for (let second = 1; second <= options.seconds; second++) {
    const ok = second < (options.failsFrom ?? Number.POSITIVE_INFINITY);
    for (const vantage of ["lan", "vm"])
      await made.report(vantage, made.observation(vantage, second, round(ok)), { id: `${vantage}-${second}` });
    await hand.pass(1_000);
  }
  const status = made.hub.status();
  await made.hub.stop();
  const results = edge.beats.length === 0 ? [] : heartbeat.parse(edge.last()).heal_results;
  return { asked: made.host.asked.map((request) => request.step), groups: status.groups, results, made, edge };
}

/** What a hostile edge makes of a request that a person has signed. */
const TAMPERED: readonly (readonly [string, number, (good: HealEnvelope) => Promise<HealEnvelope> | HealEnvelope])[] = [
  [
    "another step in the signed text",
    401,
    (good) => ({ ...good, body: good.body.replace("announce", "recreate-link") }),
  ],
  ["override written into it", 401, (good) => ({ ...good, body: good.body.replace("}", ',"override":true}') })],
  ["a younger timestamp", 401, (good) => ({ ...good, timestamp: String(Number(good.timestamp) + 60) })],
  ["another id, to have it run twice", 401, (good) => ({ ...good, id: "other" })],
  ["no signature", 401, (good) => ({ ...good, signature: "" })],
  ["a signature of the site's own key", 401, () => envelope("ask-1", WALL, { step: "announce", force: true }, "edge")],
  ["a signature of a vantage's key", 401, () => envelope("ask-1", WALL, { step: "announce", force: true }, "lan")],
  ["another site's request", 403, () => envelope("ask-1", WALL, { aud: "elsewhere", step: "announce", force: true })],
  ["a request that is 61 s old", 410, () => envelope("ask-1", WALL - 61_000, { step: "announce", force: true })],
  ["a request of tomorrow", 401, () => envelope("ask-1", WALL + 86_400_000, { step: "announce", force: true })],
  ["another kind of signed text", 422, () => envelope("ask-1", WALL, { type: "hairpin.observation.v1" })],
  ["a field that is none", 422, () => envelope("ask-1", WALL, { step: "announce", iface: "eth0" })],
];

for (const [what, status, tamper] of TAMPERED) {
  test(`a request with ${what} is refused with ${status}, and nothing runs`, async () => {
    const good = await envelope("ask-1", WALL, { step: "announce", force: true });
    const bad = await tamper(good);
    const { asked, results } = await lived((wall, count) => honest({ heals: count === 1 ? [bad] : [] }, wall), {
      seconds: 35,
    });
    assert.deepEqual(asked, []);
    assert.deepEqual(
      results.map((result) => result.status),
      [status],
    );
  });
}

test("the same request untampered runs: what was refused above was refused for the tampering", async () => {
  const good = await envelope("ask-1", WALL, { step: "announce", force: true });
  const { asked } = await lived((wall) => honest({ heals: [good] }, wall), { seconds: 35 });
  assert.deepEqual(asked, ["announce"]);
});

test("a request that the edge holds back for more than 60 s dies; the clock that counts is the hub's", async () => {
  const good = await envelope("ask-1", WALL, { step: "announce", force: true });
  // Heartbeats go out at 0, 5 (the house turns green), 35, 65 s.
  const { asked, results } = await lived((wall) => honest({ heals: wall - WALL > 60_000 ? [good] : [] }, wall), {
    seconds: 100,
  });
  assert.deepEqual(asked, []);
  assert.equal(results[0]?.state, "expired");
});

test("a request that was refused does not run when the edge repeats it once the reason is gone", async () => {
  const hand = handClock();
  const waiting = [await envelope("ask-1", WALL, { step: "announce", force: true })];
  const edge = edgeThat(() => honest({ heals: waiting }, hand.clock.wall()));
  const made = harness({ house, hand, edge: edge.port });
  made.hub.pause(20_000, "a test");
  made.hub.start();
  for (let second = 1; second <= 50; second++) {
    for (const vantage of ["lan", "vm"])
      await made.report(vantage, made.observation(vantage, second, round(true)), { id: `${vantage}-${second}` });
    await hand.pass(1_000);
  }
  assert.ok(edge.beats.length >= 3, "it was repeated");
  assert.deepEqual(made.host.asked, []);
  const [result] = heartbeat.parse(edge.last()).heal_results;
  assert.deepEqual([result?.status, result?.state], [423, "paused"]);
});

test("a forgery under the id of a good request does not hide what becomes of that one", async () => {
  const good = await envelope("ask-1", WALL, { step: "announce", force: true });
  const forged = { ...good, body: good.body.replace("announce", "recreate-link") };
  const { asked, results } = await lived((wall, count) => honest({ heals: count === 1 ? [good] : [forged] }, wall), {
    seconds: 35,
  });
  assert.deepEqual(asked, ["announce"]);
  assert.deepEqual(
    results.map((result) => result.status),
    [202],
  );
});

const anyObservation = fc.record({
  id: fc.oneof(fc.constant("https:auth.example.com"), fc.string({ maxLength: 16 })),
  kind: fc.constantFrom("https", "dns", "tcp", "oidc"),
  ok: fc.boolean(),
  failure: fc.option(fc.constantFrom(...FAILURE_CODES)),
  detail: fc.option(fc.string({ maxLength: 20, unit: "binary" })),
  ms: fc.option(fc.double({ min: -10, max: 1e12 })),
  observed_at: fc
    .oneof(fc.integer({ min: WALL - 120_000, max: WALL + 120_000 }), fc.integer({ min: 0, max: 4e12 }))
    .map((at) => new Date(at).toISOString()),
});
const anyEnvelope = fc.record({
  id: fc.constantFrom("ask-1", "ask-2", "x"),
  timestamp: fc.constantFrom(String(WALL / 1_000), "0", "999999999999", "1e3"),
  signature: fc.constantFrom("", "v1,", `v1,${"A".repeat(43)}=`, "v1a,AAAA"),
  body: fc.oneof(
    fc.constant('{"type":"hairpin.heal_request.v1","aud":"home","step":"recreate-link","force":true,"override":true}'),
    fc.string({ maxLength: 64 }),
  ),
});
const anyAnswer: fc.Arbitrary<Answer> = fc.oneof(
  fc
    .record({
      site: fc.constantFrom("home", "home", "home", "elsewhere"),
      now: fc.integer({ min: 0, max: 4e12 }).map((at) => new Date(at).toISOString()),
      observations: fc.array(anyObservation, { maxLength: 17 }),
      heals: fc.array(anyEnvelope, { maxLength: 5 }),
    })
    .map((answer) => ({ status: 200, body: JSON.stringify(answer), date: null })),
  fc.record({
    status: fc.integer({ min: 100, max: 599 }),
    body: fc.option(fc.oneof(fc.string({ maxLength: 64 }), fc.json())),
    date: fc.option(fc.string({ maxLength: 40 })),
  }),
  fc.constant(new Error("reset")),
  fc.constant("never" as const),
);

test("property: whatever an edge says and however it behaves, what is decided inside is what would be without it (I9, I24)", async () => {
  const failsFrom = 12;
  const seconds = 45;
  const alone = await lived(() => honest(), { seconds, failsFrom, withoutEdge: true });
  const calm = await lived(() => honest(), { seconds, withoutEdge: true });
  assert.deepEqual(
    [alone.asked.length, calm.asked.length],
    [1, 0],
    "the house itself heals once, and only when it fails",
  );
  const withoutNames = (text: unknown) => JSON.stringify(text).replaceAll(/[a-z0-9]{6}-?\d*inc[^"]*|inc-[^"]*/g, "inc");
  await fc.assert(
    fc.asyncProperty(fc.array(anyAnswer, { minLength: 1, maxLength: 6 }), fc.boolean(), async (answers, fails) => {
      const next = (_wall: number, count: number) => answers[(count - 1) % answers.length]!;
      const seen = await lived(next, { seconds, ...(fails ? { failsFrom } : {}) });
      const reference = fails ? alone : calm;
      assert.deepEqual(seen.asked, reference.asked);
      assert.equal(withoutNames(seen.groups), withoutNames(reference.groups));
    }),
    { numRuns: 20 },
  );
});

test("a thousand answers leave no more behind than one", async () => {
  const ids = Array.from({ length: 200 }, (_, index) => `ask-${index}`);
  const waiting = await Promise.all(ids.map((id) => envelope(id, WALL, {}, "mallory")));
  const { results, made } = await lived(
    (wall, count) =>
      honest({ heals: waiting.slice(4 * count, 4 * count + 4), observations: [seenOutside(wall - count)] }, wall),
    { seconds: 60 },
  );
  assert.ok(results.length <= 4);
  assert.equal(made.sql.all("SELECT key FROM asks WHERE key LIKE 'edge:%'").length, 0, "no row for what nobody signed");
});
