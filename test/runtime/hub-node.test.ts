import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import packet from "dns-packet";
import { Webhook } from "standardwebhooks";
import type { HairpinEvent } from "../../src/core/event.ts";
import { isSecret, sign, verify } from "../../src/core/standard-webhooks.ts";
import { homeAssistantBody } from "../../src/deliver/home-assistant.ts";
import { headerText } from "../../src/deliver/ntfy.ts";
import { fillTemplate, templateProblem } from "../../src/deliver/template.ts";
import { webhook } from "../../src/deliver/webhook.ts";
import { openStore, StoreError } from "../../src/engine/store.ts";
import { hmac } from "../../src/runtime/node/hmac.ts";
import { createResolver } from "../../src/runtime/node/hub-resolver.ts";
import { createSend, retryAfterMillis } from "../../src/runtime/node/hub-send.ts";
import { readSecret, readSecrets } from "../../src/runtime/node/secret-file.ts";
import { openSqlite } from "../../src/runtime/node/store-sqlite.ts";
import { recorder as record } from "../support/recorder.ts";

const dir = mkdtempSync(join(tmpdir(), "hairpin-hub-"));
const open: { close(): unknown }[] = [];
after(() => {
  for (const one of open) one.close();
  rmSync(dir, { recursive: true, force: true });
});

const key = () => `whsec_${randomBytes(32).toString("base64")}`;
const event: HairpinEvent = {
  id: "ev-1-abc",
  seq: 1,
  type: "hairpin.failing.v1",
  timestamp: "2026-11-24T10:00:00.000Z",
  group: "metallb0",
  data: {
    schema: "hairpin/alert/1",
    event: "failing",
    site: "home",
    target: "dns",
    cause: "not_announced",
    title: 'DNS "is" öut',
    message: "nobody\nanswers",
    since: null,
    vantages_failing: ["lan", "vm"],
    incident: "inc-1",
    heal_id: null,
    can_heal: true,
    status_url: null,
  },
};

/** A receiver that is closed when the tests of this file are over. */
async function recorder(answer?: Parameters<typeof record>[0]) {
  const made = await record(answer);
  open.push(made);
  return made;
}

test("our signatures are accepted by the reference library, and its by us", async () => {
  const secret = key();
  assert.ok(isSecret(secret));
  const body = JSON.stringify({ type: "x", text: "ö ☃" });
  const now = Math.floor(Date.now() / 1_000);
  const headers = await sign([key(), secret], "msg_1", now, body, hmac);
  assert.deepEqual(new Webhook(secret).verify(body, { ...headers }), JSON.parse(body));
  const theirs = new Webhook(secret).sign("msg_2", new Date(now * 1_000), body);
  const given = new Map([
    ["webhook-id", "msg_2"],
    ["webhook-timestamp", String(now)],
    ["webhook-signature", theirs],
  ]);
  assert.equal((await verify([secret], given, body, now, hmac)).ok, true);
  assert.equal((await verify([key()], given, body, now, hmac)).ok, false);
});

test("a webhook is signed over the body that is sent, and a template's values cannot break out of it", async () => {
  const receiver = await recorder();
  const secret = key();
  const send = createSend(createResolver([], { get: () => null, set: () => {} }));
  const message = { id: "ev-1-abc_chat", event, wallSeconds: Math.floor(Date.now() / 1_000) };
  const base = { name: "chat", url: `http://127.0.0.1:${receiver.port}/hook`, events: null, secrets: [secret, key()] };
  assert.deepEqual(
    await webhook({ ...base, template: null }, send, hmac).deliver(message, AbortSignal.timeout(5_000)),
    { kind: "answered", status: 200, retryAfter: null },
  );
  const { body, headers } = receiver.got[0]!;
  new Webhook(secret).verify(body, headers as Record<string, string>);
  assert.equal(headers["webhook-id"], "ev-1-abc_chat");
  assert.equal((JSON.parse(body) as { data: { delivery_id: string } }).data.delivery_id, "ev-1-abc_chat");
  const template = '{"text":"{{title}}: {{ message }} ({{vantages_failing}}) {{nothing_such}}"}';
  assert.equal(templateProblem('{"a":{{title}}}') === null, false);
  assert.match(templateProblem(template) ?? "", /unknown placeholder/);
  await webhook({ ...base, template: template.replace(" {{nothing_such}}", "") }, send, hmac).deliver(
    message,
    AbortSignal.timeout(5_000),
  );
  assert.deepEqual(JSON.parse(receiver.got[1]!.body), { text: 'DNS "is" öut: nobody\nanswers (lan, vm)' });
  new Webhook(secret).verify(receiver.got[1]!.body, receiver.got[1]!.headers as Record<string, string>);
  assert.equal(fillTemplate('"{{constructor}}"', {}), '""');
});

