import type { Cause } from "../../core/cause.ts";
import type { Layer } from "../../core/doctor/finding.ts";
import type { Bench } from "../bench.ts";

/**
 * How the story of a fault ends, if hairpin is right: `guard` and `heal` when every vantage is green again by that means, `told` when
 * a person has been told of the cause and one confirmation has passed without a heal, `quiet` when the time is over and nothing of
 * the addresses was told.
 */
export type Ending = "guard" | "heal" | "told" | "quiet";

/** One way to break the house. Names, causes and who heals them are those of faults.md. */
export interface Fault {
  readonly name: string;
  /** What happened, as a person would say it. */
  readonly title: (bench: Bench) => string;
  readonly cause: Cause | null;
  /** Other causes that faults.md accepts for it. */
  readonly orElse?: readonly (string | null)[];
  /** Causes that may be shown on the way to it, since they are true for a moment. Anything else that is shown is a false cause. */
  readonly transient?: readonly Cause[];
  /** Whether all is fine at times while it stands: a doctor may come at such a time. */
  readonly comesAndGoes?: true;
  /** Of a fault without a cause: the layer at which a doctor must find it. */
  readonly shows?: Layer;
  /**
   * Whether the link is made anew in the course of it. Where IPv6 is announced, a speaker that was not restarted answers nobody on the
   * new link (facts/l2), so that a remedy follows the guard, with `not_announced` for its cause.
   */
  readonly remakesLink?: true;
  readonly ending: Ending;
  /** Whether the host's facts stand for a second vote, so that one vantage is enough. */
  readonly hostSees?: boolean;
  /** Why this house cannot have this fault; null when it can. */
  readonly missing?: (bench: Bench) => string | null;
  readonly inject: (bench: Bench) => Promise<void>;
  /** What has to happen before it can be looked at once more, after a second making. */
  readonly beforeLook?: (bench: Bench, sleep: (ms: number) => Promise<void>) => Promise<void>;
  /** Parts of the fault that happen later, such as its own end. Runs beside the story, and is waited for before the restore. */
  readonly later?: (bench: Bench, sleep: (ms: number) => Promise<void>) => Promise<void>;
  readonly restore?: (bench: Bench) => Promise<void>;
  /** A `quiet` fault lasts so long before the house is put right again. */
  readonly lastsMs?: number;
  readonly limitMs?: number;
}

export const needsLink = (bench: Bench): string | null =>
  bench.plan.house.links.length === 0 ? "no link is declared" : null;
export const needsVantage =
  (at: "bridge" | "switch", where: string) =>
  (bench: Bench): string | null =>
    bench.machines(at).length === 0 ? `there is no vantage with where: ${where}` : null;
export const needsCheck =
  (kind: "dns" | "https" | "oidc") =>
  (bench: Bench): string | null =>
    bench.podsWith(kind).length === 0 ? `no target has a ${kind} check` : null;

/** A MAC that nothing in the house has: locally administered, and not any declared one. */
export const OTHER_MAC = "02:de:ad:be:ef:01";
