import type { Cause } from "./cause.ts";
import type { FailureCode } from "./failure.ts";
import type { Step } from "./repair.ts";
import type { Instant } from "./units.ts";

/** What a vantage says of a target: k of n rounds. Unknown is a value and never a vote (I8). */
export type Verdict = "ok" | "failed" | "unknown";

/** One vantage's standing towards one target. */
export interface Standing {
  readonly vantage: string;
  readonly target: string;
  readonly verdict: Verdict;
  /** Worst failure among the checks that fail; null when none does. */
  readonly failure: FailureCode | null;
  readonly detail: string | null;
  /** Which MAC the vantage holds or was answered with. */
  readonly mac: string | null;
  readonly rtt_ms: number | null;
  readonly observed_at: string | null;
}

/** A vote for a heal: layer 2, signed, fresh, good control, not muted, not on the Kubernetes host. */
export interface Vote {
  readonly voter: string;
  readonly kind: "vantage" | "host_fact";
  readonly why: string;
}

/** One group as it looks at one instant: the vantages compared, plus what the host sees. Pure data. */
export interface Assessment {
  readonly group: string;
  readonly at: Instant;
  /** `suspect`: a sample failed, nothing is said yet. `degraded`: probes are green, yet it works only until caches run out. */
  readonly state: "ok" | "suspect" | "failing" | "degraded" | "unknown";
  readonly cause: Cause | null;
  /** One sentence for a person. */
  readonly summary: string;
  /** How it is known, a sentence each. */
  readonly evidence: readonly string[];
  /** What a person should type, where there is something. */
  readonly advice: string | null;
  readonly standings: readonly Standing[];
  /** Targets that some eligible vantage fails, or that are degraded. */
  readonly targets: readonly string[];
  /** Vantages whose verdict is failed (or that vote for degraded): the repair is proved from these. */
  readonly failing: readonly string[];
  readonly votes: readonly Vote[];
  /** Vantages that may vote and are heard: fresh, control good, not muted, not on the host. */
  readonly voters: readonly string[];
  /** Voters whose latest sample of every target of the group is good. */
  readonly good: readonly string[];
  /** Voters whose last two rounds were good for every target of the group: what proves a repair. */
  readonly proved: readonly string[];
  /** Rounds heard from each voter since this process started: grace ends by these. */
  readonly rounds: Readonly<Record<string, number>>;
  /** Where the ladder starts for this cause; null when no machine may repair it. */
  readonly from: Step | null;
  readonly disputed: boolean;
  readonly siteWide: boolean;
  /** The links of the group are as declared, by the host's facts; null when no host says so. */
  readonly linkRight: boolean | null;
  /** Some voter has not been heard since the trouble began: what it says may still change the cause. */
  readonly undecided: boolean;
  /** Some voter's last look was before the end of what explains it: it must look again, whatever its schedule says. */
  readonly outdated: boolean;
}