test("Home Assistant gets flat data under 8 KiB, ntfy a header that is one line of ASCII", () => {
  const long = { ...event.data, message: "ö".repeat(9_000), advice: "☃".repeat(9_000) };
  const body = homeAssistantBody(long, "ev-1_ha");
  assert.ok(Buffer.byteLength(body) < 8_192);
  const data = JSON.parse(body) as Record<string, unknown>;
  for (const name of ["schema", "event", "target", "incident", "title", "message", "can_heal", "delivery_id"])
    assert.ok(name in data, name);
  assert.equal(headerText("a\r\nEvil: header"), "a Evil: header");
  assert.equal(Buffer.from(headerText("ö").slice(10, -2), "base64").toString(), "ö");
});

test("a redirect is not followed, Retry-After is read, and of a large answer little", async () => {
  const receiver = await recorder(({ url }) =>
    url === "/301"
      ? { status: 301, headers: { location: "/elsewhere" } }
      : url === "/429"
        ? { status: 429, headers: { "retry-after": "7" } }
        : { status: 200, body: "x".repeat(4_000_000) },
  );
  const send = createSend(createResolver([], { get: () => null, set: () => {} }));
  const get = (path: string) =>
    send(
      { method: "GET", url: `http://127.0.0.1:${receiver.port}${path}`, headers: {}, body: null },
      AbortSignal.timeout(5_000),
    );
  assert.deepEqual(await get("/301"), { kind: "answered", status: 301, retryAfter: null });
  assert.deepEqual(await get("/429"), { kind: "answered", status: 429, retryAfter: 7_000 });
  assert.equal((await get("/large")).kind, "answered");
  assert.deepEqual(
    receiver.got.map(({ url }) => url),
    ["/301", "/429", "/large"],
  );
  const refused = await send(
    { method: "GET", url: "http://127.0.0.1:1/secret-path", headers: {}, body: null },
    AbortSignal.timeout(5_000),
  );
  assert.ok(refused.kind === "failed" && /ECONNREFUSED/.test(refused.detail) && !/secret-path/.test(refused.detail));
  assert.equal(retryAfterMillis("soon", 0), null);
  assert.equal(retryAfterMillis("Thu, 01 Jan 1970 00:01:00 GMT", 0), 60_000);
});

