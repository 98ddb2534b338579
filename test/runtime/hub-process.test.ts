import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { HairpinEvent } from "../../src/core/event.ts";
import { sign } from "../../src/core/standard-webhooks.ts";
import { hmac } from "../../src/runtime/node/hmac.ts";
import { createResolver } from "../../src/runtime/node/hub-resolver.ts";
import { createSend } from "../../src/runtime/node/hub-send.ts";
import { recorder as record } from "../support/recorder.ts";

const dir = mkdtempSync(join(tmpdir(), "hairpin-hub-"));
const MAIN = new URL("../../src/cli/main.ts", import.meta.url).pathname;
const open: { close(): unknown }[] = [];
after(() => {
  for (const one of open) one.close();
  rmSync(dir, { recursive: true, force: true });
});

const key = () => `whsec_${randomBytes(32).toString("base64")}`;
/** A receiver that is closed when the tests of this file are over. */
async function recorder(answer?: Parameters<typeof record>[0]) {
  const made = await record(answer);
  open.push(made);
  return made;
}

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
