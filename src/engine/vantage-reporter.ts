import { sign } from "../core/standard-webhooks.ts";
import type { Millis } from "../core/units.ts";
import { backOff, type HubReply, refusedKey, type VantagePorts } from "./vantage-port.ts";

const POST_TIMEOUT: Millis = 10_000;
/** Sequence numbers are reserved on disk in blocks: a write for each would wear out a memory card. */
const SEQ_BLOCK = 256;
/** How many bodies may wait in memory; the rest waits on disk. */
const MEMORY_MAX = 16;
/** Once the disk refuses as well, so many of the newest are kept. */
const MEMORY_WITHOUT_DISK = 64;
/** A body that the hub keeps failing on must not hold back all that follow. 503 does not count: that is the hub's disk. */
const ERRORS_MAX = 8;
const RETRY_AFTER_MAX: Millis = 60_000;

export interface Reporter {
  /** The next sequence number: grows strictly, also over restarts. */
  nextSeq(): Promise<number>;
  /** Takes an observation; it is sent in its turn, or kept on disk while the hub is away. */
  report(seq: number, body: string): Promise<void>;
  limit(spoolMax: number): void;
  run(signal: AbortSignal): Promise<void>;
  /** Brings what is still in memory to disk. */
  close(): Promise<void>;
}

type Verdict = "delivered" | "rejected" | "away";

type ReporterPorts = Pick<VantagePorts, "clock" | "log" | "reports" | "disk" | "hmac" | "token">;

/** Sends observations in order, the oldest first, each until the hub has taken it. */
export async function createReporter(ports: ReporterPorts, hurry: (rounds: number) => void): Promise<Reporter> {
  const { disk, log } = ports;
  /** Everything not yet delivered, oldest first; bodies are in memory or on disk. */
  const queue: number[] = [...(await disk.spooled())];
  const memory = new Map<number, string>();
  let reserved = Math.max(await disk.readSeq(), queue.at(-1) ?? 0);
  let last = reserved;
  let spoolMax = 1_000;
  let away = false;
  let failures = 0;
  let errors = 0;
  let wake = new AbortController();
  let turn: Promise<void> = Promise.resolve();

  /** One disk job at a time: writing and removing the same observation at once would leave it behind. */
  function inTurn(job: () => Promise<void>): Promise<void> {
    turn = turn.then(job);
    return turn;
  }

  const spool = (detail: string) =>
    inTurn(async () => {
      for (const seq of [...memory.keys()]) {
        const body = memory.get(seq);
        if (body === undefined) continue;
        try {
          await disk.writeSpooled(seq, body);
          memory.delete(seq);
          log("info", { event: "spooled", seq, detail }, "kept on disk");
        } catch (error) {
          log("warn", { seq, detail: String(error) }, "the disk refuses: kept in memory");
          break;
        }
      }
      while (memory.size > MEMORY_WITHOUT_DISK) {
        const oldest = memory.keys().next().value!;
        forget(oldest);
        log("warn", { event: "dropped", seq: oldest, detail: "the disk refuses" }, "an observation is lost");
      }
    });

  function forget(seq: number): void {
    const at = queue.indexOf(seq);
    if (at >= 0) queue.splice(at, 1);
    memory.delete(seq);
  }

  async function remove(seq: number): Promise<void> {
    forget(seq);
    await inTurn(() => disk.removeSpooled(seq).catch(() => {}));
  }

  async function drop(seq: number, why: string): Promise<void> {
    await remove(seq);
    log("warn", { event: "dropped", seq, detail: why }, "an observation is lost");
  }

  async function sendOldest(seq: number, signal: AbortSignal): Promise<void> {
    const body = memory.get(seq) ?? (await disk.readSpooled(seq));
    const id = body === null ? null : webhookId(body);
    if (body === null || id === null) return drop(seq, "unreadable on disk");
    const reply = await post(ports, id, body, signal);
    // An answer that came while stopping still counts: sending it again at the next start would be for nothing.
    if (signal.aborted && reply.status === null) return;
    const verdict = judge(reply);
    if (verdict === "away") {
      errors = (reply.status ?? 0) >= 500 && reply.status !== 503 ? errors + 1 : 0;
      if (errors >= ERRORS_MAX) {
        errors = 0;
        return drop(seq, `the hub fails on it: HTTP ${reply.status}`);
      }
      return hold(reply, signal);
    }
    if (away) log("info", { waiting: queue.length }, "the hub answers again");
    away = false;
    failures = 0;
    errors = 0;
    await remove(seq);
    if (verdict === "rejected")
      log(
        "error",
        { event: "dropped", seq, status: reply.status, detail: reply.body.slice(0, 300) },
        "the hub rejects an observation",
      );
    else log("info", { event: "delivered", seq, status: reply.status }, "delivered");
    hurry(roundsIn(reply));
  }

  async function hold(reply: HubReply, signal: AbortSignal): Promise<void> {
    failures++;
    const detail = reply.status === null ? (reply.detail ?? "no answer") : `HTTP ${reply.status}`;
    const wait = Math.max(backOff(failures), retryAfter(reply));
    if (reply.status === 401) log("error", { status: 401, retry_ms: wait }, refusedKey(ports.token));
    else if (!away)
      log("warn", { detail, retry_ms: wait }, `the hub at ${ports.token.hub} does not take reports: ${detail}`);
    away = true;
    await spool(detail);
    await ports.clock.sleep(wait, signal);
  }

  /** A disk that refuses is asked again with the next number; within this process the numbers grow all the same. */
  async function reserve(): Promise<void> {
    if (last <= reserved) return;
    const block = last + SEQ_BLOCK - 1;
    try {
      await disk.writeSeq(block);
      reserved = block;
    } catch (error) {
      log("warn", { detail: String(error) }, "the sequence could not be stored");
    }
  }

  return {
    async nextSeq() {
      last++;
      await reserve();
      return last;
    },
    async report(seq, body) {
      queue.push(seq);
      memory.set(seq, body);
      if (away || memory.size > MEMORY_MAX) await spool(away ? "the hub is away" : "the hub is slow");
      while (queue.length > spoolMax) await drop(queue[0]!, `more than ${spoolMax} are waiting`);
      wake.abort();
    },
    limit(wanted) {
      spoolMax = wanted;
    },
    async run(signal) {
      signal.addEventListener("abort", () => wake.abort(), { once: true });
      while (!signal.aborted) {
        wake = new AbortController();
        const oldest = queue[0];
        if (oldest === undefined) await ports.clock.sleep(3_600_000, wake.signal);
        else await sendOldest(oldest, signal);
      }
    },
    async close() {
      await reserve();
      await spool("the vantage stops");
    },
  };
}

