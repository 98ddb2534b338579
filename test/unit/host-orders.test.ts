import assert from "node:assert/strict";
import { test } from "node:test";
import type { HostOrder, HostReply } from "../../src/engine/hub-ports.ts";
import { fakeHost, harness, TOKEN } from "../support/hub.ts";

/** A hub whose host writes down the orders it gets, or answers nothing while it is away. */
async function started() {
  const host = fakeHost();
  const orders: HostOrder[] = [];
  let away = false;
  const link = {
    ...host.link,
    order: async (order: HostOrder): Promise<HostReply<null>> => {
      if (away) return { kind: "unreachable", detail: "ECONNREFUSED" };
      orders.push(order);
      return { kind: "answer", value: null };
    },
  };
  const made = harness({ host: { ...host, link } });
  made.hub.start();
  await made.hand.pass(100);
  const send = async (path: string, body: string) =>
    (await made.post(path, body, { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" })).status;
  const setAway = (is: boolean) => {
    away = is;
  };
  return { ...made, orders, send, setAway };
}

test("a pause at the hub holds its hosts too, and a resume and a reset breaker reach them", async () => {
  const { send, orders, hand } = await started();
  assert.equal(await send("/v1/pause", '{"for":"1h","reason":"new switch"}'), 200);
  await hand.pass(100);
  assert.deepEqual(orders, [{ kind: "pause", forMillis: 3_600_000, reason: "new switch" }]);
  assert.equal(await send("/v1/resume", "{}"), 200);
  assert.equal(await send("/v1/breaker/reset", "{}"), 200);
  await hand.pass(20_000);
  assert.deepEqual(
    orders.map(({ kind }) => kind),
    ["pause", "resume", "reset_breaker"],
    "each once",
  );
});

test("a host that is away takes the pause when it answers again, with what is left of it", async () => {
  const { send, orders, hand, setAway } = await started();
  setAway(true);
  assert.equal(await send("/v1/pause", '{"for":"1h"}'), 200);
  await hand.pass(60_000);
  setAway(false);
  await hand.pass(2_000);
  assert.equal(orders.length, 1);
  const [order] = orders;
  assert.ok(order?.kind === "pause" && order.forMillis < 3_541_000 && order.forMillis > 3_530_000);
});

test("a host that is away keeps its breaker: it is not closed by an order from before it opened", async () => {
  const { send, orders, hand, setAway } = await started();
  setAway(true);
  assert.equal(await send("/v1/breaker/reset", "{}"), 200);
  setAway(false);
  await hand.pass(60_000);
  assert.deepEqual(orders, []);
});

test("a pause that was over before the host came back is not begun late, and a newer order replaces an older one", async () => {
  const { send, orders, hand, setAway } = await started();
  setAway(true);
  assert.equal(await send("/v1/pause", '{"for":"30s"}'), 200);
  await hand.pass(60_000);
  setAway(false);
  await hand.pass(2_000);
  assert.deepEqual(orders, []);
  setAway(true);
  assert.equal(await send("/v1/pause", '{"for":"1h"}'), 200);
  assert.equal(await send("/v1/resume", "{}"), 200);
  setAway(false);
  await hand.pass(2_000);
  assert.deepEqual(
    orders.map(({ kind }) => kind),
    ["resume"],
  );
});
