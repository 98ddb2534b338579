import type { Assessment } from "./assessment.ts";
import type { Cause } from "./cause.ts";
import type { House } from "./config/house.ts";
import { budgetLeft } from "./decision/ledger.ts";
import type { HealResult } from "./edge/wire.ts";
import type { LinkFacts } from "./facts.ts";
import type { GroupState, Policy } from "./group.ts";
import { freshFacts, isFresh, type SiteView, type VantageView } from "./history.ts";
import type { FormerMac, MacChange } from "./observation.ts";
import type { OutsideStanding } from "./outside.ts";
import type { Instant } from "./units.ts";

export const STATES = ["ok", "suspect", "failing", "degraded", "healing", "unknown", "maintenance"] as const;
export type State = (typeof STATES)[number];

/** The body of `GET /v1/status`: stable, flat, snake_case, for people, Home Assistant's rest sensors and scripts. */
export interface Status {
  readonly site: string;
  readonly state: State;
  readonly cause: Cause | null;
  readonly summary: string;
  readonly since: string | null;
  readonly advice: string | null;
  readonly evidence: readonly string[];
  readonly link: (LinkFacts & { readonly name: string }) | null;
  readonly targets: Readonly<Record<string, TargetStatus>>;
  readonly vantages: Readonly<Record<string, VantageStatus>>;
  readonly heal: HealStatus;
  readonly groups: Readonly<Record<string, GroupStatus>>;
  /** What the edge verifier hears and sees; absent where the house has none. */
  readonly edge?: EdgeStatus;
}

export interface EdgeStatus {
  /** `ok`: the last heartbeat was accepted. `waiting`: the first has not been answered yet. */
  readonly state: "ok" | "waiting" | "refused" | "unreachable" | "invalid";
  /** Why it is not `ok`, in words. */
  readonly detail: string | null;
  readonly accepted_at: string | null;
  /** The edge's clock minus this one's, in milliseconds; null while it is not known. */
  readonly clock_skew_ms: number | null;
  readonly cause: "outside_path" | null;
  readonly summary: string;
  readonly evidence: readonly string[];
  readonly advice: string | null;
  readonly checks: Readonly<Record<string, OutsideStanding>>;
  /** Requests to heal that came this way of late, and what became of them. */
  readonly heals: readonly HealResult[];
}

export interface TargetStatus {
  readonly state: State;
  readonly addresses: readonly string[];
  readonly group: string;
  readonly vantages: Readonly<Record<string, Standing>>;
}

interface Standing {
  readonly state: "ok" | "failed" | "unknown";
  readonly rtt_ms: number | null;
  readonly mac: string | null;
  readonly failure: string | null;
  readonly detail: string | null;
  readonly observed_at: string | null;
  /** MACs that the vantage remembers of each address besides the present one. */
  readonly former_macs: readonly (FormerMac & { readonly address: string })[];
  /** What turned its neighbour table to another MAC unasked; null: it cannot tell. */
  readonly mac_changes: readonly (MacChange & { readonly address: string })[] | null;
}

export interface VantageStatus {
  readonly where: string;
  readonly state: "ok" | "silent" | "control_failed";
  readonly observed_at: string | null;
}

export interface HealStatus {
  /** What hairpin does: `observe` also where the file says auto and a person has switched it off at run time. */
  readonly mode: string;
  /** Whether hairpin repairs by itself; the switch in Home Assistant. */
  readonly auto_heal: boolean;
  readonly state: string;
  readonly held_by: string | null;
  readonly budget_left_hour: number;
  readonly breaker: "open" | "closed";
  readonly last: { readonly id: string; readonly step: string; readonly outcome: string; readonly at: string } | null;
  readonly host: "armed" | "not_armed" | "silent" | "none";
  /** The end of the maintenance and its reason, while one lasts. */
  readonly paused_until: string | null;
  readonly paused_reason: string | null;
}

export interface GroupStatus {
  readonly state: State;
  readonly cause: Cause | null;
  readonly summary: string;
  readonly since: string | null;
  readonly incident: string | null;
  readonly heal: HealStatus;
}

interface Seen {
  readonly state: GroupState;
  readonly policy: Policy;
  readonly assessment: Assessment;
}

/** Worst first: what a house's single word is taken from. */
const WORST: readonly State[] = ["healing", "failing", "degraded", "maintenance", "suspect", "unknown", "ok"];

const iso = (wall: number) => new Date(wall).toISOString();

/** Projects what is known onto the public document. */
export function statusOf(house: House, view: SiteView, groups: readonly Seen[], now: Instant): Status {
  const worst = [...groups].sort((a, b) => WORST.indexOf(stateOf(a, now)) - WORST.indexOf(stateOf(b, now)))[0];
  const first = house.groups.find((group) => group.name === worst?.state.group) ?? house.groups[0];
  const facts = first === undefined ? null : freshFacts(view, first, now.mono);
  const entries = groups.map((seen) => [seen.state.group, groupStatus(house, view, seen, now)] as const);
  return {
    site: house.site,
    state: worst === undefined ? "unknown" : stateOf(worst, now),
    cause: worst?.assessment.cause ?? null,
    summary: worst?.assessment.summary ?? "No target is declared: nothing is watched.",
    since: worst?.state.incident ? iso(worst.state.incident.since.wall) : null,
    advice: worst?.assessment.advice ?? null,
    evidence: worst?.assessment.evidence ?? [],
    link: facts !== null && first?.link ? { name: first.link.name, ...facts.link } : null,
    targets: Object.fromEntries(house.targets.map((target) => [target.name, targetStatus(target, view, groups, now)])),
    vantages: Object.fromEntries(house.vantages.map((vantage) => [vantage.name, vantageStatus(vantage, view, now)])),
    heal: worst === undefined ? emptyHeal(house) : healStatus(house, view, worst, now),
    groups: Object.fromEntries(entries),
  };
}

