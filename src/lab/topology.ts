import { mkdir } from "node:fs/promises";
import type { HousePlan, Machine } from "./house-plan.ts";
import { toAddress } from "./network.ts";
import { inside, ipBatch, must, run, setSysctls } from "./shell.ts";

/** Names of the veth pair between the node and its pods. veth* is what MetalLB's excludel2 leaves out, so nothing announces there. */
const POD_PORT = "vethpods";

/** Makes every namespace and cable of the house, except the link itself, which the boot script of the node makes. */
export async function buildHouse(plan: HousePlan, options: { readonly brnf: number }): Promise<void> {
  await mkdir("/run/netns", { recursive: true });
  const { ns, node, machines } = plan;
  const hasRouter = machines.some((machine) => machine.at === "router");
  const spaces = [
    ns.switch,
    ns.pods,
    node.ns,
    ...machines.map((machine) => machine.ns),
    ...(hasRouter ? [ns.router] : []),
  ];
  for (const space of new Set(spaces)) {
    await must(["ip", "netns", "add", space]);
    await setSysctls(space, { "net/ipv6/conf/all/disable_ipv6": 1, "net/ipv6/conf/default/disable_ipv6": 1 });
  }
  await buildSwitch(plan);
  await buildNode(plan, options);
  for (const machine of machines) await plugMachine(plan, machine);
}

async function buildSwitch(plan: HousePlan): Promise<void> {
  const { ns, lan, lanAddresses, worldAddresses } = plan;
  await ipBatch(ns.switch, [
    "link set lo up",
    "link add sw0 address 02:6c:61:62:01:01 type bridge",
    ...lanAddresses.map((address) => `addr add ${address}/${lan.prefix} dev sw0`),
    ...worldAddresses.map((address) => `addr add ${address}/32 dev lo`),
    "link set sw0 up",
  ]);
  // Forwarding makes it the house's router; redirects would teach clients a second way.
  await setSysctls(ns.switch, {
    "net/ipv4/ip_forward": 1,
    "net/ipv4/conf/all/send_redirects": 0,
    "net/ipv4/conf/all/rp_filter": 0,
    "net/ipv4/conf/sw0/send_redirects": 0,
  });
  // A switch knows nothing of IP: the node's kind of bridge filtering must not happen here.
  await setSysctls(ns.switch, { "net/bridge/bridge-nf-call-iptables": 0, "net/bridge/bridge-nf-call-arptables": 0 });
}

/** The node's machine: bridge, uplink, pods and the rules that kube-proxy would have written. Also run for a reboot. */
export async function buildNode(plan: HousePlan, options: { readonly brnf: number }): Promise<void> {
  const { node, ns, podNet, podGateway } = plan;
  const parents = [...new Set([node.bridge, ...plan.house.links.map((link) => link.parent)])];
  await must([
    "ip",
    "link",
    "add",
    node.uplink,
    "netns",
    node.ns,
    "type",
    "veth",
    "peer",
    "name",
    "p-node",
    "netns",
    ns.switch,
  ]);
  await must([
    "ip",
    "link",
    "add",
    POD_PORT,
    "netns",
    node.ns,
    "type",
    "veth",
    "peer",
    "name",
    "eth0",
    "netns",
    ns.pods,
  ]);
  await ipBatch(ns.switch, ["link set p-node master sw0 up"]);
  await setSysctls(node.ns, {
    "net/ipv4/conf/all/rp_filter": 0,
    // Debian's, Ubuntu's and systemd's default: a link that is made anew without its own sysctls is then deaf (measured).
    "net/ipv4/conf/default/rp_filter": 2,
    "net/ipv4/ip_forward": 1,
    "net/bridge/bridge-nf-call-iptables": options.brnf,
  });
  await ipBatch(node.ns, [
    "link set lo up",
    ...bridgeLines(plan),
    ...parents
      .filter((parent) => parent !== node.bridge)
      .flatMap((parent) => [`link add ${parent} type bridge`, `link set ${parent} up`]),
    `addr add ${podGateway}/${podNet.prefix} dev ${POD_PORT}`,
    `link set ${POD_PORT} up`,
  ]);
  await setSysctls(node.ns, { [`net/ipv4/conf/${POD_PORT}/rp_filter`]: 0 });
  await addDefaultRoute(plan);
  await ipBatch(ns.pods, [
    "link set lo up",
    ...plan.pods.map((pod) => `addr add ${pod.ip}/${podNet.prefix} dev eth0`),
    "link set eth0 up",
    `route add default via ${podGateway}`,
  ]);
  await must(inside(node.ns, ["nft", "-f", "-"]), forwardingRules(plan));
}

