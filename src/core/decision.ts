import type { Assessment } from "./assessment.ts";
import type { Group, House } from "./config/house.ts";
import { asked } from "./decision/ask.ts";
import { fly, launch, refuse, reported, TIME_TO_LIVE } from "./decision/flight.ts";
import { askGates, firstClosed } from "./decision/gates.ts";
import { askForHelp, follow, sayHeld } from "./decision/incident.ts";
import { calm, flapNow, spend } from "./decision/ledger.ts";
import { draft } from "./decision/wording.ts";
import type { Decision, Effect, GroupState, HostGate, Incident, Input, Phase, Policy } from "./group.ts";
import { STEPS, type Step } from "./repair.ts";
import { HOUR, type Instant, type Millis, sayDuration } from "./units.ts";

/** Fresh rounds per voter that end the grace after a start. */
const GRACE_ROUNDS = 4;
/** An end of maintenance is mandatory, and at most this far away. */
export const PAUSE_MAX: Millis = 24 * HOUR;
/** Requests per incident and step: a refusal ran nothing, so the step may be asked for again, but not for ever. */
const REFUSALS_MAX = 8;

/** A group of which nothing is known yet. */
export function initialState(group: string): GroupState {
  return {
    version: 1,
    group,
    phase: "ok",
    incident: null,
    flight: null,
    incidents: 0,
    graceUntil: null,
    maintenance: null,
    confirmFrom: 0,
    flap: { penalty: 0, at: 0, suppressed: false },
    breaker: { open: false, failures: 0, why: null, calmSince: null },
    remedies: [],
    manuals: [],
    provedAfter: 0,
    coolDownUntil: 0,
    epoch: 0,
    hub: null,
    lastGates: [],
    last: null,
  };
}

/** What decisions need to know of the configuration. `disarmed`: a person holds automatic repairs, whatever the file says. */
export function policyOf(house: House, group: Group, disarmed = false): Policy {
  const { heal } = house;
  return {
    site: house.site,
    mode: disarmed && heal.mode === "auto" ? "observe" : heal.mode,
    disarmed: disarmed && heal.mode === "auto",
    confirm: heal.confirm,
    quorum: heal.quorum,
    vmPath: heal.vm_path,
    budgetHour: heal.budget.hour,
    budgetDay: heal.budget.day,
    coolDown: heal.cool_down,
    grace: heal.grace,
    verifyAnnounce: heal.verify.announce,
    verifyOthers: heal.verify.others,
    flapSuppress: heal.flap.suppress,
    flapReuse: heal.flap.reuse,
    flapHalfLife: heal.flap.half_life,
    voters: house.vantages
      .filter((vantage) => vantage.where !== "host" && !vantage.muted)
      .map((vantage) => vantage.name),
    targets: group.targets,
    addresses: Object.fromEntries(house.targets.map((target) => [target.name, target.addresses])),
    hasHost: group.host !== null,
    hasSpeaker: group.speaker !== null,
    linkName: group.link?.name ?? null,
  };
}

/**
 * Decides what one input means for one group. Pure and total: no clock, no network, no chance.
 *
 * The engine saves the returned state before it runs the effects. A repair carries a key derived from the state, and the host
 * answers a key it has seen with the first result, so a repeat does no harm. A crash between the save and the request loses the
 * request: its id is asked about, given up as spent, and the next step follows; nothing runs twice.
 */
export function decide(state: GroupState, input: Input, now: Instant, policy: Policy): Decision {
  switch (input.kind) {
    case "started":
      return {
        state: {
          ...state,
          epoch: state.epoch + 1,
          hub: input.hub,
          graceUntil: now.mono + policy.grace,
          confirmFrom: now.mono,
        },
        effects: [{ kind: "hurry", rounds: GRACE_ROUNDS }],
      };
    case "assessed":
      return assessed(state, input.assessment, input.host, policy, now);
    case "asked":
      return withPhase(asked(state, input.ask, input.assessment, input.host, policy, now), input.assessment);
    case "reported":
      return reported(state, input.report, policy, now);
    case "unreachable":
      return state.flight?.request.id === input.id &&
        state.flight.state === "pending" &&
        now.mono - state.flight.stateMono > TIME_TO_LIVE / 4
        ? refuse(state, `the host does not answer: ${input.detail}`, null, policy, now)
        : { state, effects: [] };
    case "paused":
      return pause(state, input.forMillis, input.reason, policy, now);
    case "resumed":
      return resume(state, policy, now, "Resumed by hand.");
    case "breaker_reset":
      return { state: { ...state, breaker: { open: false, failures: 0, why: null, calmSince: null } }, effects: [] };
  }
}

