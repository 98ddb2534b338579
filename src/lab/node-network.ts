import { address6In, type HousePlan, POD_NET6 } from "./house-plan.ts";
import { plugNode } from "./hypervisor.ts";
import { isIpv6, namedAfter } from "./network6.ts";
import { inside, ipBatch, must, setSysctls } from "./shell.ts";

/** Names of the veth pair between the node and its pods. veth* is what MetalLB's excludel2 leaves out, so nothing announces there. */
const POD_PORT = "vethpods";

/** IPv6 as a house has it: no router advertisements, no waiting for duplicates; off where no target is of it. */
export function familySysctls(plan: HousePlan): Readonly<Record<string, number>> {
  if (plan.lan6 === null) return { "net/ipv6/conf/all/disable_ipv6": 1, "net/ipv6/conf/default/disable_ipv6": 1 };
  return {
    "net/ipv6/conf/all/accept_dad": 0,
    "net/ipv6/conf/default/accept_dad": 0,
    "net/ipv6/conf/all/accept_ra": 0,
    "net/ipv6/conf/default/accept_ra": 0,
  };
}

/** The node's machine: parent, pods and the rules that kube-proxy would have written. Also run for a reboot. */
export async function buildNode(plan: HousePlan, options: { readonly brnf: number }): Promise<void> {
  const { node, ns, podNet, podGateway } = plan;
  const pods = ["ip", "link", "add", POD_PORT, "netns", node.ns, "type", "veth"];
  await must([...pods, "peer", "name", "eth0", "netns", ns.pods]);
  await setSysctls(node.ns, {
    ...familySysctls(plan),
    "net/ipv4/conf/all/rp_filter": 0,
    // Debian's, Ubuntu's and systemd's default: a link that is made anew without its own sysctls is then deaf (measured).
    "net/ipv4/conf/default/rp_filter": 2,
    "net/ipv4/ip_forward": 1,
    "net/bridge/bridge-nf-call-iptables": options.brnf,
    ...(plan.lan6 === null
      ? {}
      : { "net/ipv6/conf/all/forwarding": 1, "net/bridge/bridge-nf-call-ip6tables": options.brnf }),
  });
  await ipBatch(node.ns, ["link set lo up"]);
  if (plan.shape === "bridge") await plugUplink(plan);
  await buildParent(plan);
  const others = [...new Set(plan.house.links.map((link) => link.parent))].filter((parent) => parent !== node.bridge);
  const podGateway6 = namedAfter(POD_NET6, podNet, podGateway);
  await ipBatch(node.ns, [
    ...others.flatMap((parent) => [`link add ${parent} type bridge`, `link set ${parent} up`]),
    `addr add ${podGateway}/${podNet.prefix} dev ${POD_PORT}`,
    ...(plan.lan6 === null ? [] : [`addr add ${podGateway6}/64 dev ${POD_PORT} nodad`]),
    `link set ${POD_PORT} up`,
  ]);
  await setSysctls(node.ns, { [`net/ipv4/conf/${POD_PORT}/rp_filter`]: 0 });
  await ipBatch(ns.pods, [
    "link set lo up",
    ...plan.pods.map((pod) => `addr add ${pod.ip}/${podNet.prefix} dev eth0`),
    ...plan.pods.flatMap((pod) => (pod.ip6 === null ? [] : [`addr add ${pod.ip6}/64 dev eth0 nodad`])),
    "link set eth0 up",
    `route add default via ${podGateway}`,
    ...(plan.lan6 === null ? [] : [`route add ::/0 via ${podGateway6}`]),
  ]);
  await must(inside(node.ns, ["nft", "-f", "-"]), forwardingRules(plan));
}

async function plugUplink(plan: HousePlan): Promise<void> {
  const { node, ns } = plan;
  const uplink = ["ip", "link", "add", node.uplink, "netns", node.ns, "type", "veth"];
  await must([...uplink, "peer", "name", "p-node", "netns", ns.switch]);
  await ipBatch(ns.switch, ["link set p-node master sw0 up"]);
}

/** The parent of the link with its addresses and the way out: at boot, and when a fault puts it back. */
export async function buildParent(plan: HousePlan): Promise<void> {
  const { node, lan, gateway } = plan;
  if (plan.shape === "guest") await plugNode(plan);
  else
    await ipBatch(node.ns, [
      `link add ${node.bridge} address ${node.bridgeMac} type bridge`,
      `link set ${node.uplink} master ${node.bridge} up`,
    ]);
  await ipBatch(node.ns, [
    `link set ${node.bridge} up`,
    `addr add ${node.address}/${lan.prefix} dev ${node.bridge}`,
    ...(plan.lan6 === null ? [] : [`addr add ${address6In(plan, node.address)}/64 dev ${node.bridge} nodad`]),
    `route replace default via ${gateway}`,
    ...(plan.lan6 === null ? [] : [`route replace ::/0 via ${address6In(plan, gateway)}`]),
  ]);
  await setSysctls(node.ns, { [`net/ipv4/conf/${node.bridge}/rp_filter`]: 0 });
}

/** What kube-proxy's nftables mode comes down to for a LoadBalancer address: DNAT on the way in and out, and masquerade. */
export function forwardingRules(plan: HousePlan): string {
  const families = plan.lan6 === null ? (["ip"] as const) : (["ip", "ip6"] as const);
  return families.map((family) => table(plan, family)).join("");
}

function table(plan: HousePlan, family: "ip" | "ip6"): string {
  const rules = plan.pods.flatMap((pod) =>
    pod.addresses
      .filter((address) => isIpv6(address) === (family === "ip6"))
      .flatMap((address) =>
        pod.ports.map(({ port, protocol }) => {
          const to = family === "ip6" ? `[${pod.ip6}]:${port}` : `${pod.ip}:${port}`;
          return `    ${family} daddr ${address} ${protocol} dport ${port} dnat to ${to}`;
        }),
      ),
  );
  return [
    `table ${family} kube-proxy {`,
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
