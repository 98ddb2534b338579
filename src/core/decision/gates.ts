import type { Assessment, Vote } from "../assessment.ts";
import type { Gate, GateAnswer, GroupState, HostGate, Incident, Policy } from "../group.ts";
import type { Step } from "../repair.ts";
import { type Instant, sayDuration } from "../units.ts";
import { budgetLeft, flapNow } from "./ledger.ts";

export interface GateInput {
  readonly state: GroupState;
  readonly incident: Incident;
  readonly assessment: Assessment;
  readonly host: HostGate;
  readonly policy: Policy;
  readonly step: Step | null;
  readonly now: Instant;
}

/**
 * Asks every gate in the order of safety.md. All are asked, so that a person sees them all; the first closed one is the
 * recorded reason.
 */
export function askGates(input: GateInput): readonly GateAnswer[] {
  return [...authorityGates(input), ...evidenceGates(input), ...ledgerGates(input)];
}

export function firstClosed(answers: readonly GateAnswer[]): GateAnswer | null {
  return answers.find((answer) => !answer.open) ?? null;
}

const answer = (gate: Gate, open: boolean, why: string): GateAnswer => ({ gate, open, why });

function authorityGates({ state, host, policy, now }: GateInput): readonly GateAnswer[] {
  const armed = policy.mode === "auto";
  const maintenance = state.maintenance !== null && now.mono < state.maintenance.until;
  const paused = maintenance || (host.pausedUntil !== null && host.reachable);
  const grace = state.graceUntil !== null;
  return [
    answer("not_armed", armed, armedSays(policy)),
    answer("host_not_armed", host.configured && host.reachable && host.armed === true, hostSays(host)),
    answer(
      "maintenance",
      !paused,
      paused ? `paused${state.maintenance?.reason ? `: ${state.maintenance.reason}` : ""}` : "not paused",
    ),
    answer("grace", !grace, grace ? "just started: waiting for fresh rounds from every vantage" : "over"),
  ];
}

function armedSays({ mode, disarmed }: Policy): string {
  if (disarmed) return "automatic repairs are switched off in Home Assistant, by its switch Auto heal";
  return mode === "auto" ? "heal.mode is auto" : `heal.mode is ${mode}: hairpin only watches`;
}

const sayVote = (vote: Vote): string => (vote.kind === "host_fact" ? `${vote.voter}'s fact (${vote.why})` : vote.voter);

function hostSays(host: HostGate): string {
  if (!host.configured) return "no host process is configured";
  if (!host.reachable) return "the host process does not answer";
  return host.armed ? "host.armed is true" : "host.armed is false in the host's own file";
}

function evidenceGates({ incident, assessment, policy, step, state, now }: GateInput): readonly GateAnswer[] {
  const votes = assessment.votes.length;
  const from = incident.badSince === null ? now.mono : Math.max(incident.badSince, state.confirmFrom);
  const factor = assessment.cause === "vm_path" ? 2 : 1;
  const waited = now.mono - from;
  const wanted = policy.confirm * factor;
  const confirmed = incident.badSince !== null && waited >= wanted;
  const failing = assessment.targets.length;
  const enough = step !== "recreate-link" || failing * 2 >= policy.targets.length;
  return [
    answer(
      "not_healable",
      step !== null,
      step !== null
        ? `${assessment.cause}: next step ${step}`
        : `${assessment.cause ?? "no cause"}: no step cures it, or none is left`,
    ),
    answer(
      "no_quorum",
      votes >= policy.quorum,
      `${votes} ${votes === 1 ? "vote" : "votes"}, ${policy.quorum} wanted${votes > 0 ? `: ${assessment.votes.map(sayVote).join(", ")}` : ""}`,
    ),
    answer("disputed", !assessment.disputed, assessment.disputed ? "the vantages disagree" : "the vantages agree"),
    answer(
      "site_wide",
      !assessment.siteWide,
      assessment.siteWide ? "the controls of half the vantages are bad" : "controls are good",
    ),
    answer(
      "unconfirmed",
      confirmed,
      `${sayDuration(Math.max(0, waited))} of ${sayDuration(wanted)} without a good sample`,
    ),
    answer("blast_radius", enough, `${failing} of ${policy.targets.length} addresses fail`),
  ];
}

function ledgerGates({ state, incident, host, policy, now }: GateInput): readonly GateAnswer[] {
  const flap = flapNow(state, policy, now.mono);
  const left = budgetLeft(state, policy, now.mono);
  const hasBudget = left.hour > 0 && left.day > 0;
  // The cool-down holds between incidents; within one, the ladder goes on.
  const isFirst = !incident.steps.some((tried) => !tried.manual && tried.outcome !== "refused");
  const cooling = isFirst && now.mono < state.coolDownUntil;
  const waiting = now.mono < incident.retryAt;
  return [
    answer("flapping", !flap.suppressed, `penalty ${Math.round(flap.penalty)} of ${policy.flapSuppress}`),
    answer(
      "breaker_open",
      !state.breaker.open && host.breakerOpen !== true,
      state.breaker.why ?? (host.breakerOpen ? "the host's breaker is open" : "closed"),
    ),
    answer(
      "budget",
      hasBudget,
      hasBudget
        ? `${left.hour} left this hour, ${left.day} today`
        : `used up; one more in ${sayDuration(left.refillIn)}`,
    ),
    answer("cool_down", !cooling, cooling ? `${sayDuration(state.coolDownUntil - now.mono)} left` : "over"),
    answer(
      "in_flight",
      state.flight === null,
      state.flight === null ? "nothing in flight" : `${state.flight.request.id} is in flight`,
    ),
    answer(
      "host_refused",
      !waiting,
      waiting ? `the host refused; asked again in ${sayDuration(incident.retryAt - now.mono)}` : "not refused",
    ),
  ];
}
