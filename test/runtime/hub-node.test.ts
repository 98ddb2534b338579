import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
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
import { readSecret } from "../../src/runtime/node/secret-file.ts";
import { openSqlite } from "../../src/runtime/node/store-sqlite.ts";

const dir = mkdtempSync(join(tmpdir(), "hairpin-hub-"));
const MAIN = new URL("../../src/cli/main.ts", import.meta.url).pathname;
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

interface Received {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

/** A receiver that records, and answers what the test says. */
async function recorder(
  answer: (received: Received) => { status: number; headers?: Record<string, string>; body?: string } = () => ({
    status: 200,
  }),
) {
  const got: Received[] = [];
  let wake = () => {};
  const server: Server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (chunk: string) => {
      body += chunk;
    });
    request.on("end", () => {
      const received = { method: request.method ?? "", url: request.url ?? "", headers: request.headers, body };
      const { status, headers, body: text } = answer(received);
      got.push(received);
      response.writeHead(status, headers).end(text ?? "");
      wake();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  open.push({ close: () => server.close() });
  const until = async (wanted: (all: readonly Received[]) => boolean) => {
    while (!wanted(got)) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  return { got, until, port: (server.address() as AddressInfo).port };
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
  const base = { name: "chat", url: `http://127.0.0.1:${receiver.port}/hook`, events: null, secret };
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
});

interface HubProcess {
  readonly child: ChildProcess;
  readonly lines: Record<string, unknown>[];
  until(wanted: (line: Record<string, unknown>) => boolean): Promise<Record<string, unknown>>;
  end(): Promise<number | null>;
}

function hairpin(args: readonly string[]): HubProcess {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  const lines: Record<string, unknown>[] = [];
  const waiting: (() => void)[] = [];
  let rest = "";
  child.stdout!.setEncoding("utf8").on("data", (chunk: string) => {
    const parts = (rest + chunk).split("\n");
    rest = parts.pop() ?? "";
    for (const part of parts) lines.push(JSON.parse(part) as Record<string, unknown>);
    for (const wake of waiting.splice(0)) wake();
  });
  const exited = new Promise<number | null>((resolve) => child.once("exit", (code) => resolve(code)));
  return {
    child,
    lines,
    async until(wanted) {
      for (;;) {
        const found = lines.find(wanted);
        if (found !== undefined) return found;
        await Promise.race([
          new Promise<void>((resolve) => waiting.push(resolve)),
          exited.then(() => Promise.reject(new Error("the hub has ended"))),
        ]);
      }
    },
    end() {
      child.kill("SIGTERM");
      return exited;
    },
  };
}

async function output(args: readonly string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    stdout += chunk;
  });
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    stderr += chunk;
  });
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { code, stdout, stderr };
}

function rawRequest(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port }, () => socket.write(text));
    let answer = "";
    socket.setEncoding("utf8").on("data", (chunk: string) => {
      answer += chunk;
    });
    socket.once("close", () => resolve(answer));
    socket.once("error", reject);
  });
}

