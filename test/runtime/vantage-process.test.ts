import assert from "node:assert/strict";
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { observation } from "../../src/core/observation.ts";
import { verify } from "../../src/core/standard-webhooks.ts";
import { hmac } from "../../src/runtime/node/hmac.ts";

const KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const MAIN = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
const PLAN = {
  type: "hairpin.plan.v1",
  site: "attic",
  vantage: "desk",
  where: "lan",
  schedule: "*/2 * * * * *",
  offset_ms: 0,
  control: { gateway: null, reference: null },
  targets: [
    {
      name: "web",
      addresses: ["127.0.0.1"],
      mac: null,
      also: {},
      checks: [
        { kind: "tcp", id: "tcp:1", port: 1 },
        { kind: "neighbour", id: "neighbour" },
      ],
    },
  ],
  links: [],
  spool_max: 50,
};
const data = mkdtempSync(join(tmpdir(), "hairpin-vantage-"));
after(() => rmSync(data, { recursive: true, force: true }));

type Line = Readonly<Record<string, unknown>>;

function start(hub: string): {
  child: ChildProcessByStdio<null, Readable, Readable>;
  line: (wanted: (line: Line) => boolean) => Promise<Line>;
} {
  const token = `hairpin1.${Buffer.from(JSON.stringify({ hub, site: "attic", vantage: "desk", key: KEY })).toString("base64url")}`;
  const child = spawn(process.execPath, [MAIN, "vantage", "--data", data], {
    env: { HAIRPIN_JOIN: token },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const lines: Line[] = [];
  const waiting = new Set<() => void>();
  createInterface({ input: child.stdout }).on("line", (text) => {
    lines.push(JSON.parse(text) as Line);
    for (const look of waiting) look();
  });
  const line = (wanted: (line: Line) => boolean) =>
    new Promise<Line>((resolve) => {
      const look = () => {
        const found = lines.find(wanted);
        if (found === undefined) return;
        waiting.delete(look);
        resolve(found);
      };
      waiting.add(look);
      look();
    });
  return { child, line };
}

async function stop(child: ChildProcessByStdio<null, Readable, Readable>): Promise<number> {
  const began = performance.now();
  child.kill("SIGTERM");
  const [code, signal] = (await once(child, "exit")) as [number | null, string | null];
  assert.deepEqual([code, signal], [0, null]);
  return performance.now() - began;
}

interface Hub {
  readonly url: string;
  readonly bodies: string[];
  readonly server: Server;
}

async function hubOf(status: number, port = 0): Promise<Hub> {
  const bodies: string[] = [];
  const server = createServer(async (request, response) => {
    const body = await bodyOf(request);
    const seconds = Math.floor(Date.now() / 1_000);
    const get = (name: string) => request.headers[name] as string | undefined;
    const signed = await verify([KEY], { get }, body, seconds, hmac);
    if (status !== 202 || !signed.ok) return response.writeHead(status === 202 ? 401 : status).end();
    if (request.method === "POST") {
      bodies.push(body);
      return response.writeHead(202, { "content-type": "application/json" }).end('{"rounds":0}');
    }
    // The long poll is held until the vantage goes.
    if (request.headers["if-none-match"] !== '"p1"')
      response.writeHead(200, { etag: '"p1"' }).end(JSON.stringify(PLAN));
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, bodies, server };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}

test("a vantage without a hub waits for one, watches with its plan, keeps what it saw while the hub is away, and sends it in order", {
  timeout: 60_000,
}, async () => {
  const probe = await hubOf(202);
  const { port } = probe.server.address() as AddressInfo;
  probe.server.close();

  const alone = start(probe.url);
  const waiting = await alone.line((line) => /no plan yet/.test(String(line["msg"])));
  assert.equal(waiting["retry_ms"], 1_000);
  assert.ok((await stop(alone.child)) < 2_000);

  const hub = await hubOf(202, port);
  const joined = start(hub.url);
  const round = await joined.line((line) => line["event"] === "round");
  assert.equal(round["round"], "first");
  assert.equal(typeof round["mono_ms"], "number");
  await joined.line((line) => line["event"] === "delivered");
  hub.server.closeAllConnections();
  hub.server.close();
  await joined.line((line) => line["event"] === "spooled");
  assert.ok((await stop(joined.child)) < 2_000);
  assert.ok(readdirSync(join(data, "spool")).length > 0);

  const back = await hubOf(202, port);
  const again = start(back.url);
  await again.line((line) => line["event"] === "plan" && line["stored"] === true);
  const own = await again.line((line) => line["event"] === "round");
  await again.line((line) => line["event"] === "delivered" && line["seq"] === own["seq"]);
  assert.ok((await stop(again.child)) < 2_000);
  back.server.closeAllConnections();
  back.server.close();
  assert.deepEqual(readdirSync(join(data, "spool")), []);

  const all = [...hub.bodies, ...back.bodies].map((body) => observation.parse(JSON.parse(body)));
  const numbers = all.map((each) => each.seq);
  assert.deepEqual(
    numbers,
    [...new Set(numbers)].sort((a, b) => a - b),
  );
  assert.equal(new Set(all.map((each) => each.boot_id)).size, 2);
  assert.equal(all[0]!.checks[0]!.failure, "refused");
});

test("a hub that refuses the key is said in words that tell what to type", { timeout: 20_000 }, async () => {
  const hub = await hubOf(401);
  const vantage = start(hub.url);
  const said = await vantage.line((line) => line["status"] === 401);
  assert.match(String(said["msg"]), /hairpin token vantage desk/);
  assert.ok(!JSON.stringify(said).includes(KEY));
  await stop(vantage.child);
  hub.server.closeAllConnections();
  hub.server.close();
});

test("a damaged token, a hub by name and a wrong flag are usage errors, and the key is not shown", {
  timeout: 20_000,
}, async () => {
  const named = Buffer.from(
    JSON.stringify({ hub: "http://hub.lan:8787", site: "attic", vantage: "desk", key: KEY }),
  ).toString("base64url");
  for (const argv of [["--join", "hairpin1.xyz"], ["--join", `hairpin1.${named}`], ["--jion", "x"], []]) {
    const child = spawn(process.execPath, [MAIN, "vantage", ...argv], { env: {}, stdio: ["ignore", "ignore", "pipe"] });
    let text = "";
    child.stderr.on("data", (chunk) => {
      text += chunk;
    });
    const [code] = (await once(child, "close")) as [number];
    assert.equal(code, 2, text);
    assert.ok(!text.includes(KEY) && !text.includes(named));
  }
});
