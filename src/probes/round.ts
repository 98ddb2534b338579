import { LAYER2_FAILURES } from "../core/failure.ts";
import type { CheckResult } from "../core/observation.ts";
import type { Plan, PlanCheck, PlanTarget } from "../core/plan.ts";
import type { Millis } from "../core/units.ts";
import { askControl, type Control } from "./control.ts";
import { deadline } from "./deadline.ts";
import { askDns } from "./dns.ts";
import { askSystem, withSystem } from "./dns-system.ts";
import { type Finding, plain } from "./finding.ts";
import { askHttps } from "./https.ts";
import { judgeLink } from "./link.ts";
import { askNeighbour } from "./neighbour.ts";
import { askOidc } from "./oidc.ts";
import { unlessTold } from "./oidc-names.ts";
import type { NeighbourView, ProbePorts } from "./port.ts";
import { judgeSpeaker } from "./speaker.ts";
import { askTcp } from "./tcp.ts";
import { staggered } from "./tries.ts";

/** The slowest check has 8 s, after up to two staggered starts and the reading of the neighbour table. */
export const ROUND_TIMEOUT: Millis = 12_000;

export interface RoundResult {
  readonly control: Control;
  readonly checks: readonly CheckResult[];
}

export interface RoundRequest {
  readonly plan: Plan;
  /** Which checks are due. */
  readonly due: (target: string, check: PlanCheck) => boolean;
  /** How many tries a check gets: three at first, one while it goes on failing. */
  readonly tries: (target: string, id: string) => number;
}

/** Everything that one round asks, in parallel, with one deadline. */
export async function runRound(request: RoundRequest, ports: ProbePorts, signal: AbortSignal): Promise<RoundResult> {
  const limited = deadline([signal], ROUND_TIMEOUT);
  try {
    return await askAll(request, ports, limited.signal);
  } finally {
    limited.end();
  }
}

async function askAll(request: RoundRequest, ports: ProbePorts, signal: AbortSignal): Promise<RoundResult> {
  const { plan } = request;
  const addresses = plan.targets.flatMap((target) => target.addresses);
  // Before anything is asked: an answer to our own who-has would overwrite the entry that explains an outage.
  const views = new Map<string, NeighbourView>(
    await Promise.all(addresses.map(async (address) => [address, await ports.neighbours.read(address)] as const)),
  );
  const asking = plan.targets.flatMap((target) =>
    target.addresses.flatMap((address) =>
      target.checks
        .filter((check) => request.due(target.name, check) && isPossible(plan, check, views.get(address)!))
        .map((check) => askOne(target, address, check, views.get(address)!, request, ports, signal)),
    ),
  );
  const [control, checks, facts] = await Promise.all([
    askControl(plan.control, addresses, ports, signal),
    Promise.all(asking),
    plan.where === "host" ? askHost(plan, ports) : [],
  ]);
  return { control, checks: [...unlessTold(checks), ...facts] };
}

/**
 * The neighbour check needs layer 2 of its own: not on a routed vantage, not for an address behind a gateway, and not on the
 * Kubernetes host, whose own packets never meet ARP (facts/l2.md, "What each vantage can see").
 */
function isPossible(plan: Plan, check: PlanCheck, view: NeighbourView): boolean {
  if (check.kind !== "neighbour") return true;
  return plan.where !== "routed" && plan.where !== "host" && (view.way === "on_link" || view.way === "none");
}

async function askOne(
  target: PlanTarget,
  address: string,
  check: PlanCheck,
  view: NeighbourView,
  request: RoundRequest,
  ports: ProbePorts,
  signal: AbortSignal,
): Promise<CheckResult> {
  const id = target.addresses.length === 1 ? check.id : `${check.id}@${address}`;
  const tries = request.tries(target.name, id);
  if (check.kind === "neighbour") {
    return resultOf(target.name, check.kind, id, await askNeighbour(target, address, view, tries, ports, signal));
  }
  const isAskedAsSystem =
    check.kind === "dns" &&
    check.as_system === true &&
    ports.system !== undefined &&
    ["A", "AAAA"].includes(check.type);
  const [{ result, tries: used }, system] = await Promise.all([
    staggered(tries, (own, commit) => askCheck(check, address, ports, own, commit), ports.clock, signal, wasHeard),
    isAskedAsSystem ? askSystem(check, ports.system, signal) : null,
  ]);
  const finding = { ...result, tries: used };
  return resultOf(target.name, check.kind, id, system === null ? finding : withSystem(finding, system));
}

/** Whether somebody answered for the address, be it with a refusal. */
const wasHeard = ({ failure }: Finding): boolean => failure === null || !LAYER2_FAILURES.has(failure);

function askCheck(
  check: Exclude<PlanCheck, { kind: "neighbour" }>,
  address: string,
  ports: ProbePorts,
  signal: AbortSignal,
  commit: () => void,
): Promise<Finding> {
  switch (check.kind) {
    case "dns":
      return askDns(check, address, ports, signal);
    case "https":
      return askHttps(check, address, ports, signal, commit);
    case "oidc":
      return askOidc(check, address, ports, signal, commit);
    case "tcp":
      return askTcp(address, check.port, ports, signal);
  }
}

/** On the host each declared link is a target of its own name, with what the kernel says of it and of who listens there. */
async function askHost(plan: Plan, ports: ProbePorts): Promise<CheckResult[]> {
  const [links, sockets] = await Promise.all([ports.links.read(), ports.packetSockets.read()]);
  return plan.links.flatMap((link) => [
    resultOf(link.name, "link", "link", judgeLink(link, links)),
    resultOf(link.name, "speaker", "speaker", judgeSpeaker(link, links, sockets)),
  ]);
}

function resultOf(target: string, check: CheckResult["check"], id: string, finding: Finding): CheckResult {
  return {
    target,
    check,
    id: id.slice(0, 128),
    ok: finding.ok,
    failure: finding.failure,
    detail: finding.detail === null ? null : plain(finding.detail),
    ms: finding.ms === null ? null : rounded(finding.ms),
    tries: Math.min(10, finding.tries),
    ...(finding.phases === undefined ? {} : { phases: roundedPhases(finding.phases) }),
    evidence: finding.evidence,
  };
}

const rounded = (millis: Millis): Millis => Math.max(0, Math.round(millis * 1_000) / 1_000);

function roundedPhases(phases: Readonly<Record<string, Millis | null>>): Record<string, Millis | null> {
  return Object.fromEntries(
    Object.entries(phases).map(([phase, millis]) => [phase, millis === null ? null : rounded(millis)]),
  );
}
