import { type HousePlan, type Machine, NODE_GUEST, vlanOf } from "./house-plan.ts";
import { ipBatch, must, run, setSysctls } from "./shell.ts";

/**
 * The machine under a node that is itself a guest, as Proxmox makes it: a bridge with the uplink, and for each card of a guest a bridge
 * of its own for the firewall in between: tapNi0 — fwbrNi0 — fwlnNi0/fwprNp0 — vmbr0.
 */
const BRIDGE = "vmbr0";
/** Where a guest's second card leads: to nobody. */
const OTHER_BRIDGE = "vmbr1";
const UPLINK = "eno1";

/** Whether this kernel has VLAN interfaces at all; why not, in words, when it has none. */
export async function missingVlans(plan: HousePlan): Promise<string | null> {
  const { bridge } = plan.node;
  if (vlanOf(bridge) === null) return null;
  const tried = await run(["ip", "link", "add", "link", "lo", "name", "vlantry.2", "type", "vlan", "id", "2"]);
  if (tried.code === 0) await run(["ip", "link", "del", "vlantry.2"]);
  return /Unknown device type|not supported/i.test(tried.stderr)
    ? `${bridge} is a VLAN interface, and this kernel has none (modprobe 8021q)`
    : null;
}

export async function buildHypervisor(plan: HousePlan, brnf: number): Promise<void> {
  const { ns } = plan;
  await must([...veth(UPLINK, ns.hypervisor), "peer", "name", "p-node", "netns", ns.switch]);
  await ipBatch(ns.switch, ["link set p-node master sw0 up"]);
  await ipBatch(ns.hypervisor, [
    "link set lo up",
    `link add ${BRIDGE} type bridge`,
    `link set ${UPLINK} master ${BRIDGE} up`,
    `link set ${BRIDGE} up`,
    `link add ${OTHER_BRIDGE} type bridge`,
    `link set ${OTHER_BRIDGE} up`,
  ]);
  // What Proxmox sets where a guest's firewall is on: its own rules, and none of the node's.
  await setSysctls(ns.hypervisor, {
    "net/bridge/bridge-nf-call-iptables": brnf,
    "net/bridge/bridge-nf-call-ip6tables": brnf,
  });
}

/** The card of a guest, with everything behind it up to the hypervisor's bridge. */
export async function plugGuest(plan: HousePlan, guest: { ns: string; card: string; mac?: string; id: number }) {
  const { ns, card, mac, id } = guest;
  const own = mac === undefined ? [] : ["address", mac];
  await must([...veth(card, ns, own), "peer", "name", `tap${id}i0`, "netns", plan.ns.hypervisor]);
  const [tap, bridge, inner, outer] = [`tap${id}i0`, `fwbr${id}i0`, `fwln${id}i0`, `fwpr${id}p0`];
  // A guest that comes back finds its firewall bridge as it left it.
  const isThere = (await run(["ip", "-n", plan.ns.hypervisor, "link", "show", bridge])).code === 0;
  await ipBatch(plan.ns.hypervisor, [
    ...(isThere
      ? []
      : [
          `link add ${bridge} type bridge`,
          `link add ${inner} type veth peer name ${outer}`,
          `link set ${inner} master ${bridge} up`,
          `link set ${outer} master ${BRIDGE} up`,
          `link set ${bridge} up`,
        ]),
    `link set ${tap} master ${bridge} up`,
  ]);
}

/** The node's cards: the one under the link, its VLAN where the parent is one, and another that leads elsewhere. */
export async function plugNode(plan: HousePlan): Promise<void> {
  const { node, ns } = plan;
  const vlan = vlanOf(node.bridge);
  await plugGuest(plan, { ns: node.ns, card: vlan?.card ?? node.bridge, mac: node.bridgeMac, id: NODE_GUEST });
  if (vlan !== null) {
    // Tagged on the node's card, untagged on the hypervisor's bridge: an access port of the house's VLAN.
    const [tap, tagged] = [`tap${NODE_GUEST}i0`, `tap${NODE_GUEST}i0.${vlan.id}`];
    await ipBatch(ns.hypervisor, [
      `link set ${tap} nomaster`,
      `link add link ${tap} name ${tagged} type vlan id ${vlan.id}`,
      `link set ${tagged} master fwbr${NODE_GUEST}i0 up`,
    ]);
    await ipBatch(node.ns, [
      `link set ${vlan.card} up`,
      `link add link ${vlan.card} name ${node.bridge} type vlan id ${vlan.id}`,
    ]);
  }
  const isThere = (await run(["ip", "-n", node.ns, "link", "show", node.uplink])).code === 0;
  if (isThere) return;
  await must([...veth(node.uplink, node.ns), "peer", "name", `tap${NODE_GUEST}i1`, "netns", ns.hypervisor]);
  await ipBatch(ns.hypervisor, [`link set tap${NODE_GUEST}i1 master ${OTHER_BRIDGE} up`]);
  await ipBatch(node.ns, [`link set ${node.uplink} up`]);
}

/** The number of a guest, by its port. */
export function guestId(machine: Machine): number {
  return Number(/^tap(\d+)i0$/.exec(machine.port)?.[1]);
}

const veth = (name: string, ns: string, own: readonly string[] = []): readonly string[] => [
  ...["ip", "link", "add", name, "netns", ns, ...own],
  ...["type", "veth"],
];
