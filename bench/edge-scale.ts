import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { sign } from "../src/core/standard-webhooks.ts";
import { hmac } from "../src/runtime/node/hmac.ts";
import { recorder } from "../test/support/recorder.ts";
import { startBare } from "./edge-cpu.ts";

/**
 * `npm run edge:scale`: a fleet in the local runtime, with the Worker that is deployed. It prints how many heartbeats are accepted a
 * second, the memory, how late alarms are, and what one site costs a day in rows, requests and alarms. Nothing is asserted: numbers
 * depend on the machine. SITES and SECONDS make it larger or longer.
 */
process.env["CLOUDFLARE_CF_FETCH_ENABLED"] = "false";
process.env["WRANGLER_SEND_METRICS"] = "false";
process.env["WRANGLER_LOG"] = "error";

const SITES = Number(process.env["SITES"] ?? 1_000);
const SECONDS = Number(process.env["SECONDS"] ?? 60);
const EVERY = 30_000;
const SILENCE = 15_000;
const BURST_SECONDS = 10;
const AT_ONCE = 32;
const ADMIN = "admin-token-of-the-bench";
const key = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;
const root = new URL("../", import.meta.url).pathname;

const say = (line: string): void => console.log(line);
const percentile = (sorted: readonly number[], part: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
const spread = (values: readonly number[], unit = "ms"): string => {
  const sorted = [...values].sort((a, b) => a - b);
  const shown = (part: number) => percentile(sorted, part).toFixed(0);
  return `p50 ${shown(0.5)}, p99 ${shown(0.99)}, worst ${shown(1)} ${unit}`;
};

/** The runtime's processes below this one, by their name: resident memory and CPU time as the kernel counts them. */
function runtimeUse(): { readonly megabytes: number; readonly cpuMs: number } {
  const lines = execFileSync("ps", ["-eo", "pid=,ppid=,rss=,comm="], { encoding: "utf8" }).trim().split("\n");
  const all = lines.map((line) => line.trim().split(/\s+/));
  const below = new Set([process.pid]);
  for (let found = true; found; ) {
    found = false;
    for (const [pid, ppid] of all)
      if (below.has(Number(ppid)) && !below.has(Number(pid))) {
        below.add(Number(pid));
        found = true;
      }
  }
  let kilobytes = 0;
  let ticks = 0;
  for (const [pid, , rss, comm] of all) {
    if (!below.has(Number(pid)) || comm !== "workerd") continue;
    kilobytes += Number(rss);
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
    ticks += Number(fields[11]) + Number(fields[12]);
  }
  return { megabytes: kilobytes / 1_024, cpuMs: ticks * 10 };
}

const names = Array.from({ length: SITES }, (_, index) => `site-${String(index).padStart(6, "0")}`);
const seqs = new Map<string, number>();

function bodyOf(site: string, silence: number): string {
  const seq = (seqs.get(site) ?? 0) + 1;
  seqs.set(site, seq);
  const vantage = { state: "ok", failure: null, rtt_ms: 0.4, observed_at: new Date().toISOString() };
  const target = { state: "ok", vantages: { lan: vantage, "ha-vm": vantage, n5: vantage } };
  return JSON.stringify({
    type: "hairpin.heartbeat.v1",
    aud: "edge",
    site,
    boot_id: "bench",
    seq,
    sent_at: new Date().toISOString(),
    silence_ms: silence,
    every_ms: EVERY,
    status: {
      state: "ok",
      cause: null,
      summary: "Every address answers at every vantage.",
      since: null,
      targets: { dns: target, traefik: target },
      heal: { mode: "auto", state: "ok", breaker: "closed" },
    },
    checks: [],
    heal_results: [],
  });
}

interface Counts {
  accepted: number;
  readonly other: Map<number, number>;
  readonly ms: number[];
}
const newCounts = (): Counts => ({ accepted: 0, other: new Map(), ms: [] });

function createSender(url: string) {
  return async (site: string, silence: number, counts: Counts): Promise<void> => {
    const body = bodyOf(site, silence);
    const headers = await sign([key], `b-${site}-${seqs.get(site)}`, Math.floor(Date.now() / 1_000), body, hmac);
    const began = performance.now();
    const reply = await fetch(`${url}/v1/sites/${site}/heartbeats`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body,
    });
    await reply.arrayBuffer();
    counts.ms.push(performance.now() - began);
    if (reply.status === 202) counts.accepted++;
    else counts.other.set(reply.status, (counts.other.get(reply.status) ?? 0) + 1);
  };
}

