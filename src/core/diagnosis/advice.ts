import { isIpv6 } from "../address.ts";
import type { Cause } from "../cause.ts";
import { askDns, certificateOf, nameOr, showCertificate } from "../what-to-type.ts";
import { announcedElsewhereHere } from "./neighbour-rows.ts";
import { failures, type Scene } from "./scene.ts";

/** What a person should type, or look at, for a cause at the targets concerned. Null where nothing useful can be said. */
export function adviceFor(cause: Cause, scene: Scene, concerned: readonly string[]): string | null {
  const { group, facts } = scene;
  const link = group.link?.name ?? "the link";
  const parent = group.link?.parent ?? "the bridge";
  const node = group.speaker?.node ?? facts?.node ?? "NODE";
  const namespace = group.speaker?.namespace ?? "metallb-system";
  const targets = scene.targets.filter((target) => concerned.includes(target.name));
  const service = targets.find((target) => target.service !== null)?.service?.split("/") ?? null;
  const address = targets[0]?.addresses[0] ?? null;
  switch (cause) {
    case "parent_missing":
    case "parent_down":
      return `ip -d link show ${parent}; ip link set ${parent} up   # then hairpin makes ${link} again by itself`;
    case "link_missing":
    case "link_down":
    case "link_drifted":
      return `hairpin link show; hairpin link ensure   # on ${node}`;
    case "announced_on_parent":
    case "not_advertised":
      return `kubectl apply -f - <<'EOF'\n${advertisement(scene)}\nEOF`;
    case "mac_conflict":
    case "mac_unexpected":
      return findMachine(strangers(scene, concerned), node);
    case "lan_path":
      return `ip -br link show master ${parent}   # on ${node}: look for a port without carrier, then the cable and the switch`;
    case "site_network":
      return "ip -br link; ip route   # at the vantages: they do not reach their own gateway; then the router and the switch";
    case "no_endpoints":
      return service === null
        ? findService(address)
        : `kubectl -n ${service[0]} get endpointslices,pods -o wide   # no endpoint is ready, so the speaker has withdrawn the address`;
    case "stale_neighbour":
      return "hairpin heal --step announce";
    case "speaker_stale_mac":
      return "hairpin heal --step restart-speaker";
    case "not_announced":
      if (announcedElsewhereHere(scene).length > 0) return `kubectl apply -f - <<'EOF'\n${advertisement(scene)}\nEOF`;
      return `kubectl -n ${namespace} get pods -o wide; hairpin heal`;
    case "vm_path":
      return (
        attachment(scene) ??
        `bridge -d link show master ${parent}; virsh domiflist VM   # how the VM is attached; its port's hairpin flag and filters`
      );
    case "not_forwarded":
      return `${filterOf(scene, concerned, link)}; kubectl -n kube-system rollout restart daemonset kube-proxy`;
    case "service_down":
    case "answer_wrong":
      return service === null
        ? findService(address)
        : `kubectl -n ${service[0]} get pods; kubectl -n ${service[0]} logs --tail=50 service/${service[1]}`;
    case "upstream_dns":
      return `${askUpstream(scene, concerned)}   # the resolver is fine, the Internet behind it is not: its forwarders, and the uplink`;
    case "certificate":
      return `kubectl get certificates -A; ${certificateThere(scene, concerned)}`;
    case "outside_path":
      return "hairpin status   # what the edge saw; then the tunnel (systemctl status cloudflared), the port forwarding, the public DNS zone";
    case "vantage_silent":
      return `systemctl status hairpin-vantage   # on ${silentOnes(scene)}; in Home Assistant: the app's log`;
    case "announced_elsewhere":
    case "disputed":
    case "unclassified":
      return null;
  }
}

/** What a look of a vantage failed with, at the targets concerned. */
const looksOf = (scene: Scene, concerned: readonly string[]) =>
  scene.looks.filter((look) => concerned.includes(look.target.name) && look.verdict === "failed");

const addressesLost = (scene: Scene, concerned: readonly string[]): readonly string[] => [
  ...new Set(looksOf(scene, concerned).map((look) => look.address)),
];

/** There is no reverse-path filter for IPv6. */
function filterOf(scene: Scene, concerned: readonly string[], link: string): string {
  const lost = addressesLost(scene, concerned);
  return lost.length > 0 && lost.every(isIpv6)
    ? "sysctl net.ipv6.conf.all.forwarding"
    : `nstat -az TcpExtIPReversePathFilter; sysctl net.ipv4.conf.${link}.rp_filter`;
}

