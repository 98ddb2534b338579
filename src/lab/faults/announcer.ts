import type { Bench } from "../bench.ts";
import { address6In, POD_NET6 } from "../house-plan.ts";
import { toAddress } from "../network.ts";
import { toAddress6 } from "../network6.ts";
import { familySysctls, forwardingRules } from "../node-network.ts";
import { inside, ipBatch, must, run, setSysctls } from "../shell.ts";
import { startStandin } from "../standin-processes.ts";
import { type Fault, needsLink } from "./fault.ts";

/** Faults of who announces, and of what Kubernetes tells it to. */
export const ANNOUNCER_FAULTS: readonly Fault[] = [
  {
    name: "speaker-killed",
    title: () => "the MetalLB speaker is killed, and no kubelet restarts it; the clients' neighbour caches run out",
    cause: "not_announced",
    ending: "heal",
    hostSees: true,
    inject: async (bench) => {
      await bench.kubernetes({ kind: "speaker", act: "kill" });
      await bench.flushNeighbours();
    },
    restore: (bench) => bench.kubernetes({ kind: "speaker", act: "ensure" }),
  },
  {
    name: "speaker-stopped",
    title: () => "the MetalLB speaker hangs: its sockets are open, and it answers nothing",
    cause: "not_announced",
    ending: "heal",
    inject: async (bench) => {
      await bench.kubernetes({ kind: "speaker", act: "stop" });
      await bench.flushNeighbours();
    },
    restore: (bench) => bench.kubernetes({ kind: "speaker", act: "ensure" }),
  },
  {
    name: "announced-on-bridge",
    title: ({ plan }) => `the L2Advertisement loses its interfaces: ${plan.node.bridge} answers as well`,
    cause: "announced_on_parent",
    ending: "told",
    missing: needsLink,
    inject: (bench) => bench.kubernetes({ kind: "advertisement", interfaces: null }),
    restore: (bench) => bench.kubernetes({ kind: "advertisement" }),
  },
  {
    name: "announced-on-other-nic",
    title: ({ plan }) =>
      `the L2Advertisement names ${plan.node.uplink}: ${plan.shape === "guest" ? "a card that leads elsewhere" : "a port of the bridge, where no speaker answers"}`,
    cause: "not_announced",
    orElse: ["vm_path"],
    ending: "told",
    missing: needsLink,
    inject: (bench) => bench.kubernetes({ kind: "advertisement", interfaces: [bench.plan.node.uplink] }),
    restore: (bench) => bench.kubernetes({ kind: "advertisement" }),
  },
  {
    name: "advertisement-deleted",
    title: () => "kubectl delete l2advertisement: MetalLB withdraws the addresses",
    cause: "not_advertised",
    ending: "told",
    inject: (bench) => bench.kubernetes({ kind: "advertisement", deleted: true }),
    restore: (bench) => bench.kubernetes({ kind: "advertisement" }),
  },
  {
    name: "advertisement-wrong-node",
    title: () => "the L2Advertisement selects a node that does not exist",
    cause: "not_advertised",
    ending: "told",
    inject: (bench) => bench.kubernetes({ kind: "advertisement", node: "n9-retired" }),
    restore: (bench) => bench.kubernetes({ kind: "advertisement" }),
  },
  {
    name: "endpoints-not-ready",
    title: () => "no endpoint of the Services is ready: MetalLB withdraws the addresses",
    cause: "no_endpoints",
    ending: "told",
    inject: (bench) => bench.kubernetes({ kind: "endpoints", services: bench.services, ready: false }),
    restore: (bench) => bench.kubernetes({ kind: "endpoints", services: bench.services, ready: true }),
  },
  {
    name: "rogue-announcer",
    title: () => "a machine on the LAN answers for the addresses too, with a MAC of its own",
    cause: "mac_conflict",
    ending: "told",
    inject: (bench) => startRogue(bench, ROGUE_MAC),
    restore: (bench) => bench.cleanUp(),
  },
  {
    name: "failover",
    title: ({ link }) => `node ${Object.keys(link.also)[0]} announces the addresses instead`,
    cause: "announced_elsewhere",
    ending: "quiet",
    missing: (bench) =>
      needsLink(bench) ??
      (Object.keys(bench.link.also).length === 0 ? "the link declares no other node (also:)" : null),
    inject: async (bench) => {
      await bench.kubernetes({ kind: "advertisement", node: Object.keys(bench.link.also)[0]! });
      await startRogue(bench, Object.values(bench.link.also)[0]!);
      await serveFrom(bench);
      await bench.flushNeighbours();
    },
    restore: async (bench) => {
      await bench.cleanUp();
      await bench.kubernetes({ kind: "advertisement" });
      await bench.flushNeighbours();
    },
    lastsMs: 25_000,
  },
];

const ROGUE_MAC = "02:ba:d0:00:00:66";
const ROGUE_NS = "rogue";

/** A machine that is no part of the configuration: plugged into the switch, answering who-has for addresses that are not its own. */
async function startRogue(bench: Bench, mac: string): Promise<void> {
  const { plan } = bench;
  await must(["ip", "netns", "add", ROGUE_NS]);
  bench.cleanups.push(async () => {
    await run(["ip", "netns", "del", ROGUE_NS]);
    await bench.flushNeighbours();
  });
  await must([
    "ip",
    "link",
    "add",
    "eth0",
    "netns",
    ROGUE_NS,
    "address",
    mac,
    "type",
    "veth",
    "peer",
    "name",
    "p-rogue",
    "netns",
    plan.ns.switch,
  ]);
  await ipBatch(plan.ns.switch, ["link set p-rogue master sw0 up"]);
  await ipBatch(ROGUE_NS, ["link set lo up", "link set eth0 up"]);
  const addresses = plan.pods.flatMap((pod) => pod.addresses);
  const rogue = await startStandin(ROGUE_NS, "rogue", { link: "eth0", addresses }, () => {});
  bench.cleanups.push(async () => void rogue.child.kill("SIGKILL"));
}

/** Makes the other machine a real node: what is sent to it for the addresses reaches the pods, by way of the first node. */
async function serveFrom(bench: Bench): Promise<void> {
  const { plan } = bench;
  const isDual = plan.lan6 !== null;
  await setSysctls(ROGUE_NS, {
    ...familySysctls(plan),
    "net/ipv4/ip_forward": 1,
    "net/ipv4/conf/all/rp_filter": 0,
    "net/ipv4/conf/eth0/rp_filter": 0,
    "net/ipv4/conf/all/send_redirects": 0,
    "net/ipv4/conf/eth0/send_redirects": 0,
    ...(isDual ? { "net/ipv6/conf/all/forwarding": 1 } : {}),
  });
  await ipBatch(ROGUE_NS, [
    `addr add ${plan.spare}/${plan.lan.prefix} dev eth0`,
    `route add default via ${plan.gateway}`,
    `route add ${toAddress(plan.podNet.base)}/${plan.podNet.prefix} via ${plan.node.address}`,
    ...(isDual
      ? [
          `addr add ${address6In(plan, plan.spare)}/64 dev eth0 nodad`,
          `route add ::/0 via ${address6In(plan, plan.gateway)}`,
          `route add ${toAddress6([...POD_NET6, 0, 0, 0, 0])}/64 via ${address6In(plan, plan.node.address)}`,
        ]
      : []),
  ]);
  await must(inside(ROGUE_NS, ["nft", "-f", "-"]), forwardingRules(plan));
}