/** The commands that make the bridge with its uplink and address: at boot, and when a fault puts the bridge back. */
export function bridgeLines(plan: HousePlan): readonly string[] {
  const { node, lan } = plan;
  return [
    `link add ${node.bridge} address ${node.bridgeMac} type bridge`,
    `link set ${node.uplink} master ${node.bridge} up`,
    `link set ${node.bridge} up`,
    `addr add ${node.address}/${lan.prefix} dev ${node.bridge}`,
  ];
}

export async function addDefaultRoute(plan: HousePlan): Promise<void> {
  await ipBatch(plan.node.ns, [`route replace default via ${plan.gateway}`]);
  await setSysctls(plan.node.ns, { [`net/ipv4/conf/${plan.node.bridge}/rp_filter`]: 0 });
}

/** What kube-proxy's nftables mode comes down to for a LoadBalancer address: DNAT on the way in and out, and masquerade. */
export function forwardingRules(plan: HousePlan): string {
  const rules = plan.pods.flatMap((pod) =>
    pod.addresses.flatMap((address) =>
      pod.ports.map(
        (port) => `    ip daddr ${address} ${port.protocol} dport ${port.port} dnat to ${pod.ip}:${port.port}`,
      ),
    ),
  );
  return [
    "table ip kube-proxy {",
    "  chain services {",
    ...rules,
    "  }",
    "  chain prerouting { type nat hook prerouting priority dstnat; jump services; }",
    "  chain output { type nat hook output priority -100; jump services; }",
    "  chain postrouting { type nat hook postrouting priority srcnat; ct status dnat masquerade; }",
    "}",
    "",
  ].join("\n");
}

export async function plugMachine(plan: HousePlan, machine: Machine): Promise<void> {
  const { ns, node, lan, gateway, routedNet } = plan;
  if (machine.at === "router") {
    await buildRouter(plan);
    const inner = toAddress(routedNet.base + 1);
    await cable(machine, ns.router, null);
    await ipBatch(ns.router, [`link set ${machine.port} master rt0 up`]);
    return address(machine, routedNet.prefix, inner);
  }
  await cable(machine, machine.at === "bridge" ? node.ns : ns.switch, machine.at === "bridge" ? node.bridge : "sw0");
  await address(machine, lan.prefix, gateway);
}

async function cable(machine: Machine, to: string, master: string | null): Promise<void> {
  await must([
    "ip",
    "link",
    "add",
    "eth0",
    "netns",
    machine.ns,
    "type",
    "veth",
    "peer",
    "name",
    machine.port,
    "netns",
    to,
  ]);
  if (master !== null) await ipBatch(to, [`link set ${machine.port} master ${master} up`]);
}

async function address(machine: Machine, prefix: number, gateway: string): Promise<void> {
  await ipBatch(machine.ns, [
    "link set lo up",
    `addr add ${machine.address}/${prefix} dev eth0`,
    "link set eth0 up",
    `route add default via ${gateway}`,
  ]);
}

/** A second router, for vantages that have no layer 2 of their own to the addresses. Made once. */
async function buildRouter(plan: HousePlan): Promise<void> {
  const { ns, lan, routedNet, gateway } = plan;
  if ((await run(["ip", "-n", ns.router, "link", "show", "rt0"])).code === 0) return;
  const outer = routerAddress(plan);
  await must([
    "ip",
    "link",
    "add",
    "wan0",
    "netns",
    ns.router,
    "type",
    "veth",
    "peer",
    "name",
    "p-router",
    "netns",
    ns.switch,
  ]);
  await ipBatch(ns.switch, [
    "link set p-router master sw0 up",
    `route add ${toAddress(routedNet.base)}/${routedNet.prefix} via ${outer}`,
  ]);
  await ipBatch(ns.router, [
    "link set lo up",
    "link add rt0 address 02:6c:61:62:02:01 type bridge",
    `addr add ${toAddress(routedNet.base + 1)}/${routedNet.prefix} dev rt0`,
    "link set rt0 up",
    `addr add ${outer}/${lan.prefix} dev wan0`,
    "link set wan0 up",
    `route add default via ${gateway}`,
  ]);
  await setSysctls(ns.router, {
    "net/ipv4/ip_forward": 1,
    "net/ipv4/conf/all/send_redirects": 0,
    "net/ipv4/conf/all/rp_filter": 0,
    "net/bridge/bridge-nf-call-iptables": 0,
  });
}

function routerAddress(plan: HousePlan): string {
  const taken = new Set([
    ...plan.lanAddresses,
    plan.node.address,
    ...plan.machines.map((machine) => machine.address),
    ...plan.pods.flatMap((pod) => pod.addresses),
  ]);
  for (let offset = 2; ; offset++) {
    const candidate = toAddress(plan.lan.base + offset);
    if (!taken.has(candidate)) return candidate;
  }
}
