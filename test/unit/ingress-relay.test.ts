import assert from "node:assert/strict";
import { test } from "node:test";
import { purposeKey } from "../../src/core/purpose-key.ts";
import { isSecret, sign } from "../../src/core/standard-webhooks.ts";
import { hmac } from "../../src/runtime/node/hmac.ts";
import { failFiveRounds, harness, houseOf, secret } from "../support/hub.ts";

const house = (extra: Parameters<typeof houseOf>[0] = {}) =>
  houseOf({
    vantages: { lan: { where: "lan", key_file: "lan" }, vm: { where: "vm", key_file: "vm", heal: true } },
    ...extra,
  });

/** A hub that sees its address fail from both vantages, with the means of whoever holds a vantage's key. */
async function failing(extra: Parameters<typeof houseOf>[0] = {}) {
  const made = harness({ house: house(extra) });
  await failFiveRounds(made);
  let count = 0;
  const signed = async (key: string, body: string, sent: { id?: string; ago?: number } = {}) =>
    sign(
      [key],
      sent.id ?? `relay_${++count}`,
      Math.floor(made.hand.clock.wall() / 1_000) - (sent.ago ?? 0),
      body,
      hmac,
    );
  const relay = async (body: object | string, sent: { key?: string; id?: string; ago?: number } = {}, more = {}) => {
    const text = typeof body === "string" ? body : JSON.stringify(body);
    const headers = await signed(sent.key ?? (await healKey("vm")), text, sent);
    return made.post("/heal", text, { "content-type": "application/json", ...headers, ...more });
  };
  return { ...made, signed, relay };
}

const healKey = (vantage: string) => purposeKey(secret(vantage), "heal", hmac);
const ASK = { type: "hairpin.heal.v1", aud: "home", vantage: "vm", reason: "Ada, at the page" };
const stateOf = async (response: Response) => ((await response.json()) as { state?: string }).state;

test("a vantage with heal: true is obeyed, once for each id, whatever Idempotency-Key somebody adds to a recording", async () => {
  const { relay, host, hand, lines } = await failing();
  const first = await relay(ASK, { id: "press1" });
  assert.equal(first.status, 202);
  const { id, url } = (await first.json()) as { id: string; url: string };
  assert.equal(url, `/v1/heals/${id}`);
  const again = await relay(ASK, { id: "press1" }, { "idempotency-key": "another" });
  assert.equal(again.status, 202);
  assert.equal(((await again.json()) as { id: string }).id, id);
  assert.equal((await relay({ ...ASK, reason: "else" }, { id: "press1" })).status, 409);
  await hand.pass(1_000);
  assert.equal(host.asked.length, 1);
  const said = lines.find((line) => line.message === "a heal was asked for");
  assert.equal(said?.fields["by"], "vantage vm");
  assert.equal(said?.fields["reason"], "Ada, at the page");
});

test("the key of one purpose is of no use for another, and a recorded observation is no heal", async () => {
  const { relay, post, signed, observation, host, house } = await failing();
  assert.ok(isSecret(await healKey("vm")));
  assert.notEqual(await healKey("vm"), await purposeKey(secret("vm"), "read", hmac));
  assert.equal((await relay(ASK, { key: secret("vm") })).status, 401, "the vantage's own key");
  assert.equal((await relay(ASK, { key: await purposeKey(secret("vm"), "read", hmac) })).status, 401, "the read key");
  const body = observation("vm", 99);
  const headers = { "content-type": "application/json", ...(await signed(secret("vm"), body)) };
  assert.equal((await post("/heal", body, headers)).status, 401, "a recorded observation");
  const forged = { "content-type": "application/json", ...(await signed(await healKey("vm"), body)) };
  assert.equal((await post("/v1/observations", body, forged)).status, 401, "an observation by the heal key");
  const plan = await signed(secret("vm"), "");
  assert.equal((await post("/heal", null, { ...plan })).status, 401, "a recorded request for the plan");
  const empty = await signed(await healKey("vm"), "");
  assert.equal((await post("/heal", null, { ...empty })).status, 422, "an empty body says neither what nor to whom");
  assert.equal(house.vantages.length, 2);
  assert.deepEqual(host.asked, []);
});

