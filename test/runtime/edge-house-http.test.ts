import assert from "node:assert/strict";
import { createServer, type RequestListener, type Server } from "node:http";
import { type AddressInfo, createServer as createTcp } from "node:net";
import { after, test } from "node:test";
import { edgeOf } from "../../src/runtime/node/hub-edge.ts";
import { createResolver } from "../../src/runtime/node/hub-resolver.ts";
import { EDGE, houseWithEdge } from "../support/edge.ts";

const SIGNED = { "webhook-id": "b-1", "webhook-timestamp": "1", "webhook-signature": "v1,x" };
const closers: (() => void)[] = [];
after(() => {
  for (const close of closers) close();
});

async function serving(listener: RequestListener): Promise<string> {
  const server: Server = createServer(listener);
  closers.push(() => {
    server.close();
    server.closeAllConnections();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** One heartbeat to this place, over the hub's own way, with so much patience. */
async function beat(url: string, patience = 3_000) {
  const resolver = createResolver([], { get: () => null, set: () => {} });
  const keys = { vantageKeys: () => [], tokens: () => [], edgeKeys: () => [], healKeys: () => [] };
  const port = edgeOf(houseWithEdge({ edge: { ...EDGE, url } }), keys, resolver)!;
  const began = performance.now();
  const reply = await port.send(SIGNED, "{}", AbortSignal.timeout(patience));
  return { reply, ms: performance.now() - began };
}

test("a heartbeat is a POST to the site's own path, with its signature, and its answer comes back whole", async () => {
  let seen = "";
  const url = await serving((request, response) => {
    seen = `${request.method} ${request.url} ${request.headers["webhook-id"]} ${request.headers["content-type"]}`;
    response.writeHead(202).end('{"site":"home"}');
  });
  const { reply } = await beat(`${url}/`);
  assert.equal(seen, "POST /v1/sites/home/heartbeats b-1 application/json");
  assert.ok(
    reply.kind === "answered" && reply.status === 202 && reply.body === '{"site":"home"}' && reply.date !== null,
  );
});

test("an answer of a gigabyte is given up after 64 KiB, without its body", async () => {
  let sent = 0;
  const url = await serving((_, response) => {
    response.writeHead(200);
    const chunk = Buffer.alloc(65_536);
    const more = () => {
      while (!response.destroyed && sent < 1e9) {
        sent += chunk.length;
        if (!response.write(chunk)) return void response.once("drain", more);
      }
    };
    more();
  });
  const { reply } = await beat(url);
  assert.ok(reply.kind === "answered" && reply.body === null);
  assert.ok(sent < 32 * 1_048_576, `${sent} bytes were taken`);
});

test("an answer that drips ends with the patience, not with the answer", async () => {
  const url = await serving((_, response) => {
    response.writeHead(200);
    const timer = setInterval(() => response.write("x"), 50);
    response.on("close", () => clearInterval(timer));
  });
  const { reply, ms } = await beat(url, 700);
  assert.equal(reply.kind, "failed");
  assert.ok(ms < 2_500, `${ms} ms`);
});

test("a redirect is not followed: nobody else gets a heartbeat", async () => {
  let strangers = 0;
  const stranger = await serving((_, response) => {
    strangers += 1;
    response.end("{}");
  });
  const url = await serving((_, response) => response.writeHead(307, { location: `${stranger}/v1` }).end());
  const { reply } = await beat(url);
  assert.ok(reply.kind === "answered" && reply.status === 307);
  assert.equal(strangers, 0);
});

test("an edge that hangs up, breaks off or speaks no HTTP is a failure in words without the URL", async () => {
  const server = createTcp((socket) => {
    socket.on("error", () => {});
    socket.end("SSH-2.0-OpenSSH_9.2\r\n");
  });
  closers.push(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { reply } = await beat(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  assert.ok(reply.kind === "failed" && !reply.detail.includes("http://"), JSON.stringify(reply));
  const broken = await serving((_, response) => {
    response.writeHead(200, { "content-length": "1000" });
    response.write("half");
    setTimeout(() => response.destroy(), 50);
  });
  assert.equal((await beat(broken)).reply.kind, "failed");
});
