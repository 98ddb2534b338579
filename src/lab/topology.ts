import { mkdir } from "node:fs/promises";
import { address6In, type HousePlan, type Machine, ROUTED_NET6 } from "./house-plan.ts";
import { buildHypervisor, guestId, plugGuest } from "./hypervisor.ts";
import { toAddress } from "./network.ts";
import { namedAfter, toAddress6 } from "./network6.ts";
import { buildNode, familySysctls } from "./node-network.ts";
import { ipBatch, must, run, setSysctls } from "./shell.ts";

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
    ...(plan.shape === "guest" ? [ns.hypervisor] : []),
  ];
  for (const space of new Set(spaces)) {
    await must(["ip", "netns", "add", space]);
    await setSysctls(space, familySysctls(plan));
  }
  await buildSwitch(plan);
  if (plan.shape === "guest") await buildHypervisor(plan, options.brnf);
  await buildNode(plan, options);
  for (const machine of machines) await plugMachine(plan, machine);
}

async function buildSwitch(plan: HousePlan): Promise<void> {
  const { ns, lan, lanAddresses, worldAddresses } = plan;
  const isDual = plan.lan6 !== null;
  await ipBatch(ns.switch, [
    "link set lo up",
    "link add sw0 address 02:6c:61:62:01:01 type bridge",
    ...lanAddresses.map((address) => `addr add ${address}/${lan.prefix} dev sw0`),
    ...(isDual ? [`addr add ${address6In(plan, plan.gateway)}/64 dev sw0 nodad`] : []),
    ...worldAddresses.map((address) => `addr add ${address}/32 dev lo`),
    "link set sw0 up",
  ]);
  // Forwarding makes it the house's router; redirects would teach clients a second way.
  await setSysctls(ns.switch, {
    "net/ipv4/ip_forward": 1,
    "net/ipv4/conf/all/send_redirects": 0,
    "net/ipv4/conf/all/rp_filter": 0,
    "net/ipv4/conf/sw0/send_redirects": 0,
    ...(isDual ? { "net/ipv6/conf/all/forwarding": 1 } : {}),
  });
  // A switch knows nothing of IP: the node's kind of bridge filtering must not happen here.
  await setSysctls(ns.switch, {
    "net/bridge/bridge-nf-call-iptables": 0,
    "net/bridge/bridge-nf-call-ip6tables": 0,
    "net/bridge/bridge-nf-call-arptables": 0,
  });
}

export async function plugMachine(plan: HousePlan, machine: Machine): Promise<void> {
  const { ns, node, lan, gateway, routedNet } = plan;
  if (machine.at === "router") {
    await buildRouter(plan);
    const inner = toAddress(routedNet.base + 1);
    await cable(machine, ns.router, "rt0");
    await address(machine, routedNet.prefix, inner);
    return address6(plan, machine, namedAfter(ROUTED_NET6, routedNet, machine.address), ROUTER6);
  }
  if (machine.at === "bridge" && plan.shape === "guest")
    await plugGuest(plan, { ns: machine.ns, card: "eth0", id: guestId(machine) });
  else
    await cable(machine, machine.at === "bridge" ? node.ns : ns.switch, machine.at === "bridge" ? node.bridge : "sw0");
  await address(machine, lan.prefix, gateway);
  if (plan.lan6 !== null) await address6(plan, machine, address6In(plan, machine.address), address6In(plan, gateway));
}

async function cable(machine: Machine, to: string, master: string): Promise<void> {
  const own = ["ip", "link", "add", "eth0", "netns", machine.ns, "type", "veth"];
  await must([...own, "peer", "name", machine.port, "netns", to]);
  await ipBatch(to, [`link set ${machine.port} master ${master} up`]);
}

async function address(machine: Machine, prefix: number, gateway: string): Promise<void> {
  await ipBatch(machine.ns, [
    "link set lo up",
    `addr add ${machine.address}/${prefix} dev eth0`,
    "link set eth0 up",
    `route add default via ${gateway}`,
  ]);
}

async function address6(plan: HousePlan, machine: Machine, own: string, gateway: string): Promise<void> {
  if (plan.lan6 === null) return;
  await ipBatch(machine.ns, [`addr add ${own}/64 dev eth0 nodad`, `route add ::/0 via ${gateway}`]);
}

const ROUTER6 = toAddress6([...ROUTED_NET6, 0, 0, 0, 1]);

/** A second router, for vantages that have no layer 2 of their own to the addresses. Made once. */
async function buildRouter(plan: HousePlan): Promise<void> {
  const { ns, lan, routedNet, gateway } = plan;
  if ((await run(["ip", "-n", ns.router, "link", "show", "rt0"])).code === 0) return;
  const outer = routerAddress(plan);
  const isDual = plan.lan6 !== null;
  const [outer6, gateway6] = isDual ? [address6In(plan, outer), address6In(plan, gateway)] : ["", ""];
  const wan = ["ip", "link", "add", "wan0", "netns", ns.router, "type", "veth"];
  await must([...wan, "peer", "name", "p-router", "netns", ns.switch]);
  await ipBatch(ns.switch, [
    "link set p-router master sw0 up",
    `route add ${toAddress(routedNet.base)}/${routedNet.prefix} via ${outer}`,
    ...(isDual ? [`route add ${toAddress6([...ROUTED_NET6, 0, 0, 0, 0])}/64 via ${outer6}`] : []),
  ]);
  await ipBatch(ns.router, [
    "link set lo up",
    "link add rt0 address 02:6c:61:62:02:01 type bridge",
    `addr add ${toAddress(routedNet.base + 1)}/${routedNet.prefix} dev rt0`,
    ...(isDual ? [`addr add ${ROUTER6}/64 dev rt0 nodad`] : []),
    "link set rt0 up",
    `addr add ${outer}/${lan.prefix} dev wan0`,
    ...(isDual ? [`addr add ${outer6}/64 dev wan0 nodad`] : []),
    "link set wan0 up",
    `route add default via ${gateway}`,
    ...(isDual ? [`route add ::/0 via ${gateway6}`] : []),
  ]);
  await setSysctls(ns.router, {
    "net/ipv4/ip_forward": 1,
    "net/ipv4/conf/all/send_redirects": 0,
    "net/ipv4/conf/all/rp_filter": 0,
    ...(isDual ? { "net/ipv6/conf/all/forwarding": 1, "net/bridge/bridge-nf-call-ip6tables": 0 } : {}),
    "net/bridge/bridge-nf-call-iptables": 0,
  });
}

function routerAddress(plan: HousePlan): string {
  const taken = new Set([
    ...plan.lanAddresses,
    plan.node.address,
    plan.spare,
    ...plan.machines.map((machine) => machine.address),
    ...plan.pods.flatMap((pod) => pod.addresses),
  ]);
  for (let offset = 2; ; offset++) {
    const candidate = toAddress(plan.lan.base + offset);
    if (!taken.has(candidate)) return candidate;
  }
}
