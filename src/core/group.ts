import type { Assessment } from "./assessment.ts";
import type { Cause } from "./cause.ts";
import type { EventKind } from "./event.ts";
import type { RepairReport, RepairRequest, Step } from "./repair.ts";
import type { Instant, Millis, WallMillis } from "./units.ts";

/** Names of a closed gate, in the order in which the gates are asked; the first closed one is the recorded reason. */
export const GATES = [
  "not_armed",
  "host_not_armed",
  "maintenance",
  "grace",
  "not_healable",
  "no_quorum",
  "disputed",
  "site_wide",
  "unconfirmed",
  "blast_radius",
  "flapping",
  "breaker_open",
  "budget",
  "cool_down",
  "in_flight",
  "host_refused",
] as const;
export type Gate = (typeof GATES)[number];

/** What a gate said, kept with each decision so that `hairpin explain` can say it again. */
export interface GateAnswer {
  readonly gate: Gate;
  readonly open: boolean;
  readonly why: string;
}

export type Phase = "ok" | "suspect" | "failing" | "held" | "pending" | "healing" | "verifying" | "exhausted";

/** One step that was tried in an incident. */
export interface StepTried {
  readonly id: string;
  readonly step: Step;
  readonly manual: boolean;
  readonly outcome:
    | "pending"
    | "done"
    | "failed"
    | "refused"
    | "interrupted"
    | "verified"
    | "ineffective"
    | "unverified";
  readonly startedMono: Millis;
  readonly ms: Millis | null;
}

/** One outage of a group. */
export interface Incident {
  readonly id: string;
  readonly cause: Cause | null;
  readonly since: Instant;
  /** Whether `failing` has been said. */
  readonly told: boolean;
  readonly targets: readonly string[];
  /** Vantages that voted failed during the incident: each must be good again for `recovered`. */
  readonly voters: readonly string[];
  /** Since when, in ledger time, no voter has had a good sample. Null: one has just had, or none has voted yet. */
  readonly badSince: Millis | null;
  readonly steps: readonly StepTried[];
  /** Ledger times at which a person was asked. */
  readonly askedAt: readonly Millis[];
  readonly heldBy: Gate | "unverified" | null;
  /** Reasons for which `held` was said already: once each per incident. */
  readonly heldTold: readonly Gate[];
  /** Another cause than the recorded one, and since when it is seen: it is told when it has stood. */
  readonly nextCause: { readonly cause: Cause; readonly since: Millis } | null;
  /** Since when all looks fine again. */
  readonly okSince: Millis | null;
  /** After a refusal the next request waits until here. */
  readonly retryAt: Millis;
  readonly refusals: number;
}

/** The running repair: single flight. */
export interface Flight {
  readonly request: RepairRequest;
  readonly requestedMono: Millis;
  readonly manual: boolean;
  readonly state: "pending" | "healing" | "verifying";
  /** Ledger time at which this state was entered. */
  readonly stateMono: Millis;
  readonly voters: readonly string[];
  readonly targetsBefore: readonly string[];
  readonly report: RepairReport | null;
  readonly reason: string | null;
}

/** Everything the hub remembers of one group. Plain JSON: saved before its effects run. */
export interface GroupState {
  readonly version: 1;
  readonly group: string;
  readonly phase: Phase;
  readonly incident: Incident | null;
  readonly flight: Flight | null;
  readonly incidents: number;
  readonly graceUntil: Millis | null;
  readonly maintenance: {
    readonly until: Millis;
    readonly untilWall: WallMillis;
    readonly reason: string | null;
  } | null;
  /** After maintenance or a resume, confirmation starts again here. */
  readonly confirmFrom: Millis;
  readonly flap: { readonly penalty: number; readonly at: Millis; readonly suppressed: boolean };
  readonly breaker: {
    readonly open: boolean;
    readonly failures: number;
    readonly why: string | null;
    readonly calmSince: Millis | null;
  };
  /** Ledger times of automatic remedies started, at most a day back. */
  readonly remedies: readonly Millis[];
  /** Ledger times of manual ones, at most an hour back. */
  readonly manuals: readonly Millis[];
  /** End of the last repair: what was seen before proves nothing about it. */
  readonly provedAfter: Millis;
  readonly coolDownUntil: Millis;
  readonly epoch: number;
  /** The name of the hub's store, for ids that no other hub uses; null before its first start. */
  readonly hub: string | null;
  readonly lastGates: readonly GateAnswer[];
  readonly last: { readonly id: string; readonly step: Step; readonly outcome: string; readonly at: string } | null;
}

