import type { GroupState, Policy } from "../group.ts";
import { DAY, HOUR, MINUTE, type Millis } from "../units.ts";

/** Budget, cool-down, flap damping and breaker, all in ledger time: no clock leap refills them (I1, I26). */

/** A breaker opens after so many ineffective steps in a row. */
export const BREAKER_FAILURES = 3;
/** Calm that clears the breaker's count; a relapse before it counts. */
const BREAKER_CALM: Millis = 30 * MINUTE;
const COOL_DOWN_MAX: Millis = 2 * HOUR;
const FLAP_STEP = 1_000;
/** The host's cap on manual heals, repeated here so that a person is told at once. */
export const MANUAL_HOUR = 4;

export interface BudgetLeft {
  readonly hour: number;
  readonly day: number;
  /** Ledger milliseconds until one more is left. */
  readonly refillIn: Millis;
}

export function budgetLeft(state: GroupState, policy: Policy, now: Millis): BudgetLeft {
  const hour = state.remedies.filter((at) => at > now - HOUR);
  const day = state.remedies.filter((at) => at > now - DAY);
  // A quorum of one was written by hand: two remedies a day then (safety.md, "Votes").
  const dayMax = policy.quorum === 1 ? Math.min(2, policy.budgetDay) : policy.budgetDay;
  const oldest = hour.length >= policy.budgetHour ? (hour[0] ?? now) + HOUR : (day[0] ?? now) + DAY;
  return {
    hour: Math.max(0, policy.budgetHour - hour.length),
    day: Math.max(0, dayMax - day.length),
    refillIn: Math.max(0, oldest - now),
  };
}

/** Spends one remedy and starts the cool-down: 2 min × 2^(heals in 24 h), at most 2 h, ±20 % by the incident's name. */
export function spend(state: GroupState, policy: Policy, now: Millis, incident: string): GroupState {
  const remedies = [...state.remedies.filter((at) => at > now - DAY), now];
  const length = Math.min(COOL_DOWN_MAX, policy.coolDown * 2 ** (remedies.length - 1));
  return { ...state, remedies, coolDownUntil: now + Math.round(length * (0.8 + 0.4 * spread(incident))) };
}

export function spendManual(state: GroupState, now: Millis): GroupState {
  return { ...state, manuals: [...state.manuals.filter((at) => at > now - HOUR), now] };
}

/** A fraction of 1 that depends on the text alone: chance has no place in a decision, yet houses must not act in step. */
function spread(text: string): number {
  let hash = 2_166_136_261;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 16_777_619);
  return ((hash >>> 0) % 1_000) / 1_000;
}

/** The flap penalty as it has decayed by now, with hysteresis between suppress and reuse. */
export function flapNow(state: GroupState, policy: Policy, now: Millis): GroupState["flap"] {
  const penalty = state.flap.penalty * 0.5 ** (Math.max(0, now - state.flap.at) / policy.flapHalfLife);
  const suppressed = state.flap.suppressed ? penalty > policy.flapReuse : penalty >= policy.flapSuppress;
  return { penalty, at: now, suppressed };
}

export function flapped(state: GroupState, policy: Policy, now: Millis): GroupState {
  const flap = flapNow(state, policy, now);
  const penalty = flap.penalty + FLAP_STEP;
  return { ...state, flap: { penalty, at: now, suppressed: flap.suppressed || penalty >= policy.flapSuppress } };
}

export function countFailure(state: GroupState, why: string): GroupState {
  const failures = state.breaker.failures + 1;
  const open = state.breaker.open || failures >= BREAKER_FAILURES;
  return { ...state, breaker: { open, failures, why: open ? (state.breaker.why ?? why) : null, calmSince: null } };
}

export function openBreaker(state: GroupState, why: string): GroupState {
  return { ...state, breaker: { ...state.breaker, open: true, why, calmSince: null } };
}

/** Clears the count after calm. An open breaker stays open: only an authenticated reset closes it (I12). */
export function calm(state: GroupState, isCalm: boolean, now: Millis): GroupState {
  const { breaker } = state;
  if (breaker.open || breaker.failures === 0) return state;
  if (!isCalm) return breaker.calmSince === null ? state : { ...state, breaker: { ...breaker, calmSince: null } };
  if (breaker.calmSince === null) return { ...state, breaker: { ...breaker, calmSince: now } };
  return now - breaker.calmSince >= BREAKER_CALM
    ? { ...state, breaker: { ...breaker, failures: 0, calmSince: null } }
    : state;
}
