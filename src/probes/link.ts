import type { PlanLink } from "../core/plan.ts";
import { type Finding, failed, passed } from "./finding.ts";
import type { LinkEntry } from "./port.ts";

/** Compares a link of this machine with what was declared. Reads only; the host hook has the duty to repair. */
export function judgeLink(declared: PlanLink, links: readonly LinkEntry[] | null): Finding {
  if (links === null) return failed("unclassified", "the links of this machine could not be read");
  const parent = links.find((link) => link.name === declared.parent);
  if (parent === undefined) return failed("parent_missing", `${declared.parent} does not exist`);
  const link = links.find((entry) => entry.name === declared.name);
  if (!parent.up) return failed("parent_down", `${declared.parent} is down`);
  if (link === undefined) return failed("link_missing", `${declared.name} does not exist`);
  const drift = [
    differs("kind", link.kind, "macvlan"),
    differs("MAC", link.mac, declared.mac),
    differs("mode", link.mode, declared.mode),
    differs("parent", link.parent, declared.parent),
  ].filter((word) => word !== null);
  const evidence = { mac: link.mac };
  if (drift.length > 0) return failed("link_drifted", `${declared.name}: ${drift.join(", ")}`, { evidence });
  if (!link.up) return failed("link_down", `${declared.name} is down`, { evidence });
  return passed(null, { evidence });
}

function differs(what: string, is: string | null, wanted: string): string | null {
  return is === wanted ? null : `${what} is ${is ?? "unknown"}, declared ${wanted}`;
}
