import type { Assessment } from "../assessment.ts";
import { OWN } from "../cause.ts";
import type { AskAnswer, Decision, GateAnswer, GroupState, HostGate, ManualAsk, Policy } from "../group.ts";
import type { Step } from "../repair.ts";
import { HOUR, type Instant } from "../units.ts";
import { launch, TIME_TO_LIVE } from "./flight.ts";
import { MANUAL_HOUR, spendManual } from "./ledger.ts";

/**
 * `POST /heal`: a person may skip the waiting gates (class, quorum, disputed, confirmation, blast radius, damping, cool-down,
 * grace and the hub's mode, except off), never the protecting ones.
 */
export function asked(
  state: GroupState,
  ask: ManualAsk,
  assessment: Assessment,
  host: HostGate,
  policy: Policy,
  now: Instant,
): Decision {
  const step = ask.step ?? foundingStep(assessment);
  const gates = protectingGates(state, ask, host, policy, now);
  const reply = (
    status: AskAnswer["status"],
    word: AskAnswer["state"],
    detail: string,
    retry: number | null = null,
  ): Decision => ({
    state,
    effects: [],
    answer: {
      status,
      state: word,
      id: status === 202 ? ask.id : (state.flight?.request.id ?? null),
      step,
      detail,
      retryAfterMillis: retry,
      gates,
    },
  });
  if (policy.mode === "off") return reply(423, "off", "heal.mode is off: nothing repairs here, not even by hand");
  if (!host.configured)
    return ask.dryRun ? reply(200, "dry_run", WATCHES_ONLY) : reply(409, "not_configured", WATCHES_ONLY);
  const nothing = nothingToDo(assessment);
  if (nothing !== null && !ask.force) return reply(200, "nothing_to_do", nothing);
  if (state.flight !== null)
    return reply(409, "in_flight", `${state.flight.request.id} (${state.flight.request.step}) is in flight`);
  const paused = (state.maintenance !== null && now.mono < state.maintenance.until) || host.pausedUntil !== null;
  if (paused && !ask.override) return reply(423, "paused", "paused; override: true passes it");
  if ((state.breaker.open || host.breakerOpen === true) && !ask.override)
    return reply(423, "breaker_open", "the breaker is open; override: true passes it");
  const spent = state.manuals.filter((at) => at > now.mono - HOUR);
  if (spent.length >= MANUAL_HOUR)
    return reply(429, "budget", `${MANUAL_HOUR} manual heals an hour are used up`, spent[0]! + HOUR - now.mono);
  if (ask.dryRun) return reply(200, "dry_run", `would run ${step}`);
  const request = { id: ask.id, step, epoch: state.epoch, ttl_ms: TIME_TO_LIVE, manual: true, override: ask.override };
  const launched = launch(spendManual(state, now.mono), request, assessment, true, ask.by, now);
  return {
    ...launched,
    answer: {
      status: 202,
      state: "accepted",
      id: ask.id,
      step,
      detail: `${step} is asked of the host`,
      retryAfterMillis: null,
      gates,
    },
  };
}

const WATCHES_ONLY =
  "no host process is configured: hairpin only watches here. A repair wants link, speaker and host in hairpin.yaml, and hairpin host on the Kubernetes host";

/** The founding repair: make the link right; where it was right already, recreate it, which ends with the speaker. */
function foundingStep(assessment: Assessment): Step {
  return assessment.linkRight === false ? "ensure-link" : "recreate-link";
}

/** Why no step would help; null when one may. */
function nothingToDo(assessment: Assessment): string | null {
  if (assessment.state === "ok") return "everything is fine";
  const { cause } = assessment;
  if (cause === null) return null;
  if (cause === "unclassified" || cause === "disputed" || cause === "vm_path" || cause === "vantage_silent")
    return null;
  return OWN[cause].by === "person" || OWN[cause].by === "nobody"
    ? `${assessment.summary} No step of hairpin cures this.${assessment.advice ? ` Type: ${assessment.advice}` : ""}`
    : null;
}

function protectingGates(
  state: GroupState,
  ask: ManualAsk,
  host: HostGate,
  policy: Policy,
  now: Instant,
): readonly GateAnswer[] {
  const paused = state.maintenance !== null && now.mono < state.maintenance.until;
  return [
    { gate: "not_armed", open: policy.mode !== "off", why: `heal.mode is ${policy.mode}` },
    {
      gate: "host_not_armed",
      open: host.armed === true,
      why: host.armed === true ? "armed" : "the host is not armed, or not heard",
    },
    { gate: "maintenance", open: !paused || ask.override, why: paused ? "paused" : "not paused" },
    { gate: "breaker_open", open: !state.breaker.open || ask.override, why: state.breaker.why ?? "closed" },
    {
      gate: "in_flight",
      open: state.flight === null,
      why: state.flight === null ? "nothing in flight" : `${state.flight.request.id} is in flight`,
    },
  ];
}
