/** The part of `npm run edge:demo` that runs in the namespaces; edge-demo.ts says what is shown. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { Socket } from "node:net";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Director } from "../src/lab/director.ts";
import { findFault } from "../src/lab/faults/catalogue.ts";
import { LabHouse } from "../src/lab/house.ts";
import { CONFIG_FILE, HUB_SOCKET, LAB } from "../src/lab/lab-config.ts";
import { inside, must, spawnIn } from "../src/lab/shell.ts";
import type { Timeline } from "../src/lab/timeline.ts";
import { monoMillis } from "../src/runtime/node/clock.ts";
import { loadConfig } from "../src/runtime/node/config-file.ts";

const MAIN = fileURLToPath(new URL("../src/cli/main.ts", import.meta.url));
const WORLD = fileURLToPath(new URL("./edge-demo-world.ts", import.meta.url));
const [ADMIN, READ] = ["admin-token-of-the-demo", "read-token-of-the-demo"];
const RECEIVER = "http://203.0.113.80:8791";
const LIMIT_MS = 60_000;
/** What the edge may take after the silence (issue: silence plus 60 s; its alarm comes to the second). */
const DARK_WITHIN_MS = 60_000;

const lifeline = new Socket({ fd: 3 });
lifeline.on("error", () => process.exit(1));
lifeline.on("close", () => process.exit(1));
lifeline.resume();

const start = monoMillis();
const seconds = (since: number) => `${((monoMillis() - since) / 1_000).toFixed(1)} s`;
const tell = (text: string) => process.stdout.write(`${seconds(start).padStart(8)}  ${text}\n`);
const wait = (ms: number) => new Promise((next) => setTimeout(next, ms));
const failures: string[] = [];

/** One step: what must come, in its time. */
async function step<T>(what: string, limit: number, look: () => Promise<T | null> | T | null): Promise<T | null> {
  const began = monoMillis();
  while (monoMillis() - began < limit) {
    const found = await look();
    if (found !== null) {
      tell(`✔ ${what} (${seconds(began)})`);
      return found;
    }
    await wait(100);
  }
  failures.push(what);
  tell(`✘ ${what}: not within ${limit / 1_000} s`);
  return null;
}

/** Only what is wrong is told of the house itself: this demo is about its edge. */
const quiet: Timeline = {
  house: () => {},
  moment: (moment) => {
    if (moment.tone === "bad" && moment.what === "unexpected") tell(`! ${moment.who}: ${moment.text}`);
  },
  fault: () => {},
  result: () => {},
  waiting: () => {},
  note: () => {},
  table: () => {},
};

interface Alert {
  readonly type: string;
  readonly data: {
    readonly event: string;
    readonly title: string;
    readonly message: string;
    readonly cause: string | null;
  };
}

function askHub(path: string): Promise<Record<string, never> | null> {
  return new Promise((done) => {
    const asked = request({ socketPath: HUB_SOCKET, path, headers: { host: "hairpin" }, timeout: 2_000 }, (reply) => {
      let text = "";
      reply.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      reply.on("end", () => done(JSON.parse(text) as Record<string, never>));
    });
    asked.on("timeout", () => asked.destroy());
    asked.on("error", () => done(null));
    asked.end();
  });
}

/** The real command, typed by somebody in the world outside. */
function typed(ns: string, ...args: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const argv = inside(ns, [process.execPath, MAIN, "edge", ...args, "--config", CONFIG_FILE]);
  const child = spawn(argv[0]!, argv.slice(1), { stdio: ["ignore", "pipe", "pipe"] });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk) => {
    stdout += chunk;
  });
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  return new Promise((done) => child.on("close", (code) => done({ code: code ?? 70, stdout, stderr })));
}

async function startWorld(ns: string, alerts: Alert[], edge: string): Promise<ChildProcess> {
  for (const dir of ["home", "tmp"]) await mkdir(`${LAB}/edge-${dir}`, { recursive: true });
  const env = { EDGE_ADMIN: ADMIN, EDGE_READ: READ, HOME: `${LAB}/edge-home`, TMPDIR: `${LAB}/edge-tmp` };
  const child = spawnIn(ns, [process.execPath, WORLD, edge, RECEIVER], {
    env: { ...env, XDG_CONFIG_HOME: `${LAB}/edge-home` },
  });
  let words = "";
  child.stderr?.on("data", (chunk) => {
    words = (words + chunk).slice(-4_096);
  });
  await new Promise<void>((ready, failed) => {
    child.once("exit", (code) => failed(new Error(`the local runtime ended (${code}): ${words}`)));
    createInterface({ input: child.stdout! }).on("line", (line) => {
      const said = JSON.parse(line) as { what: string; body?: string; runtime?: string };
      if (said.what === "ready") ready();
      if (said.what === "alert") alerts.push(JSON.parse(said.body ?? "{}") as Alert);
    });
  });
  return child;
}