/**
 * The status with what the edge knows. A house that is fine inside stays `ok`: what fails from outside is named as its cause and in
 * its summary, and no address of the house is called failing for it.
 */
export function withEdge(status: Status, edge: EdgeStatus | null): Status {
  if (edge === null) return status;
  const sight: VantageStatus = {
    where: "edge",
    state: edge.state === "ok" ? "ok" : "silent",
    observed_at: edge.accepted_at,
  };
  const told =
    status.state === "ok" && edge.cause !== null
      ? { cause: edge.cause, summary: edge.summary, evidence: edge.evidence, advice: edge.advice }
      : {};
  return { ...status, ...told, vantages: { ...status.vantages, edge: sight }, edge };
}

function stateOf({ state, assessment }: Seen, now: Instant): State {
  if (state.flight !== null) return "healing";
  if (state.maintenance !== null && now.mono < state.maintenance.until) return "maintenance";
  return assessment.state;
}

function groupStatus(house: House, view: SiteView, seen: Seen, now: Instant): GroupStatus {
  return {
    state: stateOf(seen, now),
    cause: seen.assessment.cause,
    summary: seen.assessment.summary,
    since: seen.state.incident === null ? null : iso(seen.state.incident.since.wall),
    incident: seen.state.incident?.id ?? null,
    heal: healStatus(house, view, seen, now),
  };
}

function targetStatus(
  target: House["targets"][number],
  view: SiteView,
  groups: readonly Seen[],
  now: Instant,
): TargetStatus {
  const seen = groups.find((group) => group.state.group === target.group);
  const standings = (seen?.assessment.standings ?? []).filter((standing) => standing.target === target.name);
  const concerned = seen?.assessment.targets.includes(target.name) === true;
  const verdicts = standings.map((standing) => standing.verdict);
  const calm: State = verdicts.includes("ok") ? "ok" : "unknown";
  return {
    state: seen !== undefined && concerned ? stateOf(seen, now) : calm,
    addresses: target.addresses,
    group: target.group,
    vantages: Object.fromEntries(
      standings.map((standing) => [
        standing.vantage,
        {
          state: standing.verdict,
          rtt_ms: standing.rtt_ms,
          mac: standing.mac,
          failure: standing.failure,
          detail: standing.detail,
          observed_at: standing.observed_at,
          ...remembered(target, view.vantages[standing.vantage]),
        },
      ]),
    ),
  };
}

/** Each address by itself: its neighbour check is named after it where there are several. */
function remembered(
  target: House["targets"][number],
  seen: VantageView | undefined,
): Pick<Standing, "former_macs" | "mac_changes"> {
  const found = Object.values(seen?.checks ?? {}).flatMap((check) => {
    const evidence = check.samples.at(-1)?.evidence;
    if (check.target !== target.name || check.kind !== "neighbour" || evidence === undefined) return [];
    const address = target.addresses.find((each) => check.id.endsWith(`@${each}`)) ?? target.addresses[0] ?? "";
    return [{ address, evidence }];
  });
  const isTold = found.some(({ evidence }) => evidence.mac_changes != null);
  return {
    former_macs: found.flatMap(({ address, evidence }) =>
      (evidence.former_macs ?? []).map((each) => ({ address, ...each })),
    ),
    mac_changes: isTold
      ? found.flatMap(({ address, evidence }) => (evidence.mac_changes ?? []).map((each) => ({ address, ...each })))
      : null,
  };
}

function vantageStatus(vantage: House["vantages"][number], view: SiteView, now: Instant): VantageStatus {
  const seen = view.vantages[vantage.name];
  const fresh = seen !== undefined && isFresh(view, seen, now.mono);
  return {
    where: vantage.where,
    state: !fresh ? "silent" : seen.control === false ? "control_failed" : "ok",
    observed_at: seen?.observedAt ?? null,
  };
}

function healStatus(house: House, view: SiteView, { state, policy }: Seen, now: Instant): HealStatus {
  const group = house.groups.find((known) => known.name === state.group)!;
  const facts = freshFacts(view, group, now.mono);
  return {
    mode: policy.mode,
    auto_heal: policy.mode === "auto",
    state: state.phase,
    held_by: state.incident?.heldBy ?? calmHold(state, policy),
    budget_left_hour: budgetLeft(state, policy, now.mono).hour,
    breaker: state.breaker.open || facts?.breaker === "open" ? "open" : "closed",
    last: state.last,
    paused_until: state.maintenance === null ? null : iso(state.maintenance.untilWall),
    paused_reason: state.maintenance?.reason ?? null,
    host: group.host === null ? "none" : facts === null ? "silent" : facts.armed ? "armed" : "not_armed",
  };
}

/** What would hold a repair back if something broke now, where a person cannot read it in hairpin.yaml. */
function calmHold(state: GroupState, policy: Policy): string | null {
  if (policy.disarmed) return "not_armed";
  return state.graceUntil !== null ? "grace" : null;
}

function emptyHeal(house: House): HealStatus {
  return {
    mode: house.heal.mode,
    auto_heal: house.heal.mode === "auto",
    state: "ok",
    held_by: null,
    budget_left_hour: house.heal.budget.hour,
    breaker: "closed",
    last: null,
    paused_until: null,
    paused_reason: null,
    host: "none",
  };
}