async function inLanes<T>(items: Iterable<T>, work: (item: T) => Promise<void>): Promise<void> {
  const iterator = items[Symbol.iterator]();
  const lane = async (): Promise<void> => {
    for (let next = iterator.next(); next.done !== true; next = iterator.next()) await work(next.value);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
}

async function startEdge() {
  const { createTestHarness } = await import("wrangler");
  const objects = [
    { name: "SITES", class_name: "Site" },
    { name: "FLEET", class_name: "Fleet" },
  ];
  const harness = createTestHarness({
    root,
    workers: [
      {
        config: {
          name: "edge-scale",
          main: "bench/worker/counting.ts",
          compatibility_date: "2026-11-17",
          compatibility_flags: ["nodejs_compat"],
          durable_objects: { bindings: objects },
          migrations: [{ tag: "v1", new_sqlite_classes: ["Site", "Fleet"] }],
          vars: { ADMIN_TOKENS: ADMIN, READ_TOKENS: ADMIN },
        },
      },
    ],
  });
  const { url } = await harness.listen();
  return { url: url.origin, stop: () => harness.close() };
}

const alerts = await recorder();
const edge = await startEdge();
const beat = createSender(edge.url);
const notify = [{ kind: "webhook", url: `http://127.0.0.1:${alerts.port}/` }];

say(`${SITES} sites, a heartbeat every ${EVERY / 1_000} s, in the local workerd`);
const addBegan = performance.now();
const add = async (url: string, site: string): Promise<void> => {
  const headers = { "content-type": "application/json", authorization: `Bearer ${ADMIN}` };
  const body = JSON.stringify({ keys: [key], notify, silence_ms: 3_600_000 });
  const reply = await fetch(`${url}/v1/sites/${site}`, { method: "PUT", headers, body });
  await reply.arrayBuffer();
  if (reply.status !== 201) throw new Error(`${site} was not added: ${reply.status}`);
};
await inLanes(names, (site) => add(edge.url, site));
say(`added          ${(SITES / ((performance.now() - addBegan) / 1_000)).toFixed(0)} sites a second`);

// Everybody at their own time within the 30 s, as houses are.
const steady = newCounts();
const useBefore = runtimeUse();
const steadyBegan = performance.now();
const timers = names.map((site, index) => {
  const first = (index / SITES) * EVERY;
  const times: NodeJS.Timeout[] = [];
  for (let at = first; at < SECONDS * 1_000; at += EVERY)
    times.push(setTimeout(() => void beat(site, 3_600_000, steady).catch(() => {}), at));
  return times;
});
let peak = 0;
const memory = setInterval(() => {
  peak = Math.max(peak, runtimeUse().megabytes);
}, 2_000);
await new Promise((resolve) => setTimeout(resolve, SECONDS * 1_000 + 1_000));
clearInterval(memory);
for (const timer of timers.flat()) clearTimeout(timer);
const steadySeconds = (performance.now() - steadyBegan) / 1_000;
const useAfter = runtimeUse();
const cpu = (useAfter.cpuMs - useBefore.cpuMs) / Math.max(1, steady.accepted);
say(
  `at that pace   ${(steady.accepted / steadySeconds).toFixed(1)} accepted a second, ${JSON.stringify(Object.fromEntries(steady.other))} others, ${spread(steady.ms)}`,
);
say(
  `memory         ${peak.toFixed(0)} MB at most (workerd as a whole; ${((peak * 1_024) / SITES).toFixed(0)} KB a site)`,
);
say(`CPU            ${cpu.toFixed(2)} ms a heartbeat: all of workerd, with HTTP and SQLite, as the kernel counts it`);

const burst = newCounts();
const burstCpu = runtimeUse().cpuMs;
const end = performance.now() + BURST_SECONDS * 1_000;
function* inTurn(): Iterable<string> {
  for (let index = 0; performance.now() < end; index++) yield names[index % SITES]!;
}
await inLanes(inTurn(), (site) => beat(site, 3_600_000, burst));
say(
  `as fast as may ${(burst.accepted / BURST_SECONDS).toFixed(0)} accepted a second, ${JSON.stringify(Object.fromEntries(burst.other))} others, ${spread(burst.ms)}, ${((runtimeUse().cpuMs - burstCpu) / Math.max(1, burst.accepted)).toFixed(2)} ms CPU each`,
);

// One site by itself, quickly: an object that rests for ten seconds is put away, and its tally with it.
interface Tally {
  readonly requests: number;
  readonly alarms: number;
  readonly rows: number;
}
const measured = names[0]!;
const tallyOf = async (): Promise<Tally> => (await (await fetch(`${edge.url}/tally/${measured}`)).json()) as Tally;
const before = await tallyOf();
for (let index = 0; index < 20; index++) await beat(measured, 3_600_000, burst);
const after = await tallyOf();
const taken = after.requests - before.requests;
const rows = after.rows - before.rows;
const beats = 86_400_000 / EVERY;
// An alarm is set anew for a silence after the last heartbeat, which is half a pace old on average.
const alarms = Math.ceil(86_400_000 / (180_000 - EVERY / 2));
say(
  `rows           ${rows} written by ${taken} heartbeats (cursor.rowsWritten), ${after.alarms - before.alarms} alarms`,
);
say(
  `a site a day   ${beats} requests, ${alarms} alarms, ${(beats * rows) / taken + alarms} rows (each setAlarm is one), at 30 s and 3 min of silence`,
);

// The last heartbeat of everybody, with a short silence: then as many alarms, nearly at once.
await inLanes(names, (site) => beat(site, SILENCE, burst));
const arrived: number[] = [];
let giveUp: NodeJS.Timeout | undefined;
await Promise.race([
  alerts.until((got) => {
    while (arrived.length < got.length) arrived.push(Date.now());
    return new Set(got.map(({ headers }) => headers["webhook-id"])).size >= SITES;
  }),
  new Promise((resolve) => {
    giveUp = setTimeout(resolve, SILENCE + 60_000);
  }),
]);
clearTimeout(giveUp);
const seen = new Set<string>();
const deadlines = alerts.got.flatMap(({ body, headers }, index) => {
  const id = String(headers["webhook-id"]);
  if (seen.has(id)) return [];
  seen.add(id);
  const { timestamp, data } = JSON.parse(body) as { timestamp: string; data: { since: string } };
  return [{ told: Date.parse(timestamp), heard: arrived[index] ?? Number.NaN, due: Date.parse(data.since) + SILENCE }];
});
say(
  `alarms         ${deadlines.length} of ${SITES} told their site_dark (${alerts.got.length - seen.size} alerts sent again): the tick late by ${spread(deadlines.map(({ told, due }) => told - due))}, the alert at its receiver by ${spread(deadlines.map(({ heard, due }) => heard - due))}`,
);
alerts.close();
await edge.stop();

// The CPU of one heartbeat: the bundle in the bare runtime, one request after the other, several sites in turn (one alone would
// soon be told to slow down). GET /healthz is what HTTP and the router alone cost.
const profiled = 400;
const owns = Array.from({ length: 20 }, (_, index) => `measured-${index}`);
const bare = await startBare(root, { ADMIN_TOKENS: ADMIN, READ_TOKENS: ADMIN });
for (const own of owns) await add(bare.url, own);
const told = newCounts();
const bareBeat = createSender(bare.url);
const cpuOf = async (work: (index: number) => Promise<void>): Promise<number> => {
  for (let index = 0; index < profiled / 4; index++) await work(index);
  const began = bare.cpuMs();
  for (let index = 0; index < profiled; index++) await work(index);
  return (bare.cpuMs() - began) / profiled;
};
const plain = await cpuOf(async () => {
  await (await fetch(`${bare.url}/healthz`)).text();
});
const cpuBeat = await cpuOf((index) => bareBeat(owns[index % owns.length]!, 180_000, told));
say(
  `CPU, bare      ${cpuBeat.toFixed(2)} ms a heartbeat in workerd without a harness (${plain.toFixed(2)} ms for GET /healthz), ${spread(told.ms)}, ${JSON.stringify(Object.fromEntries(told.other))} others`,
);
bare.stop();
process.exit(0);