function assessed(before: GroupState, assessment: Assessment, host: HostGate, policy: Policy, now: Instant): Decision {
  const effects: Effect[] = [];
  let state: GroupState = { ...before, flap: flapNow(before, policy, now.mono) };
  const take = (decision: Decision) => {
    state = decision.state;
    effects.push(...decision.effects);
  };
  state = endGrace(state, assessment, policy, now);
  if (state.maintenance !== null && now.mono >= state.maintenance.until)
    take(resume(state, policy, now, "Its time is over."));
  if (assessment.outdated || (assessment.state === "suspect" && before.phase === "ok"))
    effects.push({ kind: "hurry", rounds: 3 });
  if (state.flight !== null) take(fly(state, assessment, policy, now));
  take(follow(state, assessment, policy, now));
  if (state.incident !== null && state.flight === null)
    take(remedy(state, state.incident, assessment, host, policy, now));
  state = calm(state, state.incident === null && state.flight === null, now.mono);
  return withPhase({ state, effects }, assessment);
}

/** Asks the gates, and starts the next step when all are open. */
function remedy(
  state: GroupState,
  incident: Incident,
  assessment: Assessment,
  host: HostGate,
  policy: Policy,
  now: Instant,
): Decision {
  if (assessment.state === "ok" || assessment.state === "unknown" || assessment.state === "suspect")
    return { state, effects: [] };
  if (incident.heldBy === "unverified") return { state, effects: [] };
  const step = nextStep(incident, assessment, policy);
  const gates = askGates({ state, incident, assessment, host, policy, step, now });
  const seen: GroupState = { ...state, lastGates: gates };
  const closed = firstClosed(gates);
  const exhausted = step === null && incident.steps.some((tried) => !tried.manual && tried.outcome !== "refused");
  // The host's own breaker stops the ladder as surely as the hub's, and waits for a person just the same.
  if (exhausted || state.breaker.open || host.breakerOpen === true)
    return askForHelp(seen, { ...incident, heldBy: closed?.gate ?? null }, assessment, policy, now);
  if (closed !== null) return sayHeld(seen, incident, gates, closed, assessment, policy);
  const attempt = incident.refusals === 0 ? "" : `-${incident.refusals + 1}`;
  const request = {
    id: `${incident.id}-${step}${attempt}`.slice(-64),
    step: step!,
    epoch: state.epoch,
    ttl_ms: TIME_TO_LIVE,
    manual: false,
    override: false,
  };
  return launch(spend(seen, policy, now.mono, incident.id), request, assessment, false, null, now);
}

/** The next step of the ladder: each at most once per incident, in order, from where the cause starts (I13). */
export function nextStep(incident: Incident, assessment: Assessment, policy: Policy): Step | null {
  if (assessment.from === null || !policy.hasHost || incident.refusals > REFUSALS_MAX) return null;
  const tried = incident.steps
    .filter((done) => done.outcome !== "refused" && !done.manual)
    .map((done) => STEPS.indexOf(done.step));
  const from = Math.max(STEPS.indexOf(assessment.from), ...tried.map((index) => index + 1));
  const step = STEPS[from] ?? null;
  return step === "restart-speaker" && !policy.hasSpeaker ? (STEPS[from + 1] ?? null) : step;
}

function endGrace(state: GroupState, assessment: Assessment, policy: Policy, now: Instant): GroupState {
  if (state.graceUntil === null) return state;
  const heard =
    policy.voters.length > 0 && policy.voters.every((voter) => (assessment.rounds[voter] ?? 0) >= GRACE_ROUNDS);
  return heard || now.mono >= state.graceUntil ? { ...state, graceUntil: null } : state;
}

function pause(state: GroupState, forMillis: Millis, reason: string | null, policy: Policy, now: Instant): Decision {
  const length = Math.min(forMillis, PAUSE_MAX);
  const maintenance = { until: now.mono + length, untilWall: now.wall + length, reason };
  const message = `No repair starts for ${sayDuration(length)}${reason === null ? "" : `: ${reason}`}.`;
  const said = draft(
    "paused",
    "Paused",
    message,
    { incident: state.incident, assessment: null, policy },
    { canHeal: false },
  );
  return { state: { ...state, maintenance }, effects: [{ kind: "emit", draft: said }] };
}

/** After maintenance a fresh confirmation is needed. */
function resume(state: GroupState, policy: Policy, now: Instant, message: string): Decision {
  if (state.maintenance === null) return { state, effects: [] };
  const said = draft(
    "resumed",
    "Resumed",
    message,
    { incident: state.incident, assessment: null, policy },
    { canHeal: false },
  );
  return { state: { ...state, maintenance: null, confirmFrom: now.mono }, effects: [{ kind: "emit", draft: said }] };
}

function withPhase(decision: Decision, assessment: Assessment): Decision {
  return { ...decision, state: { ...decision.state, phase: phaseOf(decision.state, assessment) } };
}

function phaseOf(state: GroupState, assessment: Assessment): Phase {
  if (state.flight !== null) return state.flight.state;
  const { incident } = state;
  if (incident === null) return assessment.state === "suspect" ? "suspect" : "ok";
  if (incident.askedAt.length > 0) return "exhausted";
  return incident.told && incident.heldBy !== null && incident.heldBy !== "unconfirmed" ? "held" : "failing";
}
