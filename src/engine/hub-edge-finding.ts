import { type EventDraft, quietDraft } from "../core/group.ts";
import type { OutsideFinding, OutsideStanding } from "../core/outside.ts";
import { type Instant, MINUTE, type Millis, sayDuration } from "../core/units.ts";
import type { IncidentRecord } from "./hub-records.ts";

/** What was said of the way into the house. Plain JSON. */
export interface OutsideTold {
  readonly incidents: number;
  readonly incident: string | null;
  readonly since: Instant | null;
  readonly endedAt: Millis | null;
}

export const NOTHING_TOLD: OutsideTold = { incidents: 0, incident: null, since: null, endedAt: null };

/** An edge that lies in turns, or a line that flaps, is told once in so long. */
const QUIET_FOR: Millis = 15 * MINUTE;

/** Tells once that the way from outside is broken, and once that it is good again. Nobody heals it: it is told to a person. */
export function tellOutside(
  told: OutsideTold,
  finding: OutsideFinding | null,
  standings: Readonly<Record<string, OutsideStanding>>,
  now: Instant,
): { readonly told: OutsideTold; readonly drafts: readonly EventDraft[] } {
  if (told.incident === null) {
    if (finding === null || (told.endedAt !== null && now.mono - told.endedAt < QUIET_FOR)) return { told, drafts: [] };
    const incidents = told.incidents + 1;
    const incident = `out-${incidents}`;
    const { cause, summary, advice } = finding;
    const since = new Date(now.wall).toISOString();
    const extra = { cause, advice, incident, since, vantagesFailing: ["edge"] };
    const draft = quietDraft("failing", "outside", "The house is not reached from outside", summary, extra);
    return { told: { incidents, incident, since: now, endedAt: null }, drafts: [draft] };
  }
  const seen = Object.values(standings);
  // Silence is no recovery: each check has to have been seen to be good.
  if (seen.length > 0 && !seen.every((standing) => standing.state === "ok")) return { told, drafts: [] };
  const lasted = sayDuration(now.mono - (told.since?.mono ?? now.mono));
  const draft = quietDraft("recovered", "outside", "The house is reached from outside again", `After ${lasted}.`, {
    cause: "outside_path",
    incident: told.incident,
    since: told.since === null ? null : new Date(told.since.wall).toISOString(),
  });
  return { told: { ...told, incident: null, since: null, endedAt: now.mono }, drafts: [draft] };
}

/** What `hairpin explain out-1` says: the same document as of an incident of a group, without votes and gates. */
export function outsideRecord(
  before: OutsideTold,
  { told }: { readonly told: OutsideTold },
  finding: OutsideFinding | null,
  known: (id: string) => unknown,
  now: Instant,
): { readonly id: string; readonly record: IncidentRecord } {
  const id = told.incident ?? before.incident ?? "";
  const at = new Date(now.wall).toISOString();
  const old = known(id) as IncidentRecord | null;
  const ended = told.incident === null;
  const entry = { at, phase: ended ? "recovered" : "failing", cause: "outside_path" as const, held_by: null };
  const record: IncidentRecord = {
    id,
    group: "outside",
    since: old?.since ?? at,
    ended_at: ended ? at : null,
    cause: "outside_path",
    summary: old?.summary ?? finding?.summary ?? "",
    evidence: old?.evidence ?? finding?.evidence ?? [],
    advice: old?.advice ?? finding?.advice ?? null,
    votes: [],
    gates: [],
    held_by: null,
    steps: [],
    timeline: [...(old?.timeline ?? []), entry],
  };
  return { id, record };
}
