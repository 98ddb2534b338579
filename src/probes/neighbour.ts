import { isIpv6 } from "../core/address.ts";
import type { Evidence } from "../core/observation.ts";
import type { PlanTarget } from "../core/plan.ts";
import { isAbsent, isOnLink } from "./classify.ts";
import { type Finding, failed, passed } from "./finding.ts";
import type { NeighbourView, ProbePorts, WhoHasResult } from "./port.ts";

/** The key in `also` under which a plan may name the parent's MAC. */
const PARENT = "parent";

/**
 * Which MAC answers for the address. A green HTTPS probe does not prove that ARP works: TCP keeps confirming a cached neighbour
 * for more than 50 s after the last answer (facts/l2.md), so who-has is asked anew in each round.
 *
 * `before` is the kernel's entry as it was before anything was asked in this round: an answer to our own who-has overwrites it,
 * and the stale entry that explains an outage would be gone.
 */
export async function askNeighbour(
  target: Pick<PlanTarget, "mac" | "also">,
  address: string,
  before: NeighbourView,
  tries: number,
  ports: Pick<ProbePorts, "whoHas" | "clock" | "macs">,
  signal: AbortSignal,
): Promise<Finding> {
  const began = ports.clock.mono();
  let asked: WhoHasResult = { asked: false, answers: [], detail: null };
  let count = 0;
  // One after the other: two iputils arping at once on a device steal each other's answers.
  while (count < tries && !signal.aborted && before.device !== null) {
    count++;
    asked = await ports.whoHas.ask(address, before.device, signal);
    if (!asked.asked || asked.answers.length > 0) break;
  }
  const evidence: Evidence = {
    mac: before.mac,
    neighbour_state: before.state,
    on_link: isOnLink(before),
    asked: asked.asked,
    answers: asked.asked ? asked.answers.slice(0, 16) : null,
    ...remembered(address, before, asked, ports),
  };
  const finding = judge(target, address, before, asked);
  const first = asked.answers[0]?.ms ?? null;
  return { ...finding, ms: finding.ok ? first : ports.clock.mono() - began, tries: Math.max(1, count), evidence };
}

/** Evidence for people: no finding follows from it. */
function remembered(
  address: string,
  before: NeighbourView,
  asked: WhoHasResult,
  ports: Pick<ProbePorts, "macs">,
): Pick<Evidence, "former_macs" | "mac_changes"> {
  if (ports.macs === undefined) return {};
  const answers = asked.answers.map((answer) => answer.mac);
  const { former_macs, mac_changes } = ports.macs.recall(address, before.mac, answers);
  return { former_macs: [...former_macs], mac_changes: mac_changes === null ? null : [...mac_changes] };
}

function judge(
  target: Pick<PlanTarget, "mac" | "also">,
  address: string,
  before: NeighbourView,
  asked: WhoHasResult,
): Finding {
  if (before.way === "none") return failed("unreachable", `no route to ${address}`);
  if (asked.asked && asked.answers.length === 0)
    return failed("no_neighbour", `nobody answers ${question(address)}${held(before)}`);
  if (!asked.asked && isAbsent(before))
    return failed("no_neighbour", `the neighbour table says ${before.state} for ${address}`);
  const answered = [...new Set(asked.answers.map((answer) => answer.mac))];
  if (answered.length > 1) return failed("mac_conflict", `${answered.join(" and ")} both answer for ${address}`);
  const wrong = [...answered, ...(before.mac === null ? [] : [before.mac])].find((mac) => !isExpected(target, mac));
  if (wrong === undefined) return passed(asked.asked ? null : asked.detail);
  if (target.also[PARENT] === wrong)
    return failed("mac_is_parent", `${wrong} answers for ${address}: the parent's MAC, not ${target.mac}`);
  const where = answered.includes(wrong) ? "answers for" : "is still in the neighbour table for";
  return failed("mac_unexpected", `${wrong} ${where} ${address}, expected ${target.mac}`);
}

/** ARP for IPv4, neighbour discovery for IPv6: the same question by other names. */
const question = (address: string): string =>
  isIpv6(address) ? `the neighbour solicitation for ${address}` : `who-has ${address}`;

function held(before: NeighbourView): string {
  return before.mac === null ? "" : `, though ${before.mac} is still in the neighbour table (${before.state})`;
}

/** Without a declared MAC any single one is right. Other declared nodes may announce as well; the parent may not. */
function isExpected(target: Pick<PlanTarget, "mac" | "also">, mac: string): boolean {
  if (target.mac === null || mac === target.mac) return true;
  return Object.entries(target.also).some(([name, other]) => other === mac && name !== PARENT);
}
