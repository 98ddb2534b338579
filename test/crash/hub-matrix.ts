/**
 * The hub, killed before and after the commits of its store during an incident with its heal, and started again. In peace first,
 * which lists the commits; then once for each kind of commit and moment. Prints one JSON object for each. Usage: hub-matrix.ts MAX
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { HairpinEvent } from "../../src/core/event.ts";
import { type HostStandIn, type Received, startHostStandIn, startReceiver } from "./hub-house.ts";
import { createReporter, type HubHouse, type HubLife, startHubLife, VANTAGES, writeHouse } from "./hub-life.ts";

const EVERY_MS = 200;
/** A request that a crash lost is given up after 15 s (core/decision); then the fault goes by itself. */
const FAULT_MS = 22_000;
const RUN_MS = 45_000;
/** Runs at once: most of the time of each is waiting. */
const LANES = 6;
/** Occurrences of one kind of commit that are tried: the later ones of a kind differ in nothing but their number. */
const EACH = 3;

export interface HubTried {
  readonly point: string;
  readonly reached: boolean;
  /** A repair had been handed to the host when the process died. */
  readonly healing: boolean;
  readonly events: number;
  readonly problems: readonly string[];
}

interface Run {
  readonly house: HubHouse;
  readonly host: HostStandIn;
  readonly got: readonly Received[];
  readonly acknowledged: ReadonlyMap<string, readonly string[]>;
  readonly reached: boolean;
  readonly healing: boolean;
  readonly recovered: boolean;
  readonly output: string;
}

/** One incident from its first failed round to `recovered` at the subscriber, over as many lives as it takes. */
async function play(base: string, at: string | null): Promise<Run> {
  const receiver = await startReceiver();
  const house = writeHouse(base, receiver.url);
  const host = await startHostStandIn(house.hostSocket);
  const began = performance.now();
  const isGood = () => host.isRepaired() || performance.now() - began > FAULT_MS;
  const reporters = VANTAGES.map((name) => ({ name, ...createReporter(name, house.hubSocket, isGood) }));
  const kindsHeard = () => receiver.got.map(({ body }) => (JSON.parse(body) as { type: string }).type);
  let life: HubLife = startHubLife(house, base, at);
  let reached = false;
  let healing = false;
  const isOver = () => kindsHeard().includes("hairpin.recovered.v1");
  try {
    while (!isOver() && performance.now() - began < RUN_MS) {
      if (!life.isAlive()) {
        if (reached || at === null) break;
        reached = true;
        healing = host.ran.length > 0;
        life = startHubLife(house, base, null);
      }
      await Promise.all(reporters.map((reporter) => reporter.report()));
      await new Promise((next) => setTimeout(next, EVERY_MS));
    }
    // The last delivery is also written down, and that is a point too.
    if (at !== null && !reached) await Promise.race([life.ended, new Promise((next) => setTimeout(next, 500))]);
    const acknowledged = new Map(reporters.map(({ name, acknowledged }) => [name, acknowledged]));
    const output = life.output();
    return {
      house,
      host,
      got: receiver.got,
      acknowledged,
      reached: reached || !life.isAlive(),
      healing,
      recovered: isOver(),
      output,
    };
  } finally {
    life.child.kill("SIGKILL");
    await life.ended;
    receiver.close();
    host.close();
  }
}

/** What the store holds after all of it. */
function readStore(house: HubHouse): { events: HairpinEvent[]; receipts: Set<string>; outbox: Map<string, string> } {
  const database = new DatabaseSync(join(house.directory, "data", "hub.sqlite"));
  const all = (sql: string) => database.prepare(sql).all() as Record<string, string>[];
  const events = all("SELECT body FROM events ORDER BY seq").map(({ body }) => JSON.parse(body!) as HairpinEvent);
  const receipts = new Set(
    all("SELECT vantage, webhook_id FROM receipts").map((row) => `${row["vantage"]} ${row["webhook_id"]}`),
  );
  const outbox = new Map(all("SELECT id, state FROM outbox").map((row) => [row["id"]!, row["state"]!]));
  database.close();
  return { events, receipts, outbox };
}

/** I1, I15 to I17 and I19 of one run. */
function problemsOf(run: Run): string[] {
  const problems: string[] = [];
  const { events, receipts, outbox } = readStore(run.house);
  if (!run.recovered) problems.push(`the incident did not end: ${run.output.slice(-2_000)}`);
  if (run.host.ran.length > 1) problems.push(`I1: ${run.host.ran.join(" and ")} both ran`);
  for (const [vantage, ids] of run.acknowledged)
    for (const id of ids)
      if (!receipts.has(`${vantage} ${id}`)) problems.push(`I17: ${vantage} ${id} was acknowledged and is gone`);
  const bodies = new Map<string, string>();
  for (const { id, body } of run.got) {
    if (bodies.has(id) && bodies.get(id) !== body) problems.push(`I16: ${id} came with two bodies`);
    bodies.set(id, body);
  }
  for (const event of events) {
    const id = [...outbox.keys()].find((known) => known.startsWith(`${event.id}`));
    if (id === undefined) problems.push(`I15: ${event.type} has no row in the outbox`);
    else if (!bodies.has(id) && outbox.get(id) !== "dead") problems.push(`I15: ${event.type} never arrived`);
  }
  const order = [...bodies.keys()].map((id) => events.findIndex((event) => id.startsWith(event.id)));
  if (order.includes(-1)) problems.push("I17: an event was delivered that the store does not know");
  if (order.some((seq, index) => index > 0 && seq < order[index - 1]!)) problems.push("I19: events came out of order");
  for (const kind of ["failing", "recovered"]) {
    const count = events.filter((event) => event.data.event === kind).length;
    if (count !== 1) problems.push(`${kind} was said ${count} times`);
  }
  return problems;
}

async function tryPoint(base: string, at: string): Promise<HubTried> {
  const run = await play(base, at);
  const { events } = readStore(run.house);
  const tried = {
    point: at,
    reached: run.reached,
    healing: run.healing,
    events: events.length,
    problems: problemsOf(run),
  };
  rmSync(run.house.directory, { recursive: true, force: true });
  return tried;
}

/** At most so many, those with a heal or an event in them first, and evenly over the rest. */
function chosen(points: readonly string[], max: number): readonly string[] {
  const few = points.filter((point) => Number(/#(\d+)$/.exec(point)?.[1]) <= EACH);
  const weight = (point: string) => (/events|heals|outbox/.test(point) ? 0 : 1);
  return few.sort((a, b) => weight(a) - weight(b)).slice(0, max);
}

async function main(max: number): Promise<void> {
  const base = mkdtempSync(join(tmpdir(), "hairpin-crash-hub-"));
  try {
    const peace = await play(base, null);
    const problems = problemsOf(peace);
    if (problems.length > 0) throw new Error(`in peace: ${problems.join("; ")}`);
    const points = chosen(readFileSync(peace.house.logFile, "utf8").trim().split("\n"), max);
    let next = 0;
    const lane = async () => {
      for (let at = points[next++]; at !== undefined; at = points[next++])
        process.stdout.write(`${JSON.stringify(await tryPoint(base, at))}\n`);
    };
    await Promise.all(Array.from({ length: LANES }, lane));
  } finally {
    rmSync(base, { recursive: true, force: true });
  }
}

await main(Number(process.argv[2] ?? "48"));
