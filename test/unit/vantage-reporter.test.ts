import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { HubLine, HubReply, VantageDisk } from "../../src/engine/vantage-port.ts";
import { createReporter } from "../../src/engine/vantage-reporter.ts";
import { hmac } from "../../src/runtime/node/hmac.ts";

const token = {
  hub: "http://10.9.0.1:8787",
  site: "attic",
  vantage: "desk",
  key: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
};
const SPOOL_MAX = 20;

/** A disk that outlives a process, and may refuse to write. */
function memoryDisk() {
  const state = { seq: 0, files: new Map<number, string>(), full: false };
  const refuse = async () => {
    if (state.full) throw Object.assign(new Error("ENOSPC"), { code: "ENOSPC" });
  };
  const disk: VantageDisk = {
    readPlan: async () => null,
    writePlan: refuse,
    readSeq: async () => state.seq,
    writeSeq: async (seq) => {
      await refuse();
      state.seq = seq;
    },
    spooled: async () => [...state.files.keys()].sort((a, b) => a - b),
    readSpooled: async (seq) => state.files.get(seq) ?? null,
    writeSpooled: async (seq, body) => {
      await refuse();
      state.files.set(seq, body);
    },
    removeSpooled: async (seq) => void state.files.delete(seq),
  };
  return { disk, state };
}

const answer = (status: number | null, body = "{}", headers = {}): HubReply => ({
  status,
  headers,
  body,
  detail: status === null ? "ECONNREFUSED" : null,
});

/** A hub that answers as it is told, and the reporter of one process life. Sleeping ends at once, or when it is woken. */
async function life(
  memory: ReturnType<typeof memoryDisk>,
  boot: string,
  hub: { reply: () => HubReply; taken: number[]; ids: string[] },
) {
  const stop = new AbortController();
  const logs: Readonly<Record<string, unknown>>[] = [];
  const hurried: number[] = [];
  let idle: (() => void)[] = [];
  const line: HubLine = {
    async send(request) {
      const reply = hub.reply();
      if (reply.status === 202) {
        hub.taken.push((JSON.parse(request.body!) as { seq: number }).seq);
        hub.ids.push(request.headers["webhook-id"]!);
      }
      return reply;
    },
  };
  const reporter = await createReporter(
    {
      clock: {
        mono: () => 0,
        wall: () => 1_795_000_000_000,
        sleep: (_millis, signal) =>
          new Promise((resolve) => {
            for (const each of idle) each();
            idle = [];
            if (signal?.aborted) return resolve();
            signal?.addEventListener("abort", () => resolve(), { once: true });
            if (_millis <= 60_000) setImmediate(resolve);
          }),
      },
      log: (level, fields, message) => logs.push({ level, message, ...fields }),
      reports: line,
      disk: memory.disk,
      hmac,
      token,
    },
    (rounds) => hurried.push(rounds),
  );
  reporter.limit(SPOOL_MAX);
  const running = reporter.run(stop.signal);
  return {
    logs,
    hurried,
    async observe() {
      const seq = await reporter.nextSeq();
      await reporter.report(seq, JSON.stringify({ boot_id: boot, seq }));
      return seq;
    },
    /** Until the loop next sleeps: it has then sent all that it could. */
    settled: () => new Promise<void>((resolve) => idle.push(resolve)),
    async end() {
      stop.abort();
      await running;
      await reporter.close();
    },
  };
}

test("over outages, restarts and a full disk: numbers grow strictly, what is sent is in order, and the spool stays bounded", async () => {
  const step = fc.constantFrom(
    "observe",
    "observe",
    "observe",
    "hub-down",
    "hub-up",
    "restart",
    "disk-full",
    "disk-fine",
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 60 }), async (steps) => {
      const memory = memoryDisk();
      let up = true;
      const hub = { reply: () => (up ? answer(202) : answer(null)), taken: [] as number[], ids: [] as string[] };
      let boot = 1;
      let process = await life(memory, `boot${boot}`, hub);
      const numbers: number[] = [];
      for (const each of steps) {
        if (each === "observe") numbers.push(await process.observe());
        if (each === "hub-down") up = false;
        if (each === "hub-up") up = true;
        if (each === "disk-full") memory.state.full = true;
        if (each === "disk-fine") memory.state.full = false;
        if (each === "restart" && !memory.state.full) {
          await process.end();
          process = await life(memory, `boot${++boot}`, hub);
        }
        assert.ok(memory.state.files.size <= SPOOL_MAX + 1, `${memory.state.files.size} files`);
      }
      up = true;
      memory.state.full = false;
      const last = await process.observe();
      numbers.push(last);
      while (hub.taken.at(-1) !== last) await process.settled();
      await process.end();
      for (const list of [numbers, hub.taken])
        assert.deepEqual(
          list,
          [...new Set(list)].sort((a, b) => a - b),
        );
      const dropped = numbers.length - hub.taken.length;
      if (numbers.length <= SPOOL_MAX) assert.equal(dropped, 0);
      assert.equal(memory.state.files.size, 0);
    }),
    { numRuns: 60 },
  );
});

test("a retry keeps the id, and an observation of an earlier process keeps that process's boot id", async () => {
  const memory = memoryDisk();
  let up = false;
  const hub = { reply: () => (up ? answer(202) : answer(503)), taken: [] as number[], ids: [] as string[] };
  const first = await life(memory, "bootA", hub);
  const seq = await first.observe();
  await first.settled();
  await first.end();
  assert.equal(memory.state.files.size, 1);
  up = true;
  const second = await life(memory, "bootB", hub);
  while (hub.ids.length === 0) await second.settled();
  await second.end();
  assert.deepEqual(hub.ids, [`bootA_${seq}`]);
});

test("a 401 is said in words that tell what to type, and the observation is kept", async () => {
  const memory = memoryDisk();
  const hub = { reply: () => answer(401), taken: [], ids: [] };
  const process = await life(memory, "bootA", hub);
  await process.observe();
  await process.settled();
  await process.end();
  assert.ok(
    process.logs.some(
      (line) => line["level"] === "error" && /hairpin token vantage desk/.test(String(line["message"])),
    ),
  );
  assert.equal(memory.state.files.size, 1);
});

test("what the hub rejects for good is told and holds nothing back", async () => {
  const memory = memoryDisk();
  const replies = [answer(422, '{"title":"no"}'), answer(202, '{"rounds":3}')];
  const hub = { reply: () => replies.shift() ?? answer(202), taken: [] as number[], ids: [] };
  const process = await life(memory, "bootA", hub);
  await process.observe();
  const second = await process.observe();
  while (hub.taken.length === 0) await process.settled();
  await process.end();
  assert.deepEqual(hub.taken, [second]);
  assert.ok(process.logs.some((line) => line["event"] === "dropped" && line["status"] === 422));
  assert.ok(process.hurried.includes(3));
});
