import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { test } from "node:test";
import type { VantageView } from "../../src/core/vantage-view.ts";
import { createHubAsks } from "../../src/engine/vantage-ingress-hub.ts";
import { createOutage } from "../../src/engine/vantage-ingress-outage.ts";
import { watchHub } from "../../src/engine/vantage-ingress-watch.ts";
import type { HubReply, HubRequest } from "../../src/engine/vantage-port.ts";
import { ingressPage } from "../../src/hooks/ingress-page.ts";
import { INGRESS_SCRIPT } from "../../src/hooks/ingress-page-assets.ts";
import { hmac } from "../../src/runtime/node/hmac.ts";
import { createSupervisor } from "../../src/runtime/node/supervisor.ts";
import { readAppOptions } from "../../src/runtime/node/supervisor-options.ts";
import { secret } from "../support/hub.ts";

const MINUTE = 60_000;
const TOKEN = { hub: "http://192.0.2.1:8787", site: "home", vantage: "vm", key: secret("vm") };
const reply = (status: number | null, body = "", detail: string | null = null): HubReply => ({
  status,
  headers: {},
  body,
  detail,
});
const REQUEST: HubRequest = { method: "GET", path: "/v1/plan", headers: {}, body: null, timeout: 1_000 };

/** A vantage's evening, minute by minute: what the hub answers, what Home Assistant takes, and what it was told. */
function evening(options: { toldBefore?: boolean; after?: number } = {}) {
  let now = 1_000;
  let answer = reply(202);
  let isTaken = true;
  const said: string[] = [];
  const kept: boolean[] = [];
  const stop = new AbortController();
  const clock = { mono: () => now, wall: () => Date.parse("2026-11-24T20:00:00Z") + now };
  const hub = watchHub(clock, TOKEN);
  const line = hub.watched({ send: async () => answer });
  let until = now;
  let wake = () => {};
  let arrive = () => {};
  const sleep = async (millis: number) => {
    now += millis;
    if (now >= until) {
      arrive();
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    await line.send(REQUEST, stop.signal);
  };
  const tell = (what: string) => {
    said.push(what);
    return Promise.resolve(isTaken);
  };
  const outage = createOutage({
    clock: { ...clock, sleep },
    log: () => {},
    hub,
    bell: { create: (id, title) => tell(`create ${id}: ${title}`), dismiss: (id) => tell(`dismiss ${id}`) },
    record: {
      read: async () => options.toldBefore ?? false,
      write: async (told) => void kept.push(told),
    },
    token: TOKEN,
    after: options.after ?? 3 * MINUTE,
  });
  let running: Promise<void> | null = null;
  return {
    said,
    kept,
    hub,
    outage,
    answers: (next: HubReply) => {
      answer = next;
    },
    takes: (next: boolean) => {
      isTaken = next;
    },
    async pass(millis: number) {
      until = now + millis;
      const arrived = new Promise<void>((resolve) => {
        arrive = resolve;
      });
      if (running === null) running = line.send(REQUEST, stop.signal).then(() => outage.run(stop.signal));
      else wake();
      await arrived;
    },
  };
}

test("an outage shorter than the time is not told; a longer one is told once, and taken back once", async () => {
  const { said, kept, answers, pass, outage } = evening();
  await pass(MINUTE);
  answers(reply(null, "", "ECONNREFUSED"));
  await pass(2 * MINUTE);
  answers(reply(202));
  await pass(MINUTE);
  assert.deepEqual(said, []);
  answers(reply(503));
  await pass(2.5 * MINUTE);
  assert.deepEqual(said, []);
  await pass(60 * MINUTE);
  assert.deepEqual(said, ["create hairpin_hub_home: hairpin: the hub is gone"]);
  assert.equal(outage.isTold(), true);
  answers(reply(304));
  await pass(60 * MINUTE);
  assert.deepEqual(said.slice(1), ["dismiss hairpin_hub_home"]);
  assert.deepEqual(kept, [true, false]);
});

test("a hub that refuses the key is another notification than one that is silent; one that refuses a message is there", async () => {
  const { said, answers, pass, hub } = evening();
  answers(reply(409));
  await pass(10 * MINUTE);
  assert.deepEqual(said, []);
  answers(reply(401));
  await pass(10 * MINUTE);
  assert.deepEqual(said, ["create hairpin_hub_home: hairpin: the hub refuses vm"]);
  assert.equal(hub.shown().state, "refuses");
});

test("a Home Assistant that does not take it is asked a bounded number of times, and again after the next change", async () => {
  const { said, answers, takes, pass } = evening();
  answers(reply(null));
  takes(false);
  await pass(24 * 60 * MINUTE);
  assert.equal(said.length, 12);
  answers(reply(202));
  await pass(MINUTE);
  assert.equal(said.length, 12, "what was never shown is not taken back");
  takes(true);
  answers(reply(null));
  await pass(10 * MINUTE);
  assert.equal(said.length, 13);
});

test("what an earlier start of the app has told is not told again, and is taken back", async () => {
  const still = evening({ toldBefore: true });
  still.answers(reply(null));
  await still.pass(30 * MINUTE);
  assert.deepEqual(still.said, []);
  still.answers(reply(202));
  await still.pass(MINUTE);
  assert.deepEqual(still.said, ["dismiss hairpin_hub_home"]);
});

test("a heal that got no answer is sent once more under the same id, never under another, and never a third time", async () => {
  const sent: HubRequest[] = [];
  const answers = [reply(null, "", "ECONNRESET"), reply(202, '{"id":"h-1","state":"accepted","detail":"asked"}')];
  const clock = { mono: () => 1, wall: () => 1_000_000, sleep: async () => {} };
  const asks = createHubAsks({
    clock,
    token: TOKEN,
    bootId: "b1",
    hmac,
    hub: {
      send: async (request) => {
        sent.push(request);
        return answers.shift() ?? reply(null);
      },
    },
  });
  const signal = new AbortController().signal;
  assert.deepEqual(await asks.heal("x", signal), {
    status: 202,
    state: "accepted",
    id: "h-1",
    detail: "asked",
    advice: null,
  });
  assert.equal(sent.length, 2);
  assert.equal(sent[0]!.headers["webhook-id"], sent[1]!.headers["webhook-id"]);
  assert.equal((await asks.heal("y", signal)).state, "unreachable");
  assert.equal(sent.length, 4);
  assert.notEqual(sent[2]!.headers["webhook-id"], sent[0]!.headers["webhook-id"]);
});

const VIEW: VantageView = {
  site: "home",
  vantage: "vm",
  version: "0.1.0",
  schedule: "*/10 * * * * *",
  control_ok: true,
  targets: [],
  hub: { url: TOKEN.hub, state: "answers", answered_at: null, detail: null },
  broker: null,
  told: false,
  heal_button: true,
};

test("what comes from the network is text on the page, from checks, the hub and the broker alike", () => {
  const evil = '"><img src=x onerror=alert(1)><script>alert(2)</script>\u202e\u001b[2J';
  const check = { id: evil, ok: false, failure: evil, detail: evil, ms: 1, mac: evil, observed_at: evil };
  const status = {
    state: evil,
    cause: evil,
    summary: evil,
    since: evil,
    heal: { mode: evil, state: evil, held_by: evil },
  };
  const view = {
    ...VIEW,
    targets: [{ name: evil, checks: [check] }],
    hub: { url: evil, state: "silent", answered_at: evil, detail: evil } as const,
    broker: { host: evil, port: 1_883, tls: true, username: evil },
  };
  const html = ingressPage(view, status, "0".repeat(32));
  assert.doesNotMatch(html, /<img|onerror=alert\(1\)>|<script>alert/);
  assert.ok(!html.includes("\u202e") && !html.includes("\u001b"));
  assert.equal(html.split("<script>").length, 2);
  assert.match(html, /disabled>Heal now/, "a hub that does not answer cannot be asked");
});

test("the page says when nothing is known: no plan, no checks, or a machine whose own network is broken", () => {
  const html = (more: Partial<VantageView>) => ingressPage({ ...VIEW, ...more }, null, "t");
  assert.match(html({ schedule: null }), /No plan yet/);
  assert.match(html({}), /Nothing has been checked yet/);
  const checks = [{ id: "tcp:1", ok: true, failure: null, detail: null, ms: 1, mac: null, observed_at: "" }];
  const targets = [{ name: "web", checks }];
  assert.match(html({ targets }), /What is checked is good from here \(1\)/);
  assert.match(html({ targets, control_ok: false }), /<h1>unknown<\/h1>/);
  assert.doesNotMatch(html({ heal_button: false }), /id="heal"/);
  assert.doesNotMatch(INGRESS_SCRIPT, /fetch\("\//, "an address that begins with / would leave Home Assistant's path");
});

test("what holds a repair back is said once, and not while a repair is under way", () => {
  const repairs = (state: string, held_by: string | null) => {
    const heal = { mode: "observe", state, held_by };
    const html = ingressPage(VIEW, { state: "failing", cause: null, summary: "", since: null, heal }, "t");
    return /Repairs: (.*?)<\/p>/.exec(html)![1]!.replace(/<\/?code>/g, "");
  };
  assert.equal(repairs("held", "not_armed"), "observe, held by not_armed");
  assert.equal(repairs("failing", "grace"), "observe, failing, held by grace");
  assert.equal(repairs("held", null), "observe, held");
  assert.equal(repairs("healing", "cool_down"), "observe, healing");
});

test("the supervisor's broker is shown without its password, and nonsense is no broker", async () => {
  const signal = new AbortController().signal;
  const broker = (body: string, status = 200) =>
    createSupervisor({ send: async () => reply(status, body) }, "t").broker(signal);
  const good = { host: "core-mosquitto", port: "1883", ssl: false, username: "addons", password: "hidden" };
  const shown = await broker(JSON.stringify({ result: "ok", data: good }));
  assert.deepEqual(shown, { host: "core-mosquitto", port: 1_883, tls: false, username: "addons" });
  for (const body of ["", "null", "[]", '{"data":null}', '{"data":{"host":"x"}}', '{"data":{"host":1,"port":1}}'])
    assert.equal(await broker(body), null, body);
  assert.equal(await broker('{"result":"error","message":"Service not enabled"}', 400), null);
});

test("the app's options are refused all at once, with what to write, and the token is not shown", () => {
  const place = mkdtempSync(join(tmpdir(), "hairpin-options-"));
  const read = (value: unknown) => {
    writeFileSync(join(place, "options.json"), typeof value === "string" ? value : JSON.stringify(value));
    return readAppOptions(join(place, "options.json"));
  };
  try {
    const wrong = read({ join_token: "", who_has: "yes", heal_button: 1, hub_gone_minutes: 1.5, log_level: "trace" });
    for (const key of ["join_token", "who_has", "heal_button", "hub_gone_minutes", "log_level"])
      assert.match(String(wrong), new RegExp(`${key}: `));
    assert.match(String(read("{")), /is not JSON/);
    assert.match(String(read("[]")), /holds no options/);
    assert.match(String(readAppOptions(join(place, "none"))), /cannot be read \(ENOENT\)/);
    assert.ok(!String(read({ join_token: "hairpin1.secret", log_level: "x" })).includes("hairpin1.secret"));
    assert.deepEqual(read({ join_token: "t" }), {
      joinToken: "t",
      logLevel: null,
      whoHas: true,
      healButton: true,
      hubGoneMinutes: 3,
    });
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
});

test("a vantage without a page loads nothing of it: no hono, zod, yaml or commander is within reach of its static imports", () => {
  const src = new URL("../../src/", import.meta.url).pathname;
  const packages = new Set<string>();
  const seen = new Set<string>();
  const follow = (path: string): void => {
    if (seen.has(path)) return;
    seen.add(path);
    const text = readFileSync(path, "utf8").replace(/\/\*[\s\S]*?\*\//g, "");
    for (const [, name] of text.matchAll(/^(?:import|export) (?!type )(?:[^"';]*? from )?"([^"]+)";/gm)) {
      if (name!.startsWith(".")) follow(resolve(dirname(path), name!));
      else packages.add(name!.startsWith("@") ? name! : name!.split("/")[0]!);
    }
  };
  follow(join(src, "cli/vantage.ts"));
  assert.ok(packages.has("undici") && packages.has("node-cron"), "the walk finds what is there");
  for (const heavy of ["hono", "@hono/node-server", "zod", "yaml", "commander", "mqtt"])
    assert.ok(!packages.has(heavy), heavy);
  assert.ok(![...seen].some((path) => /ingress|hooks\//.test(path)), "the page's own files");
});
