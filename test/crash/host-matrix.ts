/**
 * Inside a namespace of its own: for each scenario one run in peace, which lists the points that are reached, then one run for each
 * point, killed there, and a second life after it. Prints one JSON object for each point. Usage: host-matrix.ts LANE LANES [short]
 */
import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deletions, endsProblem, openIntents, orderProblem } from "./host-check.ts";
import { bodyOf, SCENARIOS, type Scenario } from "./host-scenarios.ts";
import { buildParent, createWorld, isRight, type Life, show, until, type World } from "./host-world.ts";
import { type KubeStandIn, startKubeStandIn } from "./kube-stand-in.ts";

const SCENARIO_MS = 10_000;
/** Points of the short run, which `npm test` makes: around the deletion, and a torn line. */
const SHORT = /^(in the write of intent|after ip link delete|before ip link add|before the flush of end) #1$/;

export interface Tried {
  readonly scenario: string;
  readonly point: string;
  readonly reached: boolean;
  /** The link was not there when the process died; `deleted`: and it was the process that had deleted it. */
  readonly missing: boolean;
  readonly deleted: boolean;
  readonly problems: readonly string[];
}

/** The end is on the disk, by the preload's word. */
const isDone = (world: World, scenario: Scenario): boolean =>
  world.log().some(({ durable, id }) => durable === "end" && (scenario.id ?? id) === id) &&
  openIntents(world.journal()).length === 0;

/** The stand-in's own points: the answer to a deletion of the speaker that never arrives, or is never given. */
function killAtDelete(kube: KubeStandIn, world: World, at: string | null, life: () => Life | null): void {
  let count = 0;
  kube.onDelete = (moment) => {
    if (moment === "before") count++;
    const point = `${moment} the deletion of the speaker #${count}`;
    appendFileSync(world.logFile, `${JSON.stringify({ point })}\n`);
    if (point === at) life()?.child.kill("SIGKILL");
  };
}

async function firstLife(scenario: Scenario, world: World, kube: KubeStandIn, at: string | null): Promise<Life> {
  let life: Life | null = null;
  scenario.prepare(world);
  killAtDelete(kube, world, at, () => life);
  life = await world.start(at);
  if (life.isAlive()) await scenario.trigger(life);
  const isOver = () => !life!.isAlive() || isDone(world, scenario);
  if (!(await until(isOver, SCENARIO_MS))) throw new Error(`${scenario.name}: nothing happened\n${life.output()}`);
  // The last point lies just behind the end's flush.
  if (at !== null) await until(() => !life!.isAlive(), 200);
  return life;
}

async function end(life: Life): Promise<void> {
  life.child.kill("SIGKILL");
  await life.ended;
}

/** The points of a run that nobody disturbs. */
async function pointsOf(scenario: Scenario, base: string, kube: KubeStandIn): Promise<readonly string[]> {
  const world = createWorld(base, kube.port, scenario.guard);
  const life = await firstLife(scenario, world, kube, null);
  await until(isRight, SCENARIO_MS);
  await end(life);
  return world.log().flatMap((line) => (line.point === undefined ? [] : [line.point]));
}

/** The same id again: what is stored is answered, and nothing runs; an id that was never durable runs now, once. */
async function repeat(life: Life, scenario: Scenario): Promise<string[]> {
  const body = bodyOf(scenario.name);
  const again = await life.call("POST", "/v1/repairs", body);
  if (again === null) return ["the host died when the id came again"];
  const final = async () => {
    const found = await life.call("GET", `/v1/repairs/${scenario.id}`);
    return /"state":"(done|failed|interrupted|refused)"/.test(found?.body ?? "") ? found!.body : null;
  };
  if (!(await until(async () => (await final()) !== null, SCENARIO_MS))) return ["the repeated id has no result"];
  const stored = await final();
  const third = await life.call("POST", "/v1/repairs", body);
  if (again.status === 200 && again.body !== stored) return ["I3: the repeated id was answered with another result"];
  if (third?.status !== 200 || third.body !== stored) return [`I3: the id was run again (${third?.status})`];
  return [];
}

async function tryPoint(scenario: Scenario, at: string, base: string, kube: KubeStandIn): Promise<Tried> {
  const world = createWorld(base, kube.port, scenario.guard);
  const first = await firstLife(scenario, world, kube, at);
  const reached = !first.isAlive();
  await end(first);
  kube.onDelete = () => {};
  const before = world.log();
  const problems = [orderProblem(before, openIntents([]))];
  // The scenarios that begin without a life before this one may have an intent on the disk already.
  if (scenario.name.startsWith("start after")) problems[0] = orderProblem(before, ["left"]);
  const missing = show() === null;
  const open = openIntents(world.journal());

  const second = await world.start(null);
  if (!second.isAlive()) problems.push(`the next start failed: ${second.output()}`);
  if (openIntents(world.journal()).some((id) => open.includes(id)))
    problems.push("I4: an intent is still open after the start");
  const needsLink = scenario.guard || open.length > 0;
  if (needsLink && !(await until(isRight, 5_000))) problems.push(`I6: the link is ${JSON.stringify(show())}`);
  if (scenario.id !== null) problems.push(...(await repeat(second, scenario)));
  await until(() => isRight() && openIntents(world.journal()).length === 0, 3_000);
  if (!isRight()) problems.push(`I6: in the end the link is ${JSON.stringify(show())}`);
  await end(second);

  const lines = world.log();
  problems.push(orderProblem(lines.slice(before.length), open), endsProblem(world.journal()));
  if (deletions(lines) > 1) problems.push(`I3: the link was deleted ${deletions(lines)} times`);
  const deleted = missing && deletions(before) > 0;
  rmSync(world.directory, { recursive: true });
  const found = problems.filter((problem) => problem !== null && problem !== undefined);
  return { scenario: scenario.name, point: at, reached, missing, deleted, problems: found };
}

/**
 * The first scenario has every point. Of the others those are left out at which nothing is different: the record with which every
 * process begins, and the moment before something, where it is the moment after what came before it.
 */
function isNew(scenario: Scenario, point: string, previous: string | undefined): boolean {
  if (scenario === SCENARIOS[0]) return true;
  if (point.includes(" of open ")) return false;
  return !(point.startsWith("before") && previous?.startsWith("after"));
}

async function main(lane: number, lanes: number, short: boolean): Promise<void> {
  const base = mkdtempSync(join(tmpdir(), "hairpin-crash-"));
  buildParent();
  const kube = await startKubeStandIn();
  try {
    const mine = short ? SCENARIOS.slice(0, 1) : SCENARIOS.filter((_, index) => index % lanes === lane);
    for (const scenario of mine) {
      const all = await pointsOf(scenario, base, kube);
      const points = all.filter((point, index) => (short ? SHORT.test(point) : isNew(scenario, point, all[index - 1])));
      for (const point of points)
        process.stdout.write(`${JSON.stringify(await tryPoint(scenario, point, base, kube))}\n`);
    }
  } finally {
    kube.close();
    rmSync(base, { recursive: true, force: true });
  }
}

const [lane = "0", lanes = "1", short] = process.argv.slice(2);
await main(Number(lane), Number(lanes), short === "short");