/** The MACs that answered and that nobody declared. */
function strangers(scene: Scene, concerned: readonly string[]): readonly string[] {
  const known = new Set([scene.linkMac, ...scene.alsoMacs, scene.facts?.parent.mac]);
  const seen = looksOf(scene, concerned).flatMap(
    (look) => look.answers ?? (look.tableMac === null ? [] : [look.tableMac]),
  );
  return [...new Set(seen)].filter((mac) => !known.has(mac));
}

const STRANGERS_MAX = 4;

/** Behind which port of the bridge the machine of such a MAC is. */
export function findMachine(macs: readonly string[], node: string): string {
  const shown = macs.slice(0, STRANGERS_MAX);
  const pattern = shown.length === 0 ? "MAC" : shown.length === 1 ? shown[0] : `'${shown.join("|")}'`;
  return `bridge fdb show | grep -iE ${pattern}   # on ${node}; and in the switch's address table: the machine behind the MAC`;
}

/** The failing check with a certificate, at the address where it fails. */
function certificateThere(scene: Scene, concerned: readonly string[]): string {
  for (const look of looksOf(scene, concerned)) {
    for (const { check } of failures(look)) {
      const declared = look.target.checks.find(
        (known) => check.id === known.id || check.id === `${known.id}@${look.address}`,
      );
      const shown = declared === undefined ? null : certificateOf(declared);
      if (shown !== null) return showCertificate(look.address, shown.port, shown.name);
    }
  }
  const target = scene.targets.find((known) => concerned.includes(known.name));
  const shown = target?.checks.map(certificateOf).find((known) => known !== null);
  return showCertificate(target?.addresses[0] ?? "ADDRESS", shown?.port ?? 443, shown?.name ?? null);
}

/** The first question that goes beyond the resolver. */
function askUpstream(scene: Scene, concerned: readonly string[]): string {
  for (const target of scene.targets.filter((known) => concerned.includes(known.name))) {
    const check = target.checks.find((known) => known.kind === "dns" && known.upstream);
    const address = addressesLost(scene, [target.name])[0] ?? target.addresses[0];
    if (check?.kind === "dns" && address !== undefined) return askDns(check, address);
  }
  return "cat /etc/resolv.conf";
}

const silentOnes = (scene: Scene): string => scene.silent.map((vantage) => vantage.name).join(", ") || "the vantage";

/** For a target without `service:`, by the address alone: what stands behind it, to look at, and to be written down. */
function findService(address: string | null): string {
  const which = address === null ? "" : ` | grep -Fw ${address}`;
  return `kubectl get services -A -o wide${which}   # then the pods that its selector names; and write it as \`service:\` of the target`;
}

/** The manifest that makes the addresses of this group be announced on its link, from its node. */
export function advertisement(scene: Scene): string {
  const { group, facts } = scene;
  const node = group.speaker?.node ?? facts?.node ?? "NODE";
  return [
    "apiVersion: metallb.io/v1beta1",
    "kind: L2Advertisement",
    "metadata:",
    "  name: homelab-l2",
    `  namespace: ${group.speaker?.namespace ?? "metallb-system"}`,
    "spec:",
    `  interfaces: [${group.link?.name ?? "LINK"}]`,
    "  nodeSelectors:",
    "    - matchLabels:",
    `        kubernetes.io/hostname: ${node}`,
  ].join("\n");
}

/** What libvirt's files say of the guests on the parent, where that explains a VM that fails alone. */
function attachment({ facts, group }: Scene): string | null {
  const guests = (facts?.guests ?? []).filter((guest) => guest.source === group.link?.parent);
  const macvtap = guests.find((guest) => guest.type === "direct");
  if (macvtap !== undefined)
    return `virsh edit ${nameOr("VM", macvtap.name)}   # its card is macvtap on ${macvtap.source}: attach it to the bridge instead (type='bridge')`;
  const filtered = guests.find((guest) => guest.filter !== null);
  if (filtered === undefined) return null;
  return `virsh nwfilter-dumpxml ${nameOr("FILTER", filtered.filter)}   # the filter before ${filtered.name}: whether it lets ARP and its answers pass`;
}
