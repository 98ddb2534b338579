/**
 * `npm run bench:guard`: how long a warm client in the VM and one in the LAN are without answers when the link is deleted, at
 * bridge-nf-call-iptables=0 (at 1 a warm client loses nothing, facts/l2).
 *
 * The floor is what a shell can do at best: delete and create as two `ip` commands that follow each other, sysctls written. The
 * guard is `hairpin host` as it runs in a house, which only hears of the deletion; its journal lies on a real disk. Runs of both
 * alternate, so that a busy machine is busy for both; the pause file holds the guard during the floor's. Exit 1 when the guard's
 * median gap is over 30 ms or over 1.2 times the floor's at either vantage.
 */
import { type ChildProcess, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type HousePlan, planHouse } from "../src/lab/house-plan.ts";
import { bootLinks } from "../src/lab/node-boot.ts";
import { inside, must, run, spawnIn } from "../src/lab/shell.ts";
import { buildHouse } from "../src/lab/topology.ts";
import { monoMillis } from "../src/runtime/node/clock.ts";
import { loadConfig } from "../src/runtime/node/config-file.ts";
import type { GapSaid } from "./client.ts";

const RUNS = Number(process.env["BENCH_RUNS"] ?? 20);
const INTERVAL_MS = 5;
const GAP_MAX_MS = 30;
const RATIO_MAX = 1.2;
/** The guard stops after some repairs in ten minutes: it is started anew, with an empty journal, before that. */
const RUNS_PER_HOST = 8;
const SETTLE_MS = 400;
const TMPFS = 0x01021994;

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const file = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const wait = (ms: number) => new Promise((next) => setTimeout(next, ms));

process.exit(process.argv.includes("--inside") ? await measure() : outside());