test("names are asked of hub.resolvers alone, and the last good answer outlives them", async () => {
  const receiver = await recorder();
  const server = createSocket("udp4");
  let asked = 0;
  server.on("message", (bytes, from) => {
    asked++;
    const { id, questions } = packet.decode(bytes) as unknown as {
      id: number;
      questions: { name: string; type: string }[];
    };
    const answers =
      questions[0]!.type === "A" ? [{ type: "A", name: questions[0]!.name, ttl: 1, data: "127.0.0.1" }] : [];
    server.send(packet.encode({ type: "response", id, questions, answers } as never), from.port, from.address);
  });
  await new Promise<void>((resolve) => server.bind(0, "127.0.0.1", resolve));
  const memory = new Map<string, readonly string[]>();
  const port = {
    get: (name: string) => memory.get(name) ?? null,
    set: (name: string, addresses: readonly string[]) => void memory.set(name, addresses),
  };
  const servers = [`127.0.0.1:${server.address().port}`];
  const url = `http://ntfy.no-such-name.example:${receiver.port}/topic`;
  const post = (resolver: ReturnType<typeof createResolver>) =>
    createSend(resolver)({ method: "POST", url, headers: {}, body: "x" }, AbortSignal.timeout(8_000));
  assert.equal((await post(createResolver(servers, port))).kind, "answered");
  assert.equal(receiver.got[0]?.headers.host, `ntfy.no-such-name.example:${receiver.port}`);
  assert.equal(asked, 2, "A and AAAA");
  server.close();
  assert.deepEqual(
    await createResolver(servers, port).resolve("127.0.0.9"),
    ["127.0.0.9"],
    "an address is no question",
  );
  assert.equal(
    (await post(createResolver(servers, port))).kind,
    "answered",
    "by the last good answer, in a new process",
  );
  const never = await post(createResolver(servers, { get: () => null, set: () => {} }));
  assert.equal(never.kind, "failed");
});

test("a transaction of the store is all or nothing, and what returned is there after a reopen", () => {
  const path = join(dir, "store");
  const sql = openSqlite(path);
  const store = openStore(sql);
  store.transaction(() => store.setMeta("a", { n: 1 }));
  assert.throws(() =>
    store.transaction(() => {
      store.setMeta("a", { n: 2 });
      store.addEvent(event);
      throw new Error("half way");
    }),
  );
  assert.throws(() => openSqlite(path), StoreError, "a second hub is kept off");
  sql.close();
  const again = openSqlite(path);
  const restored = openStore(again);
  assert.deepEqual([restored.meta("a"), restored.lastEventSeq()], [{ n: 1 }, 0]);
  assert.equal(again.all("PRAGMA journal_mode")[0]?.["journal_mode"], "wal");
  assert.equal(again.all("PRAGMA synchronous")[0]?.["synchronous"], 2);
  again.close();
});

test("what is kept is bounded", () => {
  const sql = openSqlite(":memory:");
  const store = openStore(sql);
  store.transaction(() => {
    for (let seq = 1; seq <= 10_050; seq++) store.addEvent({ ...event, seq });
    for (let n = 0; n < 50; n++) store.addObservation("lan", n, "{}");
    store.prune(0, 25);
  });
  assert.equal(sql.all("SELECT count(*) AS n FROM events")[0]?.["n"], 10_000);
  assert.equal(sql.all("SELECT count(*) AS n FROM observations")[0]?.["n"], 25);
  sql.close();
});

test("a secret that is missing, short, a default or readable by others is refused without being shown", () => {
  const path = join(dir, "secret");
  const write = (text: string, mode: number) => {
    writeFileSync(path, text);
    chmodSync(path, mode);
  };
  assert.throws(() => readSecret(join(dir, "none")), /missing/);
  write("short", 0o600);
  assert.throws(() => readSecret(path), /shorter than 16/);
  write("changeme-changeme-changeme", 0o600);
  assert.throws(() => readSecret(path), /default|shorter/);
  write("a-good-long-secret-value", 0o644);
  assert.throws(
    () => readSecret(path),
    (error: Error) => /0644.*chmod 600/.test(error.message) && !error.message.includes("a-good-long"),
  );
  write("a-good-long-secret-value\n", 0o600);
  assert.equal(readSecret(path), "a-good-long-secret-value");
  write("a-new-and-long-secret-value\na-good-long-secret-value\n", 0o600);
  assert.deepEqual(readSecrets(path), ["a-new-and-long-secret-value", "a-good-long-secret-value"]);
  write("a-new-and-long-secret-value\nshort\n", 0o600);
  assert.throws(() => readSecrets(path), /shorter than 16/);
});
