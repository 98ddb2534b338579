import assert from "node:assert/strict";
import { test } from "node:test";
import { sign } from "../../src/core/standard-webhooks.ts";
import { hmac } from "../../src/runtime/node/hmac.ts";
import { failFiveRounds, harness, secret } from "../support/hub.ts";

/** A hub with something to heal, and a person who signs instead of showing a token. */
async function failing() {
  const made = harness();
  await failFiveRounds(made);
  const signed = async (id: string, body: string): Promise<Record<string, string>> => ({
    "content-type": "application/json",
    ...(await sign([secret("signer")], id, Math.floor(made.hand.clock.wall() / 1_000), body, hmac)),
  });
  return { ...made, signed };
}
const BODY = '{"step":"ensure-link"}';
const idOf = async (response: Response) => ((await response.json()) as { id: string }).id;

/** Until the first repair is over, as far as single flight is concerned: what comes then could start another. */
async function finish({ host, hand }: Awaited<ReturnType<typeof failing>>) {
  for (const [id, report] of host.reports) host.reports.set(id, { ...report, state: "done", ms: 10 });
  await hand.pass(120_000);
}

test("a recorded heal is the same heal under any Idempotency-Key, also when nothing is in flight any more", async () => {
  const made = await failing();
  const { post, host, signed } = made;
  const recorded = await signed("press1", BODY);
  const first = await post("/heal", BODY, recorded);
  assert.equal(first.status, 202);
  const id = await idOf(first);
  await finish(made);
  const steps = host.asked.length;
  for (const key of ["another", "and-another", "press1"]) {
    const again = await post("/heal", BODY, { ...recorded, "idempotency-key": key });
    assert.equal(again.status, 202);
    assert.equal(await idOf(again), id, key);
  }
  await finish(made);
  assert.equal(host.asked.length, steps, "nothing more ran");
  const fresh = await post("/heal", BODY, await signed("press2", BODY));
  assert.notEqual(await idOf(fresh), id, "a new signature is a new request");
});

test("a client that signs each try anew and keeps its Idempotency-Key starts one heal", async () => {
  const made = await failing();
  const { post, host, signed } = made;
  const first = await post("/heal", BODY, { ...(await signed("try1", BODY)), "idempotency-key": "press" });
  assert.equal(first.status, 202);
  const id = await idOf(first);
  await finish(made);
  const steps = host.asked.length;
  const second = await post("/heal", BODY, { ...(await signed("try2", BODY)), "idempotency-key": "press" });
  assert.equal(second.status, 202);
  assert.equal(await idOf(second), id);
  assert.equal(host.asked.length, steps);
  const other = '{"step":"announce"}';
  const mismatch = await post("/heal", other, { ...(await signed("try3", other)), "idempotency-key": "press" });
  assert.equal(mismatch.status, 409);
});

test("what was signed for one path is refused at every other, and a retry at its own is not", async () => {
  const { post, signed, hub, lines } = await failing();
  const resume = await signed("resume1", "");
  hub.pause(3_600_000, null);
  assert.equal((await post("/v1/resume", null, resume)).status, 200);
  assert.equal((await post("/v1/breaker/reset", null, resume)).status, 401);
  assert.equal((await post("/heal", null, resume)).status, 401);
  assert.match(String(lines.at(-1)?.fields["reason"]), /signed the id resume1 for another path/);
  assert.equal((await post("/v1/resume", null, resume)).status, 200);
});
