import { hostname } from "node:os";
import type { House } from "../core/config/house.ts";
import type { Plan, PlanTarget, Where } from "../core/plan.ts";
import { planOf } from "../engine/hub-plan.ts";
import type { ProbePorts } from "../probes/port.ts";

/** The plan of a vantage that stands here, for these targets (none named: all). On the machine that has a declared link, that of the host. */
export async function planHere(house: House, names: readonly string[], ports: ProbePorts): Promise<Plan> {
  const links = (await ports.links.read()) ?? [];
  const isHost = house.links.some((declared) =>
    links.some((link) => link.name === declared.parent || (link.name === declared.name && link.mac === declared.mac)),
  );
  // A host that has lost its bridge is still the host.
  const isNode = Object.values(house.speakers).some((speaker) => speaker.node === hostname());
  const where: Where = (isHost || isNode) && house.links.length > 0 ? "host" : "lan";
  const plan = planOf(house, { name: "check", where, key_file: "", optional: true, muted: true, heal: false });
  const wanted = (target: PlanTarget) => names.length === 0 || names.includes(target.name);
  return { ...plan, targets: plan.targets.filter(wanted) };
}
