import type { House, Vantage } from "../core/config/house.ts";
import { largestGap } from "../core/cron.ts";
import type { Plan } from "../core/plan.ts";

/** Observations a vantage keeps while the hub is away: nearly three hours of the default schedule. */
const SPOOL_MAX = 1_000;
/** Beyond this an offset would only make a vantage late. */
const OFFSET_MAX = 15_000;

/** The name under which a plan gives the parent's MAC among those that may not answer (probes/neighbour). */
const PARENT = "parent";

/**
 * What one vantage has to do. `parents` is the MAC of each link's parent, as its host has told it: a vantage then says itself that an
 * address is answered by the parent, and not merely by somebody unknown. Vantages are spread over the gap of the schedule, so that one of them sees a fault sooner. */
export function planOf(house: House, vantage: Vantage, parents: Readonly<Record<string, string>> = {}): Plan {
  const index = house.vantages.findIndex((known) => known.name === vantage.name);
  const gap = Math.min(largestGap(house.schedule), OFFSET_MAX);
  return {
    type: "hairpin.plan.v1",
    site: house.site,
    vantage: vantage.name,
    where: vantage.where,
    schedule: house.schedule,
    offset_ms: Math.round((gap * Math.max(0, index)) / Math.max(1, house.vantages.length)),
    control: { gateway: house.control.gateway, reference: house.control.reference ?? null },
    targets: house.targets.map((target) => {
      const link = house.links.find((known) => known.name === target.group) ?? null;
      return {
        name: target.name,
        addresses: target.addresses,
        mac: link?.mac ?? null,
        also: { ...parentOf(link?.name, parents), ...link?.also },
        checks: target.checks,
      };
    }),
    links:
      vantage.where === "host" ? house.links.map(({ name, parent, mac, mode }) => ({ name, parent, mac, mode })) : [],
    spool_max: SPOOL_MAX,
  };
}

function parentOf(link: string | undefined, parents: Readonly<Record<string, string>>): Record<string, string> {
  const mac = link === undefined ? undefined : parents[link];
  return mac === undefined ? {} : { [PARENT]: mac };
}

/** A tag of the plan's text (FNV-1a, twice with different starts): it tells versions apart, it protects nothing. */
export function etagOf(plan: Plan): string {
  const text = JSON.stringify(plan);
  const hash = (start: number): string => {
    let value = start;
    for (let index = 0; index < text.length; index++) value = Math.imul(value ^ text.charCodeAt(index), 16_777_619);
    return (value >>> 0).toString(16).padStart(8, "0");
  };
  return `"${hash(2_166_136_261)}${hash(text.length)}"`;
}
