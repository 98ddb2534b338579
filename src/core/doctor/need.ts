import type { LinkConfig } from "../config/schema.ts";
import type { GuestFacts } from "../facts.ts";
import type { LinkSight } from "./examination.ts";
import { dropsEverything } from "./filter.ts";
import { type DoctorFinding, list, unknown } from "./finding.ts";

const NAMED_MAX = 3;

/** Cards of guests that libvirt plugs into the parent by macvtap: they pass no port of the bridge. */
export function macvtapGuests({ facts }: Pick<LinkSight, "facts">, link: LinkConfig): readonly GuestFacts[] {
  return (facts.guests ?? []).filter((guest) => guest.type === "direct" && guest.source === link.parent);
}

/** Cards of guests on the parent with a filter of libvirt in front. */
export function filteredGuests({ facts }: Pick<LinkSight, "facts">, link: LinkConfig): readonly GuestFacts[] {
  return (facts.guests ?? []).filter((guest) => guest.filter !== null && guest.source === link.parent);
}

export const namesOf = (guests: readonly GuestFacts[]): string => list([...new Set(guests.map(({ name }) => name))]);

/**
 * Whether this host needs the macvlan at all. Measured, not believed: announced on a plain bridge, the addresses worked in all twelve
 * combinations of brnf, rp_filter and externalTrafficPolicy, and none of the four reasons for which a VM alone failed is cured by a
 * macvlan (facts/l2). What stands in the way here and is cured by less is named; the rest as far as it can apply.
 */
export function needFinding(sight: LinkSight, link: LinkConfig): DoctorFinding {
  const cures = smallerCures(sight, link);
  const text =
    sight.parentKind === "bridge"
      ? `${link.name} is probably not needed: on a plain bridge addresses worked in all 12 combinations that were measured.`
      : `Whether ${link.name} is needed cannot be told: ${link.parent} is no bridge, and only bridges were measured.`;
  if (cures.length === 0) return unknown("need", text);
  const all = [...cures, ...hairpinCure(sight)].join("; ");
  const known = `A macvlan cures none of the reasons for which a VM alone failed. Smaller cures here: ${all}.`;
  return { ...unknown("need", text), evidence: [known] };
}

function smallerCures(sight: LinkSight, link: LinkConfig): string[] {
  const { facts, macvtaps } = sight;
  const guests = macvtapGuests(sight, link);
  const macvtap = guests.length > 0 ? namesOf(guests) : list(macvtaps);
  const filtered = filteredGuests(sight, link);
  const onParent = (facts.advertised ?? []).some(
    (entry) => entry.covered && (entry.interfaces === null || entry.interfaces.includes(link.parent)),
  );
  const empty = (facts.endpoints ?? []).filter((entry) => entry.ready === 0).map(({ service }) => service);
  return [
    ...(empty.length > 0 ? [`endpoints of ${list(empty)} (nobody announces without)`] : []),
    ...(onParent ? ["`interfaces:` of the L2Advertisement"] : []),
    ...(dropsEverything(sight) ? ["rp_filter 0"] : []),
    ...(macvtap === "" ? [] : [`${macvtap} onto the bridge instead of macvtap`]),
    ...filtered.slice(0, NAMED_MAX).map(({ name, filter }) => `the nwfilter ${filter} before ${name}`),
  ];
}

/** Nearly every host has such ports, and few a VM that is itself the backend: no reason to say something by itself. */
function hairpinCure({ facts }: LinkSight): string[] {
  const ports = (facts.ports ?? []).filter((port) => port.uplink === false && port.hairpin === false);
  const shown = ports.slice(0, NAMED_MAX).map(({ name }) => name);
  return facts.brnf === 1 && shown.length > 0
    ? [`bridge link set dev ${shown.join("|")} hairpin on, where that VM is itself the backend`]
    : [];
}