/** The id stays the same on every try, the timestamp is fresh: a late delivery must not look forged (Standard Webhooks). */
async function post(ports: ReporterPorts, id: string, body: string, signal: AbortSignal): Promise<HubReply> {
  const signed = await sign([ports.token.key], id, Math.floor(ports.clock.wall() / 1_000), body, ports.hmac);
  const headers = { "content-type": "application/json", ...signed };
  return ports.reports.send({ method: "POST", path: "/v1/observations", headers, body, timeout: POST_TIMEOUT }, signal);
}

/** 409: the hub has this number with another body, and will never take this one. 401 and 5xx may be over in a minute. */
function judge(reply: HubReply): Verdict {
  if (reply.status === null) return "away";
  if (reply.status >= 200 && reply.status < 300) return "delivered";
  return [400, 403, 409, 413, 415, 422].includes(reply.status) ? "rejected" : "away";
}

function webhookId(body: string): string | null {
  try {
    const { boot_id, seq } = JSON.parse(body) as { boot_id?: unknown; seq?: unknown };
    const id = `${boot_id}_${seq}`;
    return /^[A-Za-z0-9_-]{3,64}$/.test(id) ? id : null;
  } catch {
    return null;
  }
}

function roundsIn(reply: HubReply): number {
  try {
    const { rounds } = JSON.parse(reply.body) as { rounds?: unknown };
    return typeof rounds === "number" && Number.isFinite(rounds) ? rounds : 0;
  } catch {
    return 0;
  }
}

function retryAfter(reply: HubReply): Millis {
  const seconds = Number(reply.headers["retry-after"]);
  return Number.isFinite(seconds) && seconds > 0 ? Math.min(RETRY_AFTER_MAX, seconds * 1_000) : 0;
}