test("a hub process takes signed reports, tells Home Assistant, answers the CLI, and refuses what is no HTTP", {
  timeout: 60_000,
}, async () => {
  const home = await recorder();
  const house = join(dir, "house");
  mkdirSync(join(house, "keys"), { recursive: true });
  const keys = { lan: key(), vm: key(), op: randomBytes(24).toString("base64"), hook: randomBytes(32).toString("hex") };
  for (const [name, secret] of Object.entries(keys)) writeFileSync(join(house, "keys", name), secret, { mode: 0o600 });
  const config = join(house, "hairpin.yaml");
  const socket = join(house, "hub.sock");
  const port = 20_000 + (createHash("sha256").update(house).digest().readUInt16BE() % 20_000);
  writeFileSync(
    config,
    `site: home
schedule: "*/10 * * * * *"
targets:
  dns: { address: 192.0.2.53, checks: [{ dns: { name: a.example } }] }
vantages:
  lan: { where: lan, key_file: keys/lan }
  vm: { where: vm, key_file: keys/vm }
hub:
  listen: ["127.0.0.1:${port}", "unix:${socket}"]
  url: "http://127.0.0.1:${port}"
  data: data
  tokens: [{ name: op, scopes: [heal, ack, read, pause], token_file: keys/op }]
notify:
  - home_assistant: { url: "http://127.0.0.1:${home.port}", webhook_id_file: keys/hook }
`,
  );
  const hub = hairpin(["hub", "--config", config]);
  await hub.until((line) => line["event"] === "ready");
  assert.equal(statSync(socket).mode & 0o777, 0o660);

  const send = createSend(createResolver([], { get: () => null, set: () => {} }));
  for (let seq = 1; seq <= 4; seq++) {
    for (const vantage of ["lan", "vm"] as const) {
      const check = {
        target: "dns",
        check: "dns",
        id: "dns:a.example",
        ok: false,
        failure: "no_reply",
        detail: "no answer",
        ms: 1_000,
        tries: 3,
      };
      const body = JSON.stringify({
        type: "hairpin.observation.v1",
        aud: "home",
        vantage,
        boot_id: "b",
        seq,
        observed_at: new Date().toISOString(),
        mono_ms: 1,
        control: { ok: true },
        checks: [check],
      });
      const headers = {
        "content-type": "application/json",
        ...(await sign([keys[vantage]], `b_${seq}`, Math.floor(Date.now() / 1_000), body, hmac)),
      };
      assert.deepEqual(
        await send(
          { method: "POST", url: `http://127.0.0.1:${port}/v1/observations`, headers, body },
          AbortSignal.timeout(5_000),
        ),
        { kind: "answered", status: 202, retryAfter: null },
      );
    }
  }
  await home.until((all) => all.some(({ body }) => body.includes('"failing"')));
  const told = home.got.find(({ body }) => body.includes('"failing"'))!;
  assert.equal(told.url, `/api/webhook/${keys.hook}`);
  const alert = JSON.parse(told.body) as { schema: string; target: string; delivery_id: string };
  assert.deepEqual([alert.schema, alert.target], ["hairpin/alert/1", "dns"]);

  const status = await output(["status", "--config", config, "--json"]);
  assert.equal(status.code, 1);
  assert.equal((JSON.parse(status.stdout) as { state: string }).state, "failing");
  const events = await output(["events", "--url", `http://127.0.0.1:${port}`, "--json"]);
  assert.equal((JSON.parse(events.stdout.split("\n")[0]!) as HairpinEvent).data.event, "failing");
  const token = await output(["token", "vantage", "lan", "--config", config]);
  const join1 = JSON.parse(Buffer.from(token.stdout.trim().slice("hairpin1.".length), "base64url").toString()) as {
    hub: string;
    key: string;
  };
  assert.deepEqual([join1.hub, join1.key], [`http://127.0.0.1:${port}`, keys.lan]);

  for (const [sent, status] of [
    [`POST /heal HTTP/1.1\r\nConnection: close\r\n\r\n`, "400"],
    [`POST /heal HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\n\r\n`, "400"],
    [`POST /heal HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n`, "421"],
    [
      `POST /heal HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n`,
      "400",
    ],
    [
      `POST /v1/observations HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Type: application/json\r\nContent-Length: 10000000\r\n\r\n`,
      "413",
    ],
  ] as const) {
    assert.equal((await rawRequest(port, sent)).split(" ")[1], status, sent.slice(0, 60));
  }

  const second = await output(["hub", "--config", config]);
  assert.equal(second.code, 1, "a second hub on the same store and port ends");
  const rss = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${hub.child.pid}/status`, "utf8"))?.[1]) / 1_024;
  assert.ok(rss < 130, `${rss.toFixed(0)} MB resident`);

  await output(["token", "revoke", "vm", "--config", config]);
  assert.notEqual(readFileSync(join(house, "keys", "vm"), "utf8").trim(), keys.vm);
  const text = JSON.stringify(hub.lines);
  for (const secret of Object.values(keys))
    assert.ok(!text.includes(secret.replace("whsec_", "")), "no secret in the log");
  assert.equal(await hub.end(), 0);

  chmodSync(join(house, "keys", "lan"), 0o644);
  const refused = await output(["hub", "--config", config]);
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /keys\/lan.*0644/);
});