const ended = await demo(process.argv[2]!);
process.exit(ended);

async function demo(config: string): Promise<number> {
  const loaded = loadConfig(config, { missingFiles: "warning" });
  await must(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run"]);
  const director = new Director(quiet, start);
  const house = await LabHouse.build(loaded, 1, director.ears);
  const { plan } = house;
  const alerts: Alert[] = [];
  const told = (event: string) => alerts.find((alert) => alert.data.event === event) ?? null;
  await writeFile(`${LAB}/keys/edge-admin`, `${ADMIN}\n`, { mode: 0o600 });
  await writeFile(`${LAB}/keys/edge-read`, `${READ}\n`, { mode: 0o600 });
  await startWorld(plan.ns.switch, alerts, plan.house.edge!.url);
  const began = monoMillis();
  tell(`workerd runs the Worker in the world outside, at ${plan.house.edge!.url}`);
  await director.raise(house);
  tell(`the house stands: bridge, macvlan, hub, host and vantages are real (${seconds(began)})`);
  const added = await typed(plan.ns.switch, "add-site");
  if (added.code !== 0) {
    tell(`✘ hairpin edge add-site: ${added.stderr}`);
    return 1;
  }
  tell("✔ hairpin edge add-site");
  await step("the edge takes the hub's signed heartbeats", LIMIT_MS, async () => {
    const known = (await askHub("/v1/status")) as { edge?: { state: string } } | null;
    return known?.edge?.state === "ok" ? known : null;
  });
  await director.graceOver();
  await mirrored(plan.ns.switch, "ok", "the status at the edge is the house's own: ok");
  await darkness(house, told);
  await repair(director, house);
  tell(failures.length === 0 ? "all of it came" : `${failures.length} did not come: ${failures.join("; ")}`);
  return failures.length === 0 ? 0 : 1;
}

async function mirrored(ns: string, state: string, what: string): Promise<void> {
  await step(what, LIMIT_MS, async () => {
    const { stdout } = await typed(ns, "status", "--json");
    const known = JSON.parse(stdout || "{}") as { house?: { state: string } };
    return known.house?.state === state ? known : null;
  });
}

/** Everything of the house stands still, as when the power goes. */
async function darkness(house: LabHouse, told: (event: string) => Alert | null): Promise<void> {
  const all = [...house.processes.values()];
  for (const process of all) process.child.kill("SIGSTOP");
  tell(`the house is frozen: ${all.length} processes; silence is ${house.plan.house.edge!.silence / 1_000} s`);
  const dark = await step(
    "the edge tells its receiver: site_dark",
    house.plan.house.edge!.silence + DARK_WITHIN_MS,
    () => told("site_dark"),
  );
  if (dark !== null) tell(`    “${dark.data.message}”`);
  for (const process of all) process.child.kill("SIGCONT");
  tell("the house thaws");
  const back = await step("the edge tells its receiver: site_back", LIMIT_MS, () => told("site_back"));
  if (back !== null) tell(`    “${back.data.message}”`);
}

/** The speaker dies, the hub only watches (heal.mode: observe), and somebody far away asks for a repair with a key of their own. */
async function repair(director: Director, house: LabHouse): Promise<void> {
  const world = house.plan.ns.switch;
  await director.green(2);
  const fault = findFault("speaker-killed")!;
  await fault.inject(director.bench);
  tell("the speaker is killed: nobody answers ARP for the addresses, and the hub only observes");
  await mirrored(world, "failing", "the edge shows the house failing");
  const forged = await typed(world, "heal", "--key-file", `${LAB}/keys/edge`, "--json");
  const refusal = (JSON.parse(forged.stdout || "{}") as { result?: { state: string } }).result?.state;
  if (forged.code === 1 && refusal === "unauthorized")
    tell("✔ a request signed with the edge's own key is refused by the house");
  else failures.push(`a forged request was not refused (${forged.code}, ${refusal})`);
  const began = monoMillis();
  tell("$ hairpin edge heal --reason 'from the train'");
  const healed = await typed(world, "heal", "--reason", "from the train", "--json");
  const { result } = JSON.parse(healed.stdout || "{}") as { result?: { state: string; detail: string } };
  if (healed.code === 0 && result?.state === "verified")
    tell(`✔ asked at the edge, done and proved in the house: ${result.state}, ${result.detail} (${seconds(began)})`);
  else {
    failures.push("the heal from outside");
    tell(`✘ the heal from outside: exit ${healed.code}, ${healed.stdout}${healed.stderr}`);
  }
  await step("every vantage is green again", LIMIT_MS, async () => {
    const known = (await askHub("/v1/status")) as { state?: string } | null;
    return known?.state === "ok" ? known : null;
  });
}
