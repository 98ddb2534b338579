import assert from "node:assert/strict";
import { createServer, type Socket } from "node:net";
import { test } from "node:test";
import type { Attempt } from "../../src/core/delivery.ts";
import { createResolver } from "../../src/runtime/node/hub-resolver.ts";
import { createSend } from "../../src/runtime/node/hub-send.ts";
import { harness, round } from "../support/hub.ts";

const send = createSend(createResolver([], { get: () => null, set: () => {} }));

/** A receiver of raw bytes, and how many of them were taken. */
async function receiver(serve: (socket: Socket) => void) {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("data", () => serve(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const ask = (millis: number): Promise<Attempt> =>
    send({ method: "POST", url: `http://127.0.0.1:${port}/x`, headers: {}, body: "{}" }, AbortSignal.timeout(millis));
  const close = () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  return { ask, close };
}

test("fault 27: a receiver that hangs, resets, talks no HTTP or answers with 1 GB costs its deadline and 4 KiB", async () => {
  const hanging = await receiver(() => {});
  const began = performance.now();
  assert.equal((await hanging.ask(300)).kind, "failed");
  assert.ok(performance.now() - began < 2_000);
  const resetting = await receiver((socket) => socket.resetAndDestroy());
  assert.equal((await resetting.ask(2_000)).kind, "failed");
  const garbage = await receiver((socket) => socket.end("220 mail.example ESMTP\r\n"));
  assert.equal((await garbage.ask(2_000)).kind, "failed");

  let sent = 0;
  const endless = await receiver((socket) => {
    socket.write("HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n");
    const piece = Buffer.alloc(65_536, 120);
    const more = () => {
      while (sent < 1_000_000_000 && !socket.destroyed) {
        sent += piece.length;
        if (!socket.write(piece)) return void socket.once("drain", more);
      }
    };
    more();
  });
  assert.deepEqual(await endless.ask(5_000), { kind: "answered", status: 200, retryAfter: null });
  assert.ok(sent < 32_000_000, `${sent} bytes were sent, most of them into buffers of the kernel`);
  for (const one of [hanging, resetting, garbage, endless]) one.close();
});

test("fault 27: 500 is tried on, 429 waits as asked, 301 is no success, 410 is disabled visibly", async () => {
  const tries: Record<string, number[]> = { s500: [], s429: [], s301: [], s410: [] };
  const made = harness({
    subscribers: Object.entries(tries).map(([name, times]) => ({
      name,
      events: null,
      confirms: false,
      deliver: async (): Promise<Attempt> => {
        times.push(made.hand.clock.mono());
        return { kind: "answered", status: Number(name.slice(1)), retryAfter: name === "s429" ? 1_800_000 : null };
      },
    })),
  });
  made.hub.start();
  await made.hand.pass(100);
  made.hub.testNotification();
  for (let quarter = 0; quarter < 4; quarter++) await made.hand.pass(900_000);
  const pauses = (name: string) => tries[name]!.slice(1).map((at, index) => at - tries[name]![index]!);
  assert.ok(tries["s500"]!.length >= 6, `${tries["s500"]!.length} tries in an hour`);
  assert.ok(pauses("s429").length > 0 && pauses("s429").every((pause) => pause >= 1_800_000));
  assert.ok(tries["s301"]!.length >= 6, "a redirect is a failure like another");
  assert.equal(tries["s410"]!.length, 1);
  const { subscribers, deliveries } = made.hub.deliveries(false);
  assert.match(subscribers.find(({ name }) => name === "s410")?.disabled ?? "", /410/);
  assert.equal(deliveries.find(({ subscriber }) => subscriber === "s410")?.state, "dead");
  made.hub.stop();
});

test("fault 27: while one subscriber hangs, votes and the others go on (I24)", async () => {
  const got: string[] = [];
  const made = harness({
    subscribers: [
      { name: "hangs", events: null, confirms: false, deliver: () => new Promise<Attempt>(() => {}) },
      {
        name: "fine",
        events: null,
        confirms: false,
        deliver: async (message) => {
          got.push(message.event.data.event);
          return { kind: "answered", status: 200, retryAfter: null };
        },
      },
    ],
  });
  made.hub.start();
  await made.hand.pass(100);
  for (let seq = 1; seq <= 4; seq++) {
    for (const vantage of ["lan", "vm"])
      assert.equal((await made.report(vantage, made.observation(vantage, seq, round(false)))).status, 202);
    await made.hand.pass(1_000);
  }
  assert.ok(got.includes("failing"));
  made.hub.stop();
});
