import type { Assessment } from "../assessment.ts";
import type { Decision, Effect, Flight, GroupState, Policy, StepTried } from "../group.ts";
import type { RepairReport, RepairRequest } from "../repair.ts";
import { type Instant, MINUTE, type Millis, SECOND, sayDuration } from "../units.ts";
import { union } from "./incident.ts";
import { countFailure, openBreaker } from "./ledger.ts";
import { draft, healDraft, nameTargets, stepWords, timeOf } from "./wording.ts";

/** No answer to a request within this: held, and the id is only asked about from then on. */
const PENDING_MAX: Millis = 30 * SECOND;
/** A repair that says nothing for so long is judged by the vantages. */
const HEALING_MAX: Millis = 180 * SECOND;
const REFUSED_WAIT: Millis = 30 * SECOND;
/** Rounds asked for at once after a repair: two prove it, one more for a margin. */
const PROOF_ROUNDS = 4;

/** Starts a repair: the request is saved with the state before it is sent. */
export function launch(
  state: GroupState,
  request: RepairRequest,
  assessment: Assessment,
  manual: boolean,
  reason: string | null,
  now: Instant,
): Decision {
  const voters = state.incident?.voters.length ? state.incident.voters : assessment.voters;
  const flight: Flight = {
    request,
    requestedMono: now.mono,
    manual,
    state: "pending",
    stateMono: now.mono,
    voters,
    targetsBefore: failedBefore(assessment),
    report: null,
    reason,
  };
  const tried: StepTried = {
    id: request.id,
    step: request.step,
    manual,
    outcome: "pending",
    startedMono: now.mono,
    ms: null,
  };
  const incident =
    state.incident === null ? null : { ...state.incident, steps: [...state.incident.steps, tried], heldBy: null };
  return { state: { ...state, flight, incident }, effects: [{ kind: "repair", group: state.group, request }] };
}

/** Targets that failed already, for whatever reason: one whose failing the cause does not explain is not made worse by the repair. */
function failedBefore({ targets, standings }: Assessment): readonly string[] {
  const failed = standings.filter((standing) => standing.verdict === "failed").map((standing) => standing.target);
  return union(targets, failed);
}

function mark(
  state: GroupState,
  id: string,
  outcome: StepTried["outcome"],
  ms: number | null,
  now: Instant,
): GroupState {
  const { incident } = state;
  const steps =
    incident?.steps.map((tried) => (tried.id === id ? { ...tried, outcome, ms: ms ?? tried.ms } : tried)) ?? [];
  const step = state.flight?.request.step ?? "ensure-link";
  return {
    ...state,
    incident: incident === null ? null : { ...incident, steps },
    last: { id, step, outcome, at: timeOf(now.wall) },
  };
}

/** Takes the host's word on the repair in flight. Words on anything else change nothing. */
export function reported(state: GroupState, report: RepairReport, policy: Policy, now: Instant): Decision {
  const { flight } = state;
  if (flight === null || flight.request.id !== report.id || flight.state === "verifying") return { state, effects: [] };
  switch (report.state) {
    case "accepted":
    case "running":
      return flight.state === "pending" ? begin(state, flight, report, policy, now) : { state, effects: [] };
    case "refused":
      return refuse(state, report.refusal ?? "refused", report, policy, now);
    case "done":
    case "failed":
    case "interrupted": {
      const begun = flight.state === "pending" ? begin(state, flight, report, policy, now) : { state, effects: [] };
      const verifying = toVerifying(begun.state, report, now);
      return { state: verifying.state, effects: [...begun.effects, ...verifying.effects] };
    }
  }
}

function begin(state: GroupState, flight: Flight, report: RepairReport, policy: Policy, now: Instant): Decision {
  const after: GroupState = { ...state, flight: { ...flight, state: "healing", stateMono: now.mono, report } };
  const who = flight.manual ? `Asked by ${flight.reason ?? "a person"}.` : "All gates are open.";
  const message = `${stepWords(flight.request.step)} for ${nameTargets(state.incident?.targets ?? [], policy)}. ${who}`;
  return {
    state: after,
    effects: [{ kind: "emit", draft: healDraft("heal_started", after, report, message, null, policy) }],
  };
}

