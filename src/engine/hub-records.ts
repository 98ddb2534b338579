import type { Assessment } from "../core/assessment.ts";
import type { Cause } from "../core/cause.ts";
import type { EventData, HairpinEvent } from "../core/event.ts";
import type { EventDraft, GroupState } from "../core/group.ts";
import type { HealRecord } from "../core/heal-record.ts";
import type { RepairReport } from "../core/repair.ts";
import type { Instant } from "../core/units.ts";

const iso = (wall: number) => new Date(wall).toISOString();

/** Gives a draft its id, its place in the site's order and the names that receivers read. */
export function eventOf(
  draft: EventDraft,
  group: string,
  seq: number,
  suffix: string,
  site: string,
  statusUrl: string | null,
  now: Instant,
): HairpinEvent {
  const data: EventData = {
    schema: "hairpin/alert/1",
    event: draft.kind,
    site,
    target: draft.target,
    cause: draft.cause,
    title: draft.title.slice(0, 200),
    message: draft.message.slice(0, 2_000),
    since: draft.since,
    vantages_failing: draft.vantagesFailing,
    incident: draft.incident,
    heal_id: draft.healId,
    can_heal: draft.canHeal,
    status_url: statusUrl,
    advice: draft.advice === null ? null : draft.advice.slice(0, 2_000),
    held_by: draft.heldBy,
  };
  return { id: `ev-${seq}-${suffix}`, seq, type: `hairpin.${draft.kind}.v1`, timestamp: iso(now.wall), group, data };
}

/** The record of the repair that is in flight now, or that has just ended; null when neither changed. */
export function healRecordOf(
  before: GroupState,
  after: GroupState,
  assessment: Assessment | null,
  known: (id: string) => HealRecord | null,
  report: RepairReport | null,
  now: Instant,
): HealRecord | null {
  const flight = after.flight ?? before.flight;
  if (flight === null) return null;
  const { id, step } = flight.request;
  const old = known(id);
  const ended = after.flight === null || after.flight.request.id !== id;
  const outcome =
    after.last?.id === id
      ? after.last.outcome
      : (after.incident?.steps.find((tried) => tried.id === id)?.outcome ?? "ended");
  const latest = report?.id === id ? report : (flight.report ?? old?.steps.at(-1) ?? null);
  const proved = assessment?.proved ?? [];
  const record: HealRecord = {
    id,
    group: after.group,
    incident: old?.incident ?? after.incident?.id ?? before.incident?.id ?? null,
    manual: flight.request.manual,
    by: old?.by ?? null,
    reason: old?.reason ?? flight.reason,
    state: ended ? outcome : flight.state,
    step,
    requested_at: old?.requested_at ?? iso(now.wall),
    updated_at: iso(now.wall),
    steps: latest === null ? [] : [latest],
    verification: Object.fromEntries(
      flight.voters.map(
        (voter) => [voter, flight.state === "verifying" && proved.includes(voter) ? "good" : "waiting"] as const,
      ),
    ),
    detail: latest?.detail ?? latest?.refusal ?? null,
  };
  const same =
    old !== null && JSON.stringify({ ...old, updated_at: "" }) === JSON.stringify({ ...record, updated_at: "" });
  return same ? null : record;
}

/** What `hairpin explain` says of one incident: what was known, which gates were asked, what was tried. */
export interface IncidentRecord {
  readonly id: string;
  readonly group: string;
  readonly since: string;
  readonly ended_at: string | null;
  readonly cause: Cause | null;
  readonly summary: string;
  readonly evidence: readonly string[];
  readonly advice: string | null;
  readonly votes: Assessment["votes"];
  readonly gates: GroupState["lastGates"];
  readonly held_by: string | null;
  readonly steps: readonly unknown[];
  readonly timeline: readonly {
    readonly at: string;
    readonly phase: string;
    readonly cause: Cause | null;
    readonly held_by: string | null;
  }[];
}

const TIMELINE_MAX = 64;

export function incidentRecordOf(
  before: GroupState,
  after: GroupState,
  assessment: Assessment | null,
  known: IncidentRecord | null,
  now: Instant,
): IncidentRecord | null {
  const incident = after.incident ?? before.incident;
  if (incident === null) return null;
  const ended = after.incident?.id !== incident.id;
  const entry = {
    at: iso(now.wall),
    phase: ended ? "recovered" : after.phase,
    cause: incident.cause,
    held_by: incident.heldBy,
  };
  const timeline = known?.timeline ?? [];
  const last = timeline.at(-1);
  const moved =
    last === undefined || last.phase !== entry.phase || last.cause !== entry.cause || last.held_by !== entry.held_by;
  const kept = ended || assessment === null ? known : null;
  return {
    id: incident.id,
    group: after.group,
    since: iso(incident.since.wall),
    ended_at: ended ? iso(now.wall) : null,
    cause: incident.cause,
    summary: kept?.summary ?? assessment?.summary ?? "",
    evidence: kept?.evidence ?? assessment?.evidence ?? [],
    advice: kept?.advice ?? assessment?.advice ?? null,
    votes: kept?.votes ?? assessment?.votes ?? [],
    gates: ended ? before.lastGates : after.lastGates,
    held_by: incident.heldBy,
    steps: incident.steps,
    timeline: moved ? [...timeline, entry].slice(-TIMELINE_MAX) : timeline,
  };
}
