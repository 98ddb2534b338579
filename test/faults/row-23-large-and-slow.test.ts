import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import { report, start, writeHouse } from "./house-on-loopback.ts";

const open = (port: number) =>
  new Promise<Socket>((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port }, () => resolve(socket));
    socket.once("error", reject);
  });

/** What the hub sends until it closes. */
function answerOf(socket: Socket): Promise<string> {
  let text = "";
  socket.setEncoding("latin1").on("data", (chunk: string) => {
    text += chunk;
  });
  socket.on("error", () => {});
  return new Promise((resolve) => socket.once("close", () => resolve(text)));
}

/** Writes without end until the other side has had enough; resolves with the bytes that were taken. */
async function pour(socket: Socket, head: string, piece: Buffer): Promise<number> {
  let closed = false;
  socket.once("close", () => {
    closed = true;
  });
  socket.write(head);
  let bytes = 0;
  while (!closed && bytes < 1_000_000_000) {
    bytes += piece.length;
    if (!socket.write(piece))
      await Promise.race([
        new Promise((resolve) => socket.once("drain", resolve)),
        new Promise((resolve) => socket.once("close", resolve)),
      ]);
  }
  return bytes;
}

/**
 * Pours until it is refused. What was sent and not read makes the kernel reset the connection, and on a busy machine the reset may
 * outrun the answer: then it is asked again.
 */
async function refused(port: number, head: string, piece: Buffer): Promise<{ answer: string; bytes: number }> {
  for (let left = 5; ; left--) {
    const socket = await open(port);
    const answer = answerOf(socket);
    const bytes = await pour(socket, head, piece);
    const heard = await answer;
    if (heard !== "" || left === 1) return { answer: heard, bytes };
  }
}

test("fault 23: 10 MB, 1 GB in chunks, and both lengths at once are refused; memory stays flat; slow clients are let go", {
  timeout: 90_000,
}, async () => {
  const house = await writeHouse();
  const hub = await start(["hub", "--config", house.file]);
  try {
    const head = (more: string) =>
      `POST /v1/observations HTTP/1.1\r\nHost: 127.0.0.1:${house.port}\r\nContent-Type: application/json\r\n${more}\r\n`;
    assert.equal((await report(house.port, "lan", 1)).status, 202);
    const before = hub.residentMb();

    // Slow ones first: they are waited for while the others run.
    const slow = await Promise.all(Array.from({ length: 50 }, () => open(house.port)));
    const began = performance.now();
    for (const socket of slow) socket.write("POST /heal HTTP/1.1\r\nHost: x\r\nX-Slow: ");
    const letGo = Promise.all(slow.map(answerOf));

    const length = "Content-Length: 10485760\r\nConnection: close\r\n";
    const large = await refused(house.port, head(length), Buffer.alloc(65_536, 120));
    assert.match(large.answer, /^HTTP\/1\.1 413 /);

    const chunk = Buffer.concat([Buffer.from("10000\r\n"), Buffer.alloc(65_536, 120), Buffer.from("\r\n")]);
    const chunked = await refused(house.port, head("Transfer-Encoding: chunked\r\n"), chunk);
    assert.match(chunked.answer, /^HTTP\/1\.1 413 /);
    assert.ok(chunked.bytes < 64_000_000, `${chunked.bytes} bytes were taken`);

    const both = await open(house.port);
    const bothAnswer = answerOf(both);
    both.write(`${head("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n")}0\r\n\r\n`);
    assert.match(await bothAnswer, /^HTTP\/1\.1 400 /);

    assert.equal((await report(house.port, "lan", 2)).status, 202, "others are served meanwhile");
    assert.ok(hub.residentMb() - before < 40, `${(hub.residentMb() - before).toFixed(0)} MB more`);
    await letGo;
    assert.ok(performance.now() - began < 25_000, "clients that never finish their headers are let go");
  } finally {
    assert.equal(await hub.end(), 0);
    house.remove();
  }
});
