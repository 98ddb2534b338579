import type { LinkConfig } from "../config/schema.ts";
import { nameOr } from "../what-to-type.ts";
import type { LinkSight } from "./examination.ts";
import { bad, type DoctorFinding, good, list, unknown, warning } from "./finding.ts";
import { filteredGuests, macvtapGuests, namesOf } from "./need.ts";

/** The ports of the parent, how guests are plugged into it, and where it believes the link to be. */
export function portFindings(sight: LinkSight, link: LinkConfig): DoctorFinding[] {
  const { facts, macvtaps } = sight;
  const ports = facts.ports ?? [];
  if (facts.ports === null) return [unknown("ports", `The ports of ${link.parent} were not looked at.`)];
  if (ports.length === 0)
    return [good("ports", `${link.parent} has no ports: it is no bridge, or nothing is plugged into it.`)];
  const say = (port: (typeof ports)[number]) =>
    `${port.name}${port.uplink === true ? " (uplink)" : ""} hairpin ${port.hairpin === null ? "?" : port.hairpin ? "on" : "off"}`;
  const shown = ports.slice(0, 6).map(say);
  const more = ports.length > shown.length ? ` and ${ports.length - shown.length} more` : "";
  const cut = ports.filter((port) => port.carrier === false);
  const cutUplinks = cut.filter((port) => port.uplink === true);
  const findings: DoctorFinding[] = [];
  if (cutUplinks.length > 0) {
    const text = `The uplink ${list(cutUplinks.map((port) => port.name))} has no carrier.`;
    findings.push(
      bad(
        "ports",
        text,
        ["The flag LOWER_UP is missing."],
        `ip -br link show master ${link.parent}   # then the cable`,
      ),
    );
  }
  const guests = macvtapGuests(sight, link);
  if (macvtaps.length > 0 || guests.length > 0) {
    const who = guests.length > 0 ? `${namesOf(guests)} (by libvirt's files)` : list(macvtaps);
    const text = `${who}: macvtap on ${link.parent}; such guests do not reach the host's own addresses.`;
    findings.push(
      warning(
        "ports",
        text,
        ["A macvtap passes no port of the bridge."],
        `virsh domiflist ${nameOr("VM", guests[0]?.name)}   # attach it to the bridge instead`,
      ),
    );
  }
  const filtered = filteredGuests(sight, link).slice(0, 3);
  const behind = filtered.map(({ name, filter }) => `${name} is behind the nwfilter ${filter}`);
  const also = behind.length === 0 ? "" : ` ${list(behind)}: when that VM alone fails, look there first.`;
  return [
    good("ports", `Ports of ${link.parent}: ${shown.join(", ")}${more}.${also}`),
    ...findings,
    ...tableFindings(sight, link),
  ];
}

/** The bridge's table entry of the link's MAC. */
function tableFindings({ facts, parentKind }: LinkSight, link: LinkConfig): DoctorFinding[] {
  const entries = facts.fdb ?? null;
  if (entries === null || parentKind !== "bridge" || facts.link.exists !== true) return [];
  const cure = `bridge fdb replace ${link.mac} dev ${link.parent} self local`;
  const elsewhere = entries.filter((entry) => entry.port !== link.parent).map((entry) => entry.port);
  if (elsewhere.length > 0) {
    const text = `${link.parent} believes the MAC of ${link.name} behind ${list(elsewhere)}: somebody else sends with it, or there is a loop.`;
    return [
      warning(
        "ports",
        text,
        ["bridge fdb show has it there."],
        `bridge fdb show br ${link.parent} | grep -i ${link.mac}`,
      ),
    ];
  }
  // At 1 the frames are taken in at the bridge itself, whatever their MAC (facts/l2).
  if (entries.length > 0 || facts.brnf === 1 || !link.fdb_local) return [];
  const text = `${link.parent} has no entry for the MAC of ${link.name}: what is meant for it is flooded to every port.`;
  return [warning("ports", text, ["bridge fdb show has none."], cure)];
}
