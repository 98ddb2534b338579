import { type Group, type House, resolveHouse, UNLINKED } from "../config/house.ts";
import { configSchema, type LinkConfig } from "../config/schema.ts";
import type { CheckResult } from "../observation.ts";
import type { Plan, PlanTarget } from "../plan.ts";
import { bad, type DoctorFinding, good, unknown } from "./finding.ts";

/** Under this name a plan has the parent's MAC among those that may not answer (engine/hub-plan). */
const PARENT = "parent";

/**
 * The house as far as a vantage knows it from its plan: targets, checks and MACs. Links have no names there, so that sentences and
 * commands carry LINK and BRIDGE for a person to fill in. Who repairs and who is told is not in a plan.
 */
export function houseOfPlan(plan: Plan): House {
  const { house } = resolveHouse(configSchema.parse({ site: "plan" }), () => null);
  const links = linksOf(plan);
  const nameOf = (target: PlanTarget) => links.find((link) => link.mac === target.mac)?.name ?? UNLINKED;
  const names = [...new Set(plan.targets.map(nameOf))];
  const groups = names.map((name): Group => {
    const link = links.find((known) => known.name === name) ?? null;
    const targets = plan.targets.filter((target) => nameOf(target) === name).map((target) => target.name);
    return { name, link, speaker: null, host: null, targets };
  });
  return {
    ...house,
    site: plan.site,
    schedule: plan.schedule,
    targets: plan.targets.map((target) => ({
      name: target.name,
      addresses: target.addresses,
      service: null,
      checks: target.checks,
      group: nameOf(target),
    })),
    groups,
    links,
    vantages: [{ name: plan.vantage, where: plan.where, key_file: "", optional: true, muted: false, heal: false }],
  };
}

function linksOf(plan: Plan): readonly LinkConfig[] {
  const macs = [...new Set(plan.targets.flatMap((target) => target.mac ?? []))];
  return macs.map((mac, index): LinkConfig => {
    const told = plan.links.find((link) => link.mac === mac);
    const also = plan.targets.filter((target) => target.mac === mac).map((target) => target.also);
    const others = Object.entries(Object.assign({}, ...also) as Record<string, string>);
    return {
      name: told?.name ?? (macs.length === 1 ? "LINK" : `LINK${index + 1}`),
      parent: told?.parent ?? "BRIDGE",
      mac,
      mode: "bridge",
      sysctl: { rp_filter: 0, arp_ignore: 1 },
      addresses: [],
      fdb_local: true,
      also: Object.fromEntries(others.filter(([name]) => name !== PARENT)),
    };
  });
}

/** The parent's MAC as the host has told it to the hub, and the hub in the plan; null where it has not. */
export function parentOfPlan(plan: Plan): { readonly address: string; readonly mac: string } | null {
  const mac = plan.targets.flatMap((target) => target.also[PARENT] ?? [])[0];
  return mac === undefined ? null : { address: "the host", mac };
}

/** Where the sentences come from, and what no plan can say. */
export function planFindings(plan: Plan, file: string, savedAt: string | null): readonly DoctorFinding[] {
  const since = savedAt === null ? "" : `, as the hub gave it at ${savedAt}`;
  const count = `${plan.targets.length} ${plan.targets.length === 1 ? "target" : "targets"}`;
  const text = `There is no hairpin.yaml here; ${file} says what to ask: site ${plan.site}, vantage ${plan.vantage}, ${count}${since}.`;
  const rest = "Who is told, and whether it arrives, is in no plan: run hairpin doctor on the hub's machine.";
  return [good("configuration", text), unknown("receivers", rest)];
}

/** On a vantage of the host: its checks of the link and of the speaker, which elsewhere are looked at with all the host's facts. */
export function linkCheckFindings(checks: readonly CheckResult[]): readonly DoctorFinding[] {
  return checks.flatMap((check): DoctorFinding[] => {
    if (check.check !== "link" && check.check !== "speaker") return [];
    if (check.ok) return [good(check.check, `${check.target}: its ${check.check} check is good.`)];
    const why = check.detail == null ? [] : [check.detail];
    return [
      bad(
        check.check,
        `${check.target}: ${check.failure}.`,
        why,
        "hairpin doctor --config FILE   # with the house's hairpin.yaml",
      ),
    ];
  });
}