function outside(): number {
  const flags = ["-Urnmpf", "--mount-proc", "--kill-child=SIGKILL"];
  const probe = spawnSync("unshare", [...flags, "true"], { encoding: "utf8" });
  if (probe.status !== 0) {
    process.stderr.write(`bench:guard needs a user namespace: ${probe.error?.message ?? probe.stderr}\n`);
    return 3;
  }
  const work = mkdtempSync(`${ROOT}.bench-`);
  try {
    if (statfsSync(work).type === TMPFS)
      process.stderr.write("note: the checkout lies in memory, so the journal's fsync costs nothing\n");
    const ran = spawnSync("unshare", [...flags, process.execPath, file("./guard.ts"), "--inside", work], {
      stdio: "inherit",
    });
    return ran.status ?? 70;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

interface Client {
  readonly vantage: string;
  readonly child: ChildProcess;
}

async function measure(): Promise<number> {
  const work = process.argv.at(-1)!;
  const { house } = loadConfig(`${ROOT}hairpin.yaml`, { missingFiles: "warning" });
  await must(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run"]);
  const plan = planHouse(house);
  await buildHouse(plan, { brnf: 0 });
  await bootLinks(plan);
  const link = house.links[0]!;
  const pod = plan.pods.find((candidate) =>
    candidate.ports.some((port) => port.port === 53 && port.protocol === "udp"),
  )!;
  const address = pod.addresses[0]!;
  await ready(
    spawnIn(plan.ns.pods, [process.execPath, file("./dns-echo.ts"), pod.ip], { ipc: true, stderr: "inherit" }),
  );
  const clients: Client[] = [];
  for (const machine of plan.machines.filter(
    (candidate) => candidate.vantages.length > 0 && candidate.at !== "router",
  )) {
    // Warm: the client holds the link's MAC, and does not have to ask for it while nobody answers.
    await must(
      inside(machine.ns, ["ip", "neigh", "replace", address, "lladdr", link.mac, "dev", "eth0", "nud", "permanent"]),
    );
    const child = spawnIn(machine.ns, [process.execPath, file("./client.ts"), address, String(INTERVAL_MS)], {
      ipc: true,
      stderr: "inherit",
    });
    await ready(child);
    clients.push({ vantage: machine.vantages[0]!, child });
  }

  const floor = clients.map(() => [] as number[]);
  const guard = clients.map(() => [] as number[]);
  let host: ChildProcess | null = null;
  for (let index = 0; index < RUNS; index++) {
    if (index % RUNS_PER_HOST === 0) {
      await stop(host);
      host = await startHost(plan, work, index);
    }
    pause(work, true);
    const both =
      `ip link del ${link.name}; ip link add ${link.name} link ${link.parent} address ${link.mac} up type macvlan mode ${link.mode}; ` +
      `echo ${link.sysctl.rp_filter} > /proc/sys/net/ipv4/conf/${link.name}/rp_filter; echo ${link.sysctl.arp_ignore} > /proc/sys/net/ipv4/conf/${link.name}/arp_ignore`;
    await gaps(clients, floor, () => must(inside(plan.node.ns, ["sh", "-c", both])));
    pause(work, false);
    await wait(SETTLE_MS);
    await gaps(clients, guard, () => must(inside(plan.node.ns, ["ip", "link", "del", link.name])));
    await untilUp(plan, link.name);
  }
  await stop(host);
  return report(clients, floor, guard);
}

/** The longest gap at each client around what `broken` does. */
async function gaps(
  clients: readonly Client[],
  into: readonly number[][],
  broken: () => Promise<unknown>,
): Promise<void> {
  const fromMono = monoMillis() - 100;
  await broken();
  await wait(SETTLE_MS);
  const toMono = monoMillis() - 50; // The last queries may still be on their way.
  for (const [index, client] of clients.entries()) {
    client.child.send({ fromMono, toMono });
    const [said] = (await once(client.child, "message")) as [GapSaid];
    into[index]!.push(said.answered === 0 ? Number.POSITIVE_INFINITY : said.gapMs);
  }
}

async function startHost(plan: HousePlan, work: string, index: number): Promise<ChildProcess> {
  const { name, parent, mac, mode, sysctl, fdb_local } = plan.house.links[0]!;
  const config = {
    site: "bench",
    link: { name, parent, mac, mode, sysctl, fdb_local },
    host: { listen: `unix:${work}/host.sock`, armed: true, guard: true, journal: `${work}/journal-${index}` },
  };
  writeFileSync(`${work}/hairpin.yaml`, JSON.stringify(config), { mode: 0o600 });
  const child = spawnIn(
    plan.node.ns,
    [process.execPath, `${ROOT}src/cli/main.ts`, "host", "--config", `${work}/hairpin.yaml`],
    {
      env: { HAIRPIN_RUN: work },
      stderr: "inherit",
    },
  );
  await new Promise<void>((resolve, reject) => {
    let text = "";
    child.stdout?.on("data", (chunk) => {
      text = (text + String(chunk)).slice(-65_536);
      if (text.includes('"event":"ready"')) resolve();
    });
    child.once("exit", (code) => reject(new Error(`hairpin host ended with ${code}: ${text}`)));
  });
  await wait(SETTLE_MS);
  return child;
}

async function stop(host: ChildProcess | null): Promise<void> {
  if (host === null) return;
  host.removeAllListeners("exit");
  host.kill("SIGTERM");
  await once(host, "exit");
}

function pause(work: string, on: boolean): void {
  if (on)
    writeFileSync(
      `${work}/pause`,
      JSON.stringify({ until: new Date(Date.now() + 60_000).toISOString(), reason: "floor" }),
    );
  else rmSync(`${work}/pause`, { force: true });
}

async function untilUp(plan: HousePlan, link: string): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    if ((await run(["ip", "-n", plan.node.ns, "link", "show", "dev", link, "up"])).stdout.includes(link)) return;
    await wait(50);
  }
  throw new Error(`${link} did not come back`);
}

async function ready(child: ChildProcess): Promise<void> {
  const [said] = (await once(child, "message")) as [unknown];
  if (said !== "ready") throw new Error("a process of the benchmark did not start");
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return (sorted[Math.ceil(middle) - 1]! + sorted[Math.floor(middle)]!) / 2;
}

function report(clients: readonly Client[], floor: readonly number[][], guard: readonly number[][]): number {
  let isGood = true;
  const say = (values: readonly number[]) =>
    `${median(values).toFixed(1)} ms (${Math.min(...values).toFixed(1)} to ${Math.max(...values).toFixed(1)})`;
  process.stdout.write(
    `gap of a warm client, ${RUNS} runs, a query every ${INTERVAL_MS} ms, bridge-nf-call-iptables=0, conf.default.rp_filter=2\n`,
  );
  for (const [index, { vantage }] of clients.entries()) {
    const ratio = median(guard[index]!) / median(floor[index]!);
    const good = median(guard[index]!) <= GAP_MAX_MS && ratio <= RATIO_MAX;
    isGood &&= good;
    process.stdout.write(
      `  ${vantage}: floor ${say(floor[index]!)}; guard ${say(guard[index]!)}; ratio ${ratio.toFixed(2)} ${good ? "ok" : "TOO SLOW"}\n`,
    );
  }
  process.stdout.write(
    `wanted: guard at most ${GAP_MAX_MS} ms and ${RATIO_MAX} times the floor: ${isGood ? "reached" : "missed"}\n`,
  );
  return isGood ? 0 : 1;
}
