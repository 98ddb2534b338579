import type { Assessment } from "../assessment.ts";
import { OWN } from "../cause.ts";
import type { EventKind } from "../event.ts";
import type { EventDraft, GroupState, Incident, Policy } from "../group.ts";
import type { RepairReport, Step } from "../repair.ts";
import { type Instant, sayDuration } from "../units.ts";

/** The words of the events. What is broken, since when, how it is known, what to type. */

const STEP_WORDS: Readonly<Record<Step, string>> = {
  "ensure-link": "Making the link as declared",
  announce: "Announcing the addresses",
  "restart-speaker": "Restarting the speaker",
  "recreate-link": "Recreating the link and restarting the speaker",
};

export const stepWords = (step: Step): string => STEP_WORDS[step];

/** "DNS 192.168.8.53", or the names of several. */
export function nameTargets(targets: readonly string[], policy: Policy): string {
  if (targets.length === 0) return policy.linkName ?? "The house";
  if (targets.length === 1) return `${targets[0]} ${(policy.addresses[targets[0]!] ?? []).join(", ")}`;
  return targets.map((target) => `${target} ${(policy.addresses[target] ?? [])[0] ?? ""}`.trim()).join(" and ");
}

export function targetField(targets: readonly string[]): string {
  return targets.length === 1 ? targets[0]! : "all";
}

export function timeOf(wall: number): string {
  return new Date(wall).toISOString();
}

interface Context {
  readonly incident: Incident | null;
  readonly assessment: Assessment | null;
  readonly policy: Policy;
}

/** A draft with the fields that every event of an incident carries. */
export function draft(
  kind: EventKind,
  title: string,
  message: string,
  context: Context,
  extra: Partial<EventDraft> = {},
): EventDraft {
  const { incident, assessment } = context;
  const cause = incident?.cause ?? assessment?.cause ?? null;
  const own = cause === null ? null : OWN[cause].by;
  return {
    kind,
    target: targetField(incident?.targets ?? assessment?.targets ?? []),
    cause,
    title,
    message,
    since: incident === null ? null : timeOf(incident.since.wall),
    vantagesFailing: assessment?.failing ?? [],
    incident: incident?.id ?? null,
    healId: null,
    canHeal: context.policy.hasHost && context.policy.mode !== "off" && (own === "remedy" || own === "guard"),
    advice: assessment?.advice ?? null,
    heldBy: null,
    ...extra,
  };
}

export function failingDraft(incident: Incident, assessment: Assessment, policy: Policy, outlook: string): EventDraft {
  const degraded = assessment.state === "degraded";
  const plural = (one: string, many: string) => (incident.targets.length > 1 ? many : one);
  const state = degraded
    ? plural("works only until caches run out", "work only until caches run out")
    : plural("is unreachable", "are unreachable");
  const title = `${nameTargets(incident.targets, policy)} ${state}`;
  const message = [assessment.summary, `Since ${timeOf(incident.since.wall).slice(11, 19)} UTC.`, outlook]
    .filter((part) => part !== "")
    .join(" ");
  return draft("failing", serviceTitle(assessment, incident, policy) ?? title, message, {
    incident,
    assessment,
    policy,
  });
}

/** "Unreachable" would be wrong where the address answers and the service behind it is at fault. */
function serviceTitle(assessment: Assessment, incident: Incident, policy: Policy): string | null {
  const name = nameTargets(incident.targets, policy);
  const plural = incident.targets.length > 1;
  switch (assessment.cause) {
    case "certificate":
      return `${name}: the certificate is not good`;
    case "answer_wrong":
      return `${name} ${plural ? "answer" : "answers"} wrongly`;
    case "service_down":
      return `${name}: the service does not work`;
    case "upstream_dns":
      return `${name}: external names fail`;
    case "announced_on_parent":
      return `${name} ${plural ? "are" : "is"} announced on the wrong link`;
    case "mac_conflict":
      return `${name}: two machines answer`;
    case "mac_unexpected":
      return `${name}: an unknown machine answers`;
    default:
      return null;
  }
}

export function recoveredDraft(incident: Incident, assessment: Assessment, policy: Policy, now: Instant): EventDraft {
  const length = sayDuration(now.mono - incident.since.mono);
  const message = `Green again from ${incident.voters.join(" and ") || "every vantage"} after ${length}.`;
  return draft(
    "recovered",
    `${nameTargets(incident.targets, policy)} ${incident.targets.length > 1 ? "are" : "is"} back`,
    message,
    { incident, assessment, policy },
    { canHeal: false, advice: null, vantagesFailing: [] },
  );
}

export function healDraft(
  kind: "heal_started" | "heal_succeeded" | "heal_failed",
  state: GroupState,
  report: RepairReport | null,
  detail: string,
  assessment: Assessment | null,
  policy: Policy,
): EventDraft {
  const { flight, incident } = state;
  const step = flight?.request.step ?? report?.step ?? "ensure-link";
  const titles = {
    heal_started: `${stepWords(step)}`,
    heal_succeeded: `${stepWords(step)}: it worked`,
    heal_failed: `${stepWords(step)}: it did not help`,
  };
  const targets = incident?.targets ?? [];
  return draft(
    kind,
    titles[kind],
    detail,
    { incident, assessment, policy },
    {
      healId: flight?.request.id ?? report?.id ?? null,
      target: targetField(targets),
      advice: report?.advice ?? (kind === "heal_failed" ? (assessment?.advice ?? null) : null),
    },
  );
}
