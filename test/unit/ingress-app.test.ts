import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import type { Peer } from "../../src/hooks/deps.ts";
import { ingressApp } from "../../src/hooks/ingress.ts";

const FROM = "172.30.32.2";
const LOCAL = "172.30.32.1:48099";
const TOKEN = "0123456789abcdef0123456789abcdef";

/** The page of an app whose hub says yes to everything; the peer is what the test says. */
function app(from: readonly string[] = [FROM]) {
  const reasons: string[] = [];
  let now = 0;
  const made = ingressApp({
    view: () => ({
      site: "home",
      vantage: "vm",
      version: "0.1.0",
      schedule: null,
      control_ok: null,
      targets: [],
      hub: { url: "http://192.0.2.1:8787", state: "answers", answered_at: null, detail: null },
      broker: null,
      told: false,
      heal_button: true,
    }),
    status: async () => null,
    heal: async (reason) => {
      reasons.push(reason);
      return { status: 202, state: "accepted", id: "h-1", detail: "asked", advice: null };
    },
    from,
    pageToken: TOKEN,
    peer: (env) => ({ unix: false, address: FROM, local: LOCAL, hosts: ["x"], ...(env as Partial<Peer>) }),
    digest: (text) => createHash("sha256").update(text).digest("hex"),
    mono: () => now,
    log: () => {},
  });
  const press = (headers: Record<string, string> = {}) =>
    made.request(
      "/heal",
      {
        method: "POST",
        body: "{}",
        headers: {
          "content-type": "application/json",
          "sec-fetch-site": "same-origin",
          "hairpin-page": TOKEN,
          ...headers,
        },
      },
      {},
    );
  const get = async (path: string, peer: Partial<Peer> = {}) => (await made.request(path, {}, peer)).status;
  const pass = (millis: number) => {
    now += millis;
  };
  return { reasons, press, get, pass };
}

test("the supervisor sees the page, whatever form its address has; nobody else does, and this machine only whether it lives", async () => {
  const { get } = app();
  assert.equal(await get("/"), 200);
  assert.equal(await get("/", { address: "::ffff:172.30.32.2" }), 200);
  for (const address of [null, "172.30.32.1", "172.30.32.20", "172.30.33.2", "192.168.8.10", "127.0.0.1", "::1", "::"])
    assert.equal(await get("/", { address }), 403, String(address));
  for (const address of ["127.0.0.1", "172.30.32.1"]) assert.equal(await get("/healthz", { address }), 200, address);
  for (const address of [null, "172.30.32.10", "172.30.33.1", "192.168.8.10"])
    assert.equal(await get("/healthz", { address }), 403, String(address));
  assert.equal(await get("/", { unix: true, address: null }), 403, "a unix socket is no supervisor");
});

test("presses are limited, and come back with time", async () => {
  const { press, pass, reasons } = app();
  const answers: number[] = [];
  for (let count = 0; count < 10; count++) answers.push((await press()).status);
  assert.deepEqual(answers, [...Array(6).fill(200), ...Array(4).fill(429)]);
  assert.equal((await press()).headers.get("retry-after"), "30");
  pass(31_000);
  assert.equal((await press()).status, 200);
  assert.equal(reasons.length, 7);
});

test("a press that is refused for its sender costs the owner nothing", async () => {
  const { press } = app();
  for (let count = 0; count < 50; count++) assert.equal((await press({ "hairpin-page": "x" })).status, 403);
  for (let count = 0; count < 50; count++) assert.equal((await press({ "sec-fetch-site": "cross-site" })).status, 403);
  assert.equal((await press()).status, 200);
});

test("who pressed is said in the supervisor's words, as text, and not at any length", async () => {
  const { press, reasons } = app();
  const utf8 = Buffer.from("Zoë\u202e").toString("latin1");
  await press({ "x-remote-user-display-name": utf8 });
  await press({ "x-remote-user-name": "a".repeat(500) });
  await press();
  assert.equal(reasons[0], "Zoë\\u202e pressed Heal now on the page in Home Assistant");
  assert.ok(reasons[1]!.length < 120);
  assert.match(reasons[2]!, /^somebody pressed/);
});
