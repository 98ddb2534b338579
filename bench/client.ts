import { createSocket } from "node:dgram";
import { monoMillis } from "../src/runtime/node/clock.ts";

/**
 * A warm client: asks a DNS server over UDP every few milliseconds and, when asked over IPC, says how long the longest stretch
 * without an answered query was. Usage: client.ts ADDRESS INTERVAL_MS
 */
export interface GapAsk {
  readonly fromMono: number;
  readonly toMono: number;
}
export interface GapSaid {
  /** Between the sending times of two answered queries that follow each other; the interval itself is part of it. */
  readonly gapMs: number;
  readonly answered: number;
}

const [address = "127.0.0.1", interval = "5"] = process.argv.slice(2);
const KEPT = 8_192;
/** DNS header with one question: the root, NS. */
const query = Buffer.from([0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1]);
const sent = new Float64Array(65_536);
const isAnswered = new Uint8Array(65_536);
let id = 0;

const socket = createSocket("udp4");
socket.on("error", () => {}); // A refused query is an unanswered one.
socket.on("message", (answer) => {
  isAnswered[answer.readUInt16BE(0)] = 1;
});
socket.connect(53, address, () => {
  setInterval(() => {
    id = (id + 1) % 65_536;
    query.writeUInt16BE(id, 0);
    sent[id] = monoMillis();
    isAnswered[id] = 0;
    socket.send(Buffer.from(query), () => {});
  }, Number(interval));
  process.send?.("ready");
});

process.on("message", ({ fromMono, toMono }: GapAsk) => {
  let last: number | null = null;
  let gapMs = 0;
  let answered = 0;
  for (let back = KEPT; back >= 0; back--) {
    const at = (id - back + 65_536) % 65_536;
    const time = sent[at]!;
    if (time < fromMono || time > toMono || isAnswered[at] !== 1) continue;
    if (last !== null) gapMs = Math.max(gapMs, time - last);
    last = time;
    answered++;
  }
  process.send?.({ gapMs, answered } satisfies GapSaid);
});
process.on("disconnect", () => process.exit(0));
