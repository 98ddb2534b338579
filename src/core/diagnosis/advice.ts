import type { Cause } from "../cause.ts";
import { announcedElsewhereHere } from "./neighbour-rows.ts";
import type { Scene } from "./scene.ts";

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
      return `find the machine behind the MAC: bridge fdb show | grep -i MAC   # on ${node}, and in the switch's address table`;
    case "lan_path":
      return `ip -br link show master ${parent}   # on ${node}: look for a port without carrier, then the cable and the switch`;
    case "site_network":
      return "look at the router and the switch: the vantages do not reach their own gateway";
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
      return `nstat -az TcpExtIPReversePathFilter; sysctl net.ipv4.conf.${link}.rp_filter; kubectl -n kube-system rollout restart daemonset kube-proxy`;
    case "service_down":
    case "answer_wrong":
      return service === null
        ? findService(address)
        : `kubectl -n ${service[0]} get pods; kubectl -n ${service[0]} logs --tail=50 service/${service[1]}`;
    case "upstream_dns":
      return "the resolver is fine, the Internet behind it is not: look at its forwarders and at the uplink";
    case "certificate":
      return `kubectl get certificates -A; openssl s_client -connect ${address ?? "ADDRESS"}:443 </dev/null | openssl x509 -noout -dates -subject`;
    case "outside_path":
      return "hairpin status   # what the edge saw; then the tunnel (systemctl status cloudflared), the port forwarding, the public DNS zone";
    case "vantage_silent":
      return "look at the vantage: systemctl status hairpin-vantage, or the app's log in Home Assistant";
    case "announced_elsewhere":
    case "disputed":
    case "unclassified":
      return null;
  }
}

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
    return `virsh edit ${typed(macvtap.name, "VM")}   # its card is macvtap on ${macvtap.source}: attach it to the bridge instead (type='bridge')`;
  const filtered = guests.find((guest) => guest.filter !== null);
  if (filtered === undefined) return null;
  return `virsh nwfilter-dumpxml ${typed(filtered.filter, "FILTER")}   # the filter before ${filtered.name}: whether it lets ARP and its answers pass`;
}

/** A name of another program's file, as it may stand in a command. */
function typed(name: string | null, otherwise: string): string {
  return name !== null && /^[\w.-]{1,64}$/.test(name) ? name : otherwise;
}
