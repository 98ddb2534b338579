import type { Assessment } from "../assessment.ts";
import { OWN } from "../cause.ts";
import type { Decision, Effect, GateAnswer, GroupState, Incident, Policy } from "../group.ts";
import { DAY, HOUR, type Instant, MINUTE, type Millis, SECOND, sayDuration } from "../units.ts";
import { flapped } from "./ledger.ts";
import { draft, failingDraft, nameTargets, recoveredDraft } from "./wording.ts";

/** How long to wait for voters that have not looked since the trouble began, before it is told without them. */
const HEARING_MAX: Millis = 8 * SECOND;
/** Another cause is told when it has stood for so long: causes flicker while caches run out. */
const CAUSE_STANDS: Millis = 4 * SECOND;
/** An incident whose voter has gone for good ends when all else was fine for so long. */
const LOST_VOTER: Millis = 15 * MINUTE;
/** A person who does not come is asked again after 1 h, 4 h, then daily. */
const ASK_AGAIN: readonly Millis[] = [HOUR, 4 * HOUR, DAY];

const isTrouble = (assessment: Assessment): boolean =>
  assessment.state === "failing" || assessment.state === "degraded";
/** Names of either list, each once. */
export const union = (a: readonly string[], b: readonly string[]): readonly string[] => [...new Set([...a, ...b])];

/** Opens, follows or closes the incident. The events that go with it are effects of the same decision. */
export function follow(state: GroupState, assessment: Assessment, policy: Policy, now: Instant): Decision {
  if (state.incident === null)
    return isTrouble(assessment) ? open(state, assessment, policy, now) : { state, effects: [] };
  if (isOver(state.incident, assessment, now)) return close(state, assessment, policy, now);
  return update(state, state.incident, assessment, policy, now);
}

function open(state: GroupState, assessment: Assessment, policy: Policy, now: Instant): Decision {
  const incident: Incident = {
    id: `${policy.linkName ?? state.group}${state.hub ? `-${state.hub}` : ""}-inc-${state.epoch}-${state.incidents + 1}`.replace(
      /[^A-Za-z0-9_-]/g,
      "_",
    ),
    cause: assessment.cause,
    since: now,
    told: false,
    targets: assessment.targets,
    voters: assessment.failing,
    badSince: now.mono,
    steps: [],
    askedAt: [],
    heldBy: null,
    heldTold: [],
    nextCause: null,
    okSince: null,
    retryAt: 0,
    refusals: 0,
  };
  const opened = flapped({ ...state, incidents: state.incidents + 1, incident }, policy, now.mono);
  const followed = update(opened, incident, assessment, policy, now);
  return { state: followed.state, effects: [{ kind: "hurry", rounds: 3 }, ...followed.effects] };
}

function update(state: GroupState, before: Incident, assessment: Assessment, policy: Policy, now: Instant): Decision {
  const voters = union(before.voters, assessment.failing);
  const hadGood = voters.some((voter) => assessment.good.includes(voter));
  const followed: Incident = {
    ...before,
    voters,
    targets: union(before.targets, assessment.targets),
    badSince: hadGood || voters.length === 0 ? null : (before.badSince ?? now.mono),
    okSince: assessment.state === "ok" ? (before.okSince ?? now.mono) : null,
  };
  if (!before.told) return tell(state, followed, assessment, policy, now);
  return changeCause(state, followed, assessment, policy, now);
}

/** Says `failing`, in the same transaction as the state, once every voter has looked or has had its time. */
function tell(state: GroupState, incident: Incident, assessment: Assessment, policy: Policy, now: Instant): Decision {
  const waits = assessment.undecided && now.mono - incident.since.mono < HEARING_MAX;
  if (!isTrouble(assessment) || waits)
    return { state: { ...state, incident: { ...incident, cause: assessment.cause ?? incident.cause } }, effects: [] };
  const told: Incident = { ...incident, told: true, cause: assessment.cause };
  const said = failingDraft(told, assessment, policy, outlook(assessment, policy));
  return { state: { ...state, incident: told }, effects: [{ kind: "emit", draft: said }] };
}