function toVerifying(state: GroupState, report: RepairReport | null, now: Instant): Decision {
  const flight = state.flight!;
  const outcome =
    report === null
      ? "interrupted"
      : report.state === "done"
        ? "done"
        : report.state === "failed"
          ? "failed"
          : "interrupted";
  const marked = mark({ ...state, provedAfter: now.mono }, flight.request.id, outcome, report?.ms ?? null, now);
  return {
    state: {
      ...marked,
      flight: { ...flight, state: "verifying", stateMono: now.mono, report: report ?? flight.report },
    },
    effects: [{ kind: "hurry", rounds: PROOF_ROUNDS }],
  };
}

/** A refusal in words ran nothing: it is no step tried, and another request may follow after a while. */
export function refuse(
  state: GroupState,
  why: string,
  report: RepairReport | null,
  policy: Policy,
  now: Instant,
): Decision {
  const flight = state.flight!;
  // A host that refuses in words ran nothing. One that says nothing may have run it: spent, and never asked for again.
  const ranNothing = report !== null;
  const refunded = ranNothing && !flight.manual;
  const marked = mark(state, flight.request.id, ranNothing ? "refused" : "interrupted", null, now);
  const incident =
    marked.incident === null
      ? null
      : {
          ...marked.incident,
          heldBy: "host_refused" as const,
          refusals: marked.incident.refusals + (ranNothing ? 1 : 0),
          retryAt: now.mono + REFUSED_WAIT * 2 ** Math.min(5, marked.incident.refusals),
        };
  const after: GroupState = {
    ...marked,
    incident,
    flight: null,
    remedies: refunded ? marked.remedies.filter((at) => at !== flight.requestedMono) : marked.remedies,
    coolDownUntil: refunded ? now.mono : marked.coolDownUntil,
  };
  const detail = `${stepWords(flight.request.step)}: the host refused (${why}).${report?.detail ? ` ${report.detail}` : ""}`;
  const context = { incident, assessment: null, policy };
  const said = flight.manual
    ? draft("heal_failed", "The host refused the heal", detail, context, {
        healId: flight.request.id,
        advice: report?.advice ?? null,
      })
    : draft("held", "Held: the host refused", detail, context, {
        heldBy: "host_refused",
        healId: flight.request.id,
        advice: report?.advice ?? null,
      });
  const repeats = !flight.manual && (incident?.refusals ?? 1) > 1;
  return { state: after, effects: repeats ? [] : [{ kind: "emit", draft: said }] };
}

/** What each tick does with the repair in flight: ask, give up waiting, or judge by the vantages. */
export function fly(state: GroupState, assessment: Assessment, policy: Policy, now: Instant): Decision {
  const flight = state.flight!;
  const waited = now.mono - flight.stateMono;
  const ask: Effect = { kind: "ask_report", group: state.group, id: flight.request.id };
  if (flight.state === "pending")
    return waited > PENDING_MAX ? refuse(state, "no answer in 30 s", null, policy, now) : { state, effects: [ask] };
  if (flight.state === "healing")
    return waited > HEALING_MAX ? toVerifying(state, null, now) : { state, effects: [ask] };
  return judge(state, flight, assessment, waited, policy, now);
}