/** Everything that can happen to a group. */
export type Input =
  | { readonly kind: "started"; readonly hub: string }
  /** Observations, facts and the passing of time all arrive as a fresh assessment. */
  | { readonly kind: "assessed"; readonly assessment: Assessment; readonly host: HostGate }
  | { readonly kind: "asked"; readonly ask: ManualAsk; readonly assessment: Assessment; readonly host: HostGate }
  | { readonly kind: "reported"; readonly report: RepairReport }
  /** The host could not be reached with a request or a question. */
  | { readonly kind: "unreachable"; readonly id: string; readonly detail: string }
  | { readonly kind: "paused"; readonly forMillis: Millis; readonly reason: string | null }
  | { readonly kind: "resumed" }
  | { readonly kind: "breaker_reset" };

/** What the host says of itself, as gates see it. Null: not heard. */
export interface HostGate {
  readonly configured: boolean;
  readonly reachable: boolean;
  readonly armed: boolean | null;
  readonly pausedUntil: string | null;
  readonly breakerOpen: boolean | null;
  readonly kubernetes: boolean | null;
}

/** `POST /heal`, already authenticated. */
export interface ManualAsk {
  readonly id: string;
  readonly step: Step | null;
  readonly reason: string | null;
  readonly by: string;
  readonly dryRun: boolean;
  readonly override: boolean;
  readonly force: boolean;
}

/** What the caller of `POST /heal` is told. */
export interface AskAnswer {
  readonly status: 200 | 202 | 409 | 423 | 429;
  readonly state:
    | "accepted"
    | "nothing_to_do"
    | "in_flight"
    | "paused"
    | "breaker_open"
    | "off"
    | "budget"
    | "not_configured"
    | "dry_run";
  readonly id: string | null;
  readonly step: Step | null;
  readonly detail: string;
  readonly retryAfterMillis: Millis | null;
  readonly gates: readonly GateAnswer[];
}

/** An event before it has an id, a site and a sequence number. */
export interface EventDraft {
  readonly kind: EventKind;
  readonly target: string;
  readonly cause: Cause | null;
  readonly title: string;
  readonly message: string;
  readonly since: string | null;
  readonly vantagesFailing: readonly string[];
  readonly incident: string | null;
  readonly healId: string | null;
  readonly canHeal: boolean;
  readonly advice: string | null;
  readonly heldBy: string | null;
}

/** A draft of what belongs to no incident: nothing fails, nothing is to be healed. */
export function quietDraft(
  kind: EventKind,
  target: string,
  title: string,
  message: string,
  extra: Partial<EventDraft> = {},
): EventDraft {
  return {
    kind,
    target,
    cause: null,
    title,
    message,
    since: null,
    vantagesFailing: [],
    incident: null,
    healId: null,
    canHeal: false,
    advice: null,
    heldBy: null,
    ...extra,
  };
}

/** What the engine does after the state is saved. Each may be repeated after a crash without harm. */
export type Effect =
  | { readonly kind: "repair"; readonly group: string; readonly request: RepairRequest }
  /** Ask the host what became of an id; asking never runs anything. */
  | { readonly kind: "ask_report"; readonly group: string; readonly id: string }
  | { readonly kind: "emit"; readonly draft: EventDraft }
  /** Want fresh rounds from the vantages at once, rather than at their schedule. */
  | { readonly kind: "hurry"; readonly rounds: number };

export interface Decision {
  readonly state: GroupState;
  readonly effects: readonly Effect[];
  /** Present for an `asked` input. */
  readonly answer?: AskAnswer;
}

/** The configuration that decisions need, with names in the units of the reducer. */
export interface Policy {
  readonly site: string;
  readonly mode: "observe" | "auto" | "off";
  /** The file says auto, and a person has switched it off at run time: `mode` is then observe. It can never arm. */
  readonly disarmed: boolean;
  readonly confirm: Millis;
  readonly quorum: number;
  readonly vmPath: boolean;
  readonly budgetHour: number;
  readonly budgetDay: number;
  readonly coolDown: Millis;
  readonly grace: Millis;
  readonly verifyAnnounce: Millis;
  readonly verifyOthers: Millis;
  readonly flapSuppress: number;
  readonly flapReuse: number;
  readonly flapHalfLife: Millis;
  /** Vantages that may vote at all: off the host and not muted. */
  readonly voters: readonly string[];
  readonly targets: readonly string[];
  /** Addresses by target, for titles. */
  readonly addresses: Readonly<Record<string, readonly string[]>>;
  readonly hasHost: boolean;
  readonly hasSpeaker: boolean;
  readonly linkName: string | null;
}
