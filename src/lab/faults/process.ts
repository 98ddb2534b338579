import type { Bench } from "../bench.ts";
import { NODE_GUEST } from "../house-plan.ts";
import { bootLinks } from "../node-boot.ts";
import { buildNode } from "../node-network.ts";
import type { HairpinProcess } from "../processes.ts";
import { inside, must, run } from "../shell.ts";
import { startKubernetes } from "../standin-processes.ts";
import { plugMachine } from "../topology.ts";
import { type Fault, needsLink } from "./fault.ts";

/** Losing any one part of hairpin, of Kubernetes or of the subscribers must lose nothing else (I30). */
const DOWN_MS = 12_000;

function find(bench: Bench, kind: HairpinProcess["kind"]): HairpinProcess | undefined {
  return [...bench.house.processes.values()].find((process) => process.kind === kind);
}

async function kill(bench: Bench, kind: HairpinProcess["kind"], who?: string): Promise<void> {
  const process = who === undefined ? find(bench, kind) : bench.house.processes.get(`${kind}:${who}`);
  process?.child.kill("SIGKILL");
  await process?.ended;
}

/** The vantage whose death is tried: one on the LAN, where there is one. */
function victim(bench: Bench): string | undefined {
  const off = bench.plan.house.vantages.filter((vantage) => vantage.where !== "host" && !vantage.optional);
  return (off.find((vantage) => vantage.where === "lan") ?? off[0])?.name;
}

export const PROCESS_FAULTS: readonly Fault[] = [
  {
    name: "vantage-killed",
    title: (bench) => `the vantage ${victim(bench)} is killed`,
    cause: "vantage_silent",
    ending: "told",
    missing: (bench) => (victim(bench) === undefined ? "there is no vantage off the host" : null),
    inject: (bench) => kill(bench, "vantage", victim(bench)!),
    restore: async (bench) => {
      const who = victim(bench)!;
      if (!bench.house.processes.has(`vantage:${who}`)) await bench.house.start(who, "vantage");
    },
  },
  {
    name: "hub-killed",
    title: () => "the hub is killed, and started again after 12 s",
    cause: null,
    shows: "hub",
    ending: "quiet",
    inject: (bench) => kill(bench, "hub"),
    later: async (bench, sleep) => {
      await sleep(DOWN_MS);
      await bench.house.start("hub", "hub");
    },
    lastsMs: DOWN_MS + 12_000,
  },
  {
    name: "host-killed",
    title: () => "the host process is killed, and started again after 12 s",
    cause: null,
    shows: "host_process",
    ending: "quiet",
    missing: (bench) => (find(bench, "host") === undefined ? "no host is declared" : null),
    inject: async (bench) => {
      const who = find(bench, "host")!.who;
      bench.cleanups.push(async () => {
        if (find(bench, "host") === undefined) await bench.house.start(who, "host");
      });
      await kill(bench, "host");
    },
    later: async (bench, sleep) => {
      await sleep(DOWN_MS);
      await bench.cleanUp();
    },
    lastsMs: DOWN_MS + 12_000,
  },
  {
    name: "home-assistant-down",
    title: () => "Home Assistant does not listen for 12 s",
    cause: null,
    shows: "home_assistant",
    ending: "quiet",
    missing: (bench) => (bench.house.standins.homeAssistant === null ? "no Home Assistant is told" : null),
    inject: async (bench) => bench.house.standins.homeAssistant?.order({ up: false }),
    restore: async (bench) => bench.house.standins.homeAssistant?.order({ up: true }),
    lastsMs: DOWN_MS,
  },
  {
    name: "kubernetes-down",
    title: () => "the Kubernetes API is down for 15 s; the speaker goes on",
    cause: null,
    shows: "kubernetes",
    ending: "quiet",
    inject: (bench) => bench.kubernetes({ kind: "api", up: false }),
    restore: (bench) => bench.kubernetes({ kind: "api", up: true }),
    lastsMs: 15_000,
  },
  {
    name: "reboot",
    title: ({ plan }) =>
      `${plan.node.name} reboots: its network, its processes and its cables are gone, and come back in boot order`,
    cause: null,
    ending: "quiet",
    missing: needsLink,
    inject: reboot,
    lastsMs: 25_000,
  },
];

/** The machine goes down with everything on it, and comes up as its units are ordered: link first, then Kubernetes with its speaker. */
async function reboot(bench: Bench): Promise<void> {
  const { house, plan } = bench;
  const here = [...house.processes.values()].filter((process) => process.ns === plan.node.ns);
  for (const process of here) process.child.kill("SIGKILL");
  await Promise.all(here.map((process) => process.ended));
  house.standins.kubernetes.child.kill("SIGKILL");
  await run(inside(plan.node.ns, ["nft", "flush", "ruleset"]));
  // Other processes' mount namespaces keep the old one alive for a while: its cables are cut by hand.
  const isGuest = plan.shape === "guest";
  if (isGuest)
    for (const card of [0, 1]) await run(["ip", "-n", plan.ns.hypervisor, "link", "del", `tap${NODE_GUEST}i${card}`]);
  else await run(["ip", "-n", plan.ns.switch, "link", "del", "p-node"]);
  await run(["ip", "-n", plan.ns.pods, "link", "del", "eth0"]);
  // On a bridge of the node its guests go down with it; on a hypervisor they go on.
  const guests = isGuest ? [] : plan.machines.filter((each) => each.at === "bridge");
  for (const machine of guests) await run(["ip", "-n", machine.ns, "link", "del", "eth0"]);
  await must(["ip", "netns", "del", plan.node.ns]);
  await must(["ip", "netns", "add", plan.node.ns]);
  await buildNode(plan, { brnf: house.brnf });
  for (const machine of guests) await plugMachine(plan, machine);
  await bootLinks(plan);
  house.standins.kubernetes = await startKubernetes(plan, house.secrets, true, house.heard);
  for (const process of here) await house.start(process.who, process.kind);
}