function judge(
  state: GroupState,
  flight: Flight,
  assessment: Assessment,
  waited: Millis,
  policy: Policy,
  now: Instant,
): Decision {
  const worse = assessment.targets.filter(
    (target) => !flight.targetsBefore.includes(target) && flight.targetsBefore.length > 0,
  );
  if (worse.length > 0 && assessment.state === "failing") return gotWorse(state, worse, assessment, policy, now);
  const proved = flight.voters.filter((voter) => assessment.proved.includes(voter));
  if (flight.voters.length > 0 && proved.length === flight.voters.length)
    return succeeded(state, flight, assessment, policy, now);
  const limit = flight.request.step === "announce" ? policy.verifyAnnounce : policy.verifyOthers;
  if (waited <= limit) return { state, effects: [] };
  const silent = flight.voters.filter((voter) => !assessment.voters.includes(voter));
  if (silent.length > 0 && proved.length + silent.length === flight.voters.length)
    return unverified(state, flight, silent, policy, now);
  return ineffective(state, flight, assessment, policy, now);
}

function succeeded(state: GroupState, flight: Flight, assessment: Assessment, policy: Policy, now: Instant): Decision {
  const marked = mark(state, flight.request.id, "verified", flight.report?.ms ?? null, now);
  const message = `${stepWords(flight.request.step)} took ${sayDuration(flight.report?.ms ?? 0)}; two good rounds from ${flight.voters.join(" and ")} prove it.`;
  const said = healDraft("heal_succeeded", state, flight.report, message, assessment, policy);
  return {
    state: { ...marked, flight: null },
    effects: [{ kind: "emit", draft: { ...said, canHeal: false, advice: null } }],
  };
}

function ineffective(
  state: GroupState,
  flight: Flight,
  assessment: Assessment,
  policy: Policy,
  now: Instant,
): Decision {
  const marked = mark(state, flight.request.id, "ineffective", null, now);
  const counted = flight.manual ? marked : countFailure(marked, `${flight.request.step} did not help`);
  const missing = flight.voters.filter((voter) => !assessment.proved.includes(voter));
  const failed =
    flight.report?.state === "failed" ? ` The step itself failed: ${flight.report.detail ?? "see its commands"}.` : "";
  const message = `Not green from ${missing.join(" and ") || "any vantage"} after it.${failed} ${assessment.summary}`;
  return {
    state: { ...counted, flight: null },
    effects: [{ kind: "emit", draft: healDraft("heal_failed", state, flight.report, message, assessment, policy) }],
  };
}

function unverified(
  state: GroupState,
  flight: Flight,
  silent: readonly string[],
  policy: Policy,
  now: Instant,
): Decision {
  const marked = mark(state, flight.request.id, "unverified", null, now);
  const incident = marked.incident === null ? null : { ...marked.incident, heldBy: "unverified" as const };
  const message = `${stepWords(flight.request.step)} ran; whether it helped is not known, since ${silent.join(" and ")} has fallen silent.`;
  const said = draft(
    "asked_for_help",
    "A repair could not be verified",
    message,
    { incident, assessment: null, policy },
    { healId: flight.request.id },
  );
  return { state: { ...marked, incident, flight: null }, effects: [{ kind: "emit", draft: said }] };
}

/** More addresses fail than before: stop at once and ask a person (I12 keeps it so). */
function gotWorse(
  state: GroupState,
  worse: readonly string[],
  assessment: Assessment,
  policy: Policy,
  now: Instant,
): Decision {
  const marked = mark(state, state.flight!.request.id, "ineffective", null, now);
  const why = `${nameTargets(worse, policy)} failed after ${state.flight!.request.step}`;
  const incident =
    marked.incident === null ? null : { ...marked.incident, askedAt: [...marked.incident.askedAt, now.mono] };
  const opened = openBreaker({ ...marked, incident, flight: null }, why);
  const message = `${why}. Nothing more is tried; hairpin reset-breaker allows it again.`;
  return {
    state: opened,
    effects: [
      { kind: "emit", draft: healDraft("heal_failed", state, state.flight!.report, message, assessment, policy) },
      {
        kind: "emit",
        draft: draft("asked_for_help", "A repair made it worse", message, {
          incident: opened.incident,
          assessment,
          policy,
        }),
      },
    ],
  };
}

/** How long a request may wait before it is void: nothing runs after it (I14). */
export const TIME_TO_LIVE: Millis = MINUTE;