test("without heal: true the answer is 403 and says what to write; nothing runs", async () => {
  const { relay, host } = await failing();
  const refused = await relay({ ...ASK, vantage: "lan" }, { key: await healKey("lan") });
  assert.equal(refused.status, 403);
  const { detail, state } = (await refused.json()) as { detail: string; state: string };
  assert.equal(state, "not_allowed");
  assert.match(detail, /vantages: \{ lan: \{ …, heal: true \} \}/);
  assert.equal((await relay(ASK, { key: await healKey("lan") })).status, 403, "in the name of another vantage");
  assert.deepEqual(host.asked, []);
});

test("another site, another vantage, another type, a step, override, force and unknown keys are refused; nothing runs", async () => {
  const { relay, host } = await failing();
  for (const wrong of [{ aud: "attic" }, { vantage: "lan" }])
    assert.equal((await relay({ ...ASK, ...wrong })).status, 403, JSON.stringify(wrong));
  for (const wrong of [
    { type: "hairpin.observation.v1" },
    { step: "recreate-link" },
    { override: true },
    { force: true },
  ])
    assert.equal((await relay({ ...ASK, ...wrong })).status, 422, JSON.stringify(wrong));
  assert.equal((await relay('{"type":"hairpin.heal.v1","aud":"home"')).status, 422);
  assert.deepEqual(host.asked, []);
});

test("a recording is worthless after a minute, and a request that was refused does not run when the reason has gone", async () => {
  const { relay, hub, host, hand } = await failing();
  assert.equal((await relay(ASK, { ago: 61 })).status, 401);
  assert.equal((await relay(ASK, { ago: -61 })).status, 401, "from a clock that is ahead");
  hub.pause(600_000, "work");
  assert.equal((await relay(ASK, { id: "early" })).status, 423);
  hub.resume();
  assert.equal((await relay(ASK, { id: "early" })).status, 409);
  await hand.pass(1_000);
  assert.deepEqual(host.asked, []);
});

test("a vantage's presses are limited, and the limit of one is not that of a token", async () => {
  const { relay, heal } = await failing();
  const answers: number[] = [];
  for (let press = 0; press < 20; press++) answers.push((await relay({ ...ASK, aud: "attic" })).status);
  assert.deepEqual(answers.slice(0, 8), Array(8).fill(403));
  assert.deepEqual(answers.slice(8), Array(12).fill(429));
  assert.equal((await heal('{"dry_run":true}')).status, 200);
});

test("with heal.mode off and in maintenance a vantage opens no gate", async () => {
  const off = await failing({ heal: { mode: "off" } });
  const refused = await off.relay(ASK);
  assert.ok(refused.status >= 400, String(refused.status));
  const paused = await failing();
  paused.hub.pause(60_000, null);
  const held = await paused.relay(ASK);
  assert.equal(held.status, 423);
  assert.notEqual(await stateOf(held), undefined);
  assert.deepEqual([...off.host.asked, ...paused.host.asked], []);
});

test("a private hub shows its status to a vantage's read key, and nothing else of it", async () => {
  const { app, signed } = await failing({ hub: { listen: "127.0.0.1:8787", private: true } });
  const key = await purposeKey(secret("lan"), "read", hmac);
  const get = async (path: string, with_: string = key) =>
    (await app.request(path, { headers: { ...(await signed(with_, "")) } }, {})).status;
  assert.equal(await get("/v1/status"), 200);
  assert.equal(await get("/v1/heals/none"), 404);
  for (const path of ["/v1/events", "/v1/deliveries", "/metrics", "/v1/explain", "/"])
    assert.equal(await get(path), 403, path);
  assert.equal(await get("/v1/status", secret("lan")), 401, "the key of observations");
  assert.equal(await get("/v1/status", await healKey("vm")), 401, "the key of heals");
});
