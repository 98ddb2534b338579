import type { Bench } from "../bench.ts";
import { NODE_GUEST, type Pod } from "../house-plan.ts";
import { isIpv6 } from "../network6.ts";
import { inside, must, run, setSysctls } from "../shell.ts";
import type { PodOrder } from "../standins/pods.ts";
import { type Fault, needsCheck, needsVantage } from "./fault.ts";

/** Faults behind the announcement: forwarding, firewall, and the services themselves. A person's, all of them. */
function ofPods(
  name: Fault["name"] & PodOrder["fault"],
  title: string,
  cause: Fault["cause"],
  pods: (bench: Bench) => readonly Pod[],
  missing: Fault["missing"],
): Fault {
  return {
    name,
    title: () => title,
    cause,
    ending: "told",
    ...(missing === undefined ? {} : { missing }),
    inject: (bench) => bench.pods(pods(bench), name),
    restore: (bench) => bench.pods(pods(bench), null),
  };
}

const localDns = (bench: Bench) =>
  bench.podsWith("dns", (pod) => pod.target.checks.some((check) => check.kind === "dns" && !check.upstream));
const declaredDns = (bench: Bench) =>
  bench.podsWith("dns", (pod) =>
    pod.target.checks.some((check) => check.kind === "dns" && !check.upstream && check.expect !== null),
  );
const upstreamDns = (bench: Bench) =>
  bench.podsWith("dns", (pod) => pod.target.checks.some((check) => check.kind === "dns" && check.upstream));
const https = (bench: Bench) => bench.podsWith("https");
const oidc = (bench: Bench) => bench.podsWith("oidc");
const secure = (bench: Bench) => (https(bench).length > 0 ? https(bench) : oidc(bench));
/** The pod whose death hurts most: DNS, where there is one. */
const firstPod = (bench: Bench) => (localDns(bench).length > 0 ? localDns(bench) : bench.plan.pods).slice(0, 1);
const none = (pods: (bench: Bench) => readonly Pod[], what: string) => (bench: Bench) =>
  pods(bench).length === 0 ? `no target has ${what}` : null;

const FIREWALL = "lab-port-filter";

/** A rule for each family that the addresses are of. */
function rulesFor(bench: Bench, before: string, verdict: string): readonly string[] {
  const all = bench.plan.pods.flatMap((pod) => pod.addresses);
  return (["ip", "ip6"] as const).flatMap((family) => {
    const addresses = all.filter((address) => isIpv6(address) === (family === "ip6"));
    return addresses.length === 0 ? [] : [`    ${before} ${family} daddr { ${addresses.join(", ")} } ${verdict}`];
  });
}

function portFilter(bench: Bench): string {
  const ports = bench
    .machines("bridge")
    .map((machine) => `"${machine.port}"`)
    .join(", ");
  return [
    `table bridge ${FIREWALL} {`,
    "  chain ports {",
    "    type filter hook prerouting priority -300",
    ...rulesFor(bench, `iifname { ${ports} }`, "drop"),
    "  }",
    "}",
    "",
  ].join("\n");
}

const LOSS = "lab-packet-loss";
/** What three tries of a check and TCP's own repetition get over. */
const LOSS_PERCENT = 5;

/** The kernel of many a machine has no netem; nftables can throw dice as well. */
function randomDrop(bench: Bench): string {
  // On a hypervisor a frame passes three bridges: the dice are thrown at the last one.
  const where = bench.plan.shape === "guest" ? `iifname "fwln${NODE_GUEST}i0"` : "";
  return [
    `table bridge ${LOSS} {`,
    "  chain dice {",
    "    type filter hook prerouting priority -300",
    ...rulesFor(bench, where, `numgen random mod 100 < ${LOSS_PERCENT} drop`),
    "  }",
    "}",
    "",
  ].join("\n");
}

export const SERVICE_FAULTS: readonly Fault[] = [
  {
    name: "forwarding-gone",
    title: () => "kube-proxy's rules are gone: nft delete table ip kube-proxy",
    cause: "not_forwarded",
    ending: "told",
    inject: (bench) => bench.forwardingRules(false),
    restore: (bench) => bench.forwardingRules(true),
  },
  {
    name: "reverse-path-filter",
    title: () => "net.ipv4.conf.all.rp_filter=2: the link has no address, so everything that arrives on it is dropped",
    cause: "not_forwarded",
    ending: "told",
    missing: (bench) =>
      // A node that is a guest bridges nothing: all that is meant for the link arrives on it.
      (bench.house.brnf === 0 || bench.plan.shape === "guest") && bench.plan.house.links.length > 0
        ? null
        : "it bites only with --brnf 0 and a link",
    inject: (bench) => setSysctls(bench.plan.node.ns, { "net/ipv4/conf/all/rp_filter": 2 }),
    restore: (bench) => setSysctls(bench.plan.node.ns, { "net/ipv4/conf/all/rp_filter": 0 }),
  },
  {
    name: "vm-port-firewalled",
    title: (bench) => `a filter on ${bench.machines("bridge")[0]?.port} drops what the VM sends to the addresses`,
    cause: "vm_path",
    ending: "told",
    missing: (bench) => needsVantage("bridge", "vm")(bench) ?? needsVantage("switch", "lan")(bench),
    inject: async (bench) => void (await must(inside(bench.bridgeNs, ["nft", "-f", "-"]), portFilter(bench))),
    restore: async (bench) => void (await run(inside(bench.bridgeNs, ["nft", "delete", "table", "bridge", FIREWALL]))),
  },
  {
    name: "packet-loss",
    title: () => `${LOSS_PERCENT} % of the packets to the addresses are lost on the node, at random`,
    cause: null,
    orElse: ["unclassified"],
    ending: "quiet",
    inject: async (bench) => void (await must(inside(bench.bridgeNs, ["nft", "-f", "-"]), randomDrop(bench))),
    restore: async (bench) => void (await run(inside(bench.bridgeNs, ["nft", "delete", "table", "bridge", LOSS]))),
    lastsMs: 40_000,
  },
  {
    ...ofPods(
      "pod-dead",
      "the pod is dead, and its endpoint still says ready",
      "service_down",
      firstPod,
      none(firstPod, "a service"),
    ),
    title: (bench) => `the pod of ${firstPod(bench)[0]?.service} is dead, and its endpoint still says ready`,
  },
  ofPods(
    "dns-servfail",
    "the DNS server answers SERVFAIL",
    "service_down",
    localDns,
    none(localDns, "a dns check of a local record"),
  ),
  ofPods("http-503", "the HTTPS server answers 503", "service_down", secure, needsCheck("https")),
  ofPods(
    "upstream-dns-down",
    "the DNS server's upstream is gone",
    "upstream_dns",
    upstreamDns,
    none(upstreamDns, "a dns check with upstream: true"),
  ),
  ofPods(
    "dns-wrong-answer",
    "the DNS server answers with another address",
    "answer_wrong",
    declaredDns,
    none(declaredDns, "a dns check with expect"),
  ),
  ofPods(
    "oidc-wrong-issuer",
    "the OIDC discovery document names another issuer",
    "answer_wrong",
    oidc,
    needsCheck("oidc"),
  ),
  ofPods(
    "certificate-expired",
    "the certificate expired yesterday",
    "certificate",
    secure,
    none(secure, "an https or oidc check"),
  ),
  ofPods(
    "certificate-wrong-name",
    "the server shows its default certificate",
    "certificate",
    secure,
    none(secure, "an https or oidc check"),
  ),
];