/** What will happen next, so that nobody has to guess whether to get up. */
function outlook(assessment: Assessment, policy: Policy): string {
  if (assessment.from !== null && policy.hasHost) {
    return policy.mode === "auto"
      ? `A repair follows when it has stood for ${sayDuration(policy.confirm)}.`
      : "hairpin only watches here: press heal to repair.";
  }
  const own = assessment.cause === null ? "person" : OWN[assessment.cause].by;
  if (own === "guard") return "The guard on the host repairs this.";
  return own === "remedy"
    ? "No host process is configured: a person must repair it."
    : "No step of hairpin cures this: a person must look.";
}

function changeCause(
  state: GroupState,
  incident: Incident,
  assessment: Assessment,
  policy: Policy,
  now: Instant,
): Decision {
  const cause = isTrouble(assessment) ? assessment.cause : null;
  if (cause === null || cause === incident.cause)
    return { state: { ...state, incident: { ...incident, nextCause: null } }, effects: [] };
  const next = incident.nextCause?.cause === cause ? incident.nextCause : { cause, since: now.mono };
  if (now.mono - next.since < CAUSE_STANDS)
    return { state: { ...state, incident: { ...incident, nextCause: next } }, effects: [] };
  const changed: Incident = { ...incident, cause, nextCause: null };
  const said = draft(
    "cause_changed",
    `${nameTargets(changed.targets, policy)}: ${cause.replaceAll("_", " ")}`,
    assessment.summary,
    { incident: changed, assessment, policy },
  );
  return { state: { ...state, incident: changed }, effects: [{ kind: "emit", draft: said }] };
}

function isOver(incident: Incident, assessment: Assessment, now: Instant): boolean {
  if (assessment.state !== "ok") return false;
  const missing = incident.voters.filter((voter) => !assessment.proved.includes(voter));
  if (missing.length === 0) return true;
  return (
    incident.okSince !== null &&
    now.mono - incident.okSince > LOST_VOTER &&
    missing.every((voter) => !assessment.voters.includes(voter))
  );
}

function close(state: GroupState, assessment: Assessment, policy: Policy, now: Instant): Decision {
  const incident = state.incident!;
  const effects: Effect[] = incident.told
    ? [{ kind: "emit", draft: recoveredDraft(incident, assessment, policy, now) }]
    : [];
  return { state: { ...state, incident: null, lastGates: [] }, effects };
}

/** No step is left: a person is asked, and asked again. */
export function askForHelp(
  state: GroupState,
  incident: Incident,
  assessment: Assessment,
  policy: Policy,
  now: Instant,
): Decision {
  const asked = incident.askedAt;
  const last = asked.at(-1);
  const wait = asked.length === 0 ? 0 : ASK_AGAIN[Math.min(asked.length - 1, ASK_AGAIN.length - 1)]!;
  if (last !== undefined && now.mono - last < wait) return { state, effects: [] };
  const tried = incident.steps.map((step) => `${step.step} ${step.outcome}`).join(", ") || "nothing";
  const message = `${assessment.summary} Tried: ${tried}. No step is left.`;
  const said = draft("asked_for_help", `${nameTargets(incident.targets, policy)}: a person is needed`, message, {
    incident,
    assessment,
    policy,
  });
  const askedAt = [...asked, now.mono].slice(-16);
  return { state: { ...state, incident: { ...incident, askedAt } }, effects: [{ kind: "emit", draft: said }] };
}

/** Says once per incident and reason why a repair does not follow, when it has stood long enough for one. */
export function sayHeld(
  state: GroupState,
  incident: Incident,
  gates: readonly GateAnswer[],
  closed: GateAnswer,
  assessment: Assessment,
  policy: Policy,
): Decision {
  const quiet = ["not_healable", "unconfirmed", "grace", "in_flight", "host_refused", "maintenance"];
  const held: Incident = { ...incident, heldBy: closed.gate };
  const isConfirmed = gates.find((answer) => answer.gate === "unconfirmed")?.open === true;
  if (quiet.includes(closed.gate) || !isConfirmed || !incident.told || incident.heldTold.includes(closed.gate))
    return { state: { ...state, incident: held }, effects: [] };
  const said = draft(
    "held",
    "Held: no repair by itself",
    `${closed.why}. ${assessment.summary}`,
    { incident, assessment, policy },
    { heldBy: closed.gate },
  );
  return {
    state: { ...state, incident: { ...held, heldTold: [...incident.heldTold, closed.gate] } },
    effects: [{ kind: "emit", draft: said }],
  };
}
