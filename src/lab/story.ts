import type { Cause } from "../core/cause.ts";
import { OWN } from "../core/cause.ts";
import type { Ending, Fault } from "./faults/fault.ts";
import type { FaultResult } from "./moment.ts";
import { roundChecks } from "./narrator.ts";
import type { LogLine } from "./processes.ts";

/** A round that was logged so soon after a repair may have begun before it. */
const ROUND_MARGIN_MS = 1_500;
/** What a fault may do to the addresses without anybody being told: facts of a moment, and news that are not of an address. */
const HARMLESS: ReadonlySet<string> = new Set([
  "vantage_silent",
  "vantage_back",
  "announcer_changed",
  "guard_repaired",
]);

interface VantageStory {
  down: number | null;
  up: number | null;
  lastGood: number | null;
  lastBad: number | null;
}

/** What the house went through since a fault, put together from the logs of its processes. */
export class Story {
  readonly fault: Fault;
  readonly origin: number;
  readonly #confirm: number;
  readonly #expected: Ending;
  readonly #vantages = new Map<string, VantageStory>();
  readonly #steps: { step: string; ms: number | null; outcome: string; at: number; by: "guard" | "heal" }[] = [];
  readonly #told: { kind: string; cause: string | null; at: number }[] = [];
  readonly #causes: { cause: Cause; state: string; at: number }[] = [];
  #firstSeen: number | null = null;
  #requested: number | null = null;
  #cause: Cause | null = null;
  #healedBy: "guard" | "heal" | null = null;
  #state = "ok";
  #heldBy: string | null = null;
  #advice: string | null = null;

  constructor(fault: Fault, expected: Ending, origin: number, vantages: readonly string[], confirmMs: number) {
    this.fault = fault;
    this.origin = origin;
    this.#expected = expected;
    this.#confirm = confirmMs;
    for (const name of vantages) this.#vantages.set(name, { down: null, up: null, lastGood: null, lastBad: null });
  }

  hear(who: string, line: LogLine): void {
    const at = line.mono_ms ?? 0;
    if (at < this.origin) return;
    switch (line.event) {
      case "round":
        this.#round(who, at, line);
        break;
      case "link_event":
        this.#seen(at);
        break;
      case "guard":
        this.#seen(at);
        this.#steps.push({
          step: String(line["step"]),
          ms: numberOf(line["ms"]),
          outcome: String(line["outcome"]),
          at,
          by: "guard",
        });
        if (this.#requested === null && line["outcome"] === "done")
          this.#settle(this.#rootCause() ?? (line["cause"] as Cause), "guard");
        break;
      case "repair":
        this.#repair(who, at, line);
        break;
      case "diagnosis":
        this.#diagnosis(at, line);
        break;
      case "gates":
        this.#heldBy = (line["held_by"] as string | null) ?? null;
        break;
      case "emitted":
        this.#told.push({ kind: String(line["kind"]), cause: (line["cause"] as string | null) ?? null, at });
        if (typeof line["advice"] === "string") this.#advice = line["advice"];
        if (line["kind"] === "heal_succeeded") this.#settle(this.#cause, "heal");
    }
  }

  #seen(at: number): void {
    this.#firstSeen ??= at;
  }

  #settle(cause: Cause | null, by: "guard" | "heal"): void {
    this.#cause ??= cause;
    // What the guard has put right is its own, also where a remedy must follow: a speaker that is deaf for IPv6 on the new link.
    if (this.#expected !== "guard" || this.#healedBy !== "guard") this.#healedBy = by;
  }

  /** A cause that a person or the guard's wait for its parent stands behind, if the hub has seen one before the guard could act. */
  #rootCause(): Cause | null {
    return this.#causes.find(({ cause }) => cause === "parent_missing" || cause === "parent_down")?.cause ?? null;
  }

  #round(who: string, at: number, line: LogLine): void {
    const isGood = roundChecks(line).every((check) => check.ok);
    if (!isGood) this.#seen(at);
    const vantage = this.#vantages.get(who);
    if (vantage === undefined) return;
    if (isGood) {
      vantage.lastGood = at;
      if (vantage.down !== null) vantage.up ??= at;
    } else {
      vantage.down ??= at;
      vantage.up = null;
      vantage.lastBad = at;
    }
  }

  #repair(who: string, at: number, line: LogLine): void {
    const state = String(line["state"]);
    if (state === "requested") {
      this.#requested ??= at;
      if (this.#healedBy !== "guard") this.#cause = this.#causes.at(-1)?.cause ?? this.#cause;
    } else if (who !== "hub" && ["done", "failed", "refused", "interrupted"].includes(state)) {
      this.#steps.push({ step: String(line["step"]), ms: numberOf(line["ms"]), outcome: state, at, by: "heal" });
    }
  }

  #diagnosis(at: number, line: LogLine): void {
    this.#state = String(line["state"]);
    if (this.#state !== "ok") this.#seen(at);
    const cause = line["cause"] as Cause | null;
    if (cause === null) return;
    this.#causes.push({ cause, state: this.#state, at });
    if (typeof line["advice"] === "string") this.#advice = line["advice"];
  }

  /** Every vantage that may see the addresses has had a good round since `after`. */
  #greenSince(after: number): boolean {
    return [...this.#vantages.values()].every(
      (vantage) =>
        vantage.lastGood !== null &&
        vantage.lastGood > after + ROUND_MARGIN_MS &&
        (vantage.lastBad ?? 0) < vantage.lastGood,
    );
  }

  get cause(): Cause | null {
    if (this.#cause !== null) return this.#cause;
    const told = this.#told
      .filter(({ kind, cause }) => cause !== null && (kind === "failing" || kind === "cause_changed"))
      .at(-1);
    const counted =
      this.#expected === "quiet" ? this.#causes.filter(({ cause }) => cause === "announced_elsewhere") : this.#causes;
    return (told?.cause as Cause | undefined) ?? counted.at(-1)?.cause ?? null;
  }

  /** What is being waited for, in words; null when the story is over. */
  waitingFor(now: number): string | null {
    const last = this.#steps.filter((step) => step.outcome === "done").at(-1)?.at ?? null;
    switch (this.#expected) {
      case "guard":
        if (this.#healedBy === null) return "the guard";
        return last !== null && this.#greenSince(last) && this.#state === "ok" ? null : "green from every vantage";
      case "heal":
        if (this.#requested === null)
          return this.#causes.length === 0
            ? "a vantage to see it"
            : `confirming: ${Math.round(Math.min(this.#confirm, now - this.#causes[0]!.at) / 1_000)} of ${Math.round(this.#confirm / 1_000)} s`;
        if (this.#healedBy !== "heal") return "the repair, and its proof from the vantages";
        return this.#greenSince(last ?? now) ? null : "green from every vantage";
      case "told": {
        const silent = this.fault.cause === "vantage_silent";
        const told =
          this.#told.find(({ kind }) => kind === "failing")?.at ??
          (silent ? this.#causes.find(({ cause }) => cause === "vantage_silent")?.at : undefined);
        if (told === undefined) return this.#causes.length === 0 ? "a vantage to see it" : "somebody to be told";
        if (silent) return null;
        if (this.fault.name === "flapping") return this.#heldBy === "flapping" ? null : "the flap damping";
        const left = told + this.#confirm + 3_000 - now;
        return left <= 0 ? null : `nothing to happen for ${Math.ceil(left / 1_000)} s: this one is a person's`;
      }
      case "quiet": {
        const left = this.origin + (this.fault.lastsMs ?? 15_000) - now;
        return left <= 0 ? null : `nothing to happen for ${Math.ceil(left / 1_000)} s`;
      }
    }
  }

  result(): FaultResult {
    const since = (at: number | null) => (at === null ? null : Math.round((at - this.origin) * 10) / 10);
    const lastStep = this.#steps.filter((step) => step.outcome === "done").at(-1);
    const ups = [...this.#vantages.values()].map((vantage) => (vantage.down === null ? null : vantage.up));
    const green = [...this.#vantages.values()].every((vantage) => vantage.down === null || vantage.up !== null);
    const healed = this.#healedBy !== null && green;
    const healedAt = healed ? Math.max(lastStep?.at ?? 0, ...ups.map((up) => up ?? 0)) : null;
    return {
      fault: this.fault.name,
      cause: this.cause,
      healed,
      by: healed ? this.#healedBy : null,
      steps: this.#steps.map(({ step, ms, outcome }) => ({ step, ms, outcome })),
      first_seen_ms: since(this.#firstSeen),
      healed_ms: since(healedAt),
      vantages: Object.fromEntries(
        [...this.#vantages].map(([name, { down, up }]) => [name, { down_ms: since(down), up_ms: since(up) }]),
      ),
      told: this.#told.map(({ kind }) => kind),
      advice: this.#advice,
    };
  }

  /** Why the result is not what faults.md says; empty when it is. */
  complaints(): readonly string[] {
    const { cause, healed, by, told } = this.result();
    const wanted = this.#expected === "guard" || this.#expected === "heal" ? this.#expected : null;
    const said: string[] = [];
    if (cause !== this.fault.cause && this.fault.orElse?.includes(cause) !== true)
      said.push(`the cause came out as ${cause ?? "none"}, ${this.fault.cause ?? "none"} was expected`);
    if (wanted !== null && !healed) said.push(`it was not healed; the ${wanted} was expected to`);
    if (wanted === null && (healed || this.#requested !== null))
      said.push("a repair was started, and none was expected");
    if (wanted !== null && healed && by !== wanted) said.push(`it was healed by ${by}, ${wanted} was expected`);
    if (this.#expected === "quiet") {
      const loud = told.filter((kind) => !HARMLESS.has(kind));
      if (loud.length > 0) said.push(`nothing was to be told, and ${loud.join(", ")} was`);
    }
    return said;
  }
}

function numberOf(value: unknown): number | null {
  return typeof value === "number" ? Math.round(value * 10) / 10 : null;
}

/** What is to be expected of a fault in this house: a repair that is not armed, or has too few votes, is not made. */
export function expectedEnding(
  fault: Fault,
  house: {
    readonly mode: string;
    readonly armed: boolean;
    readonly guard: boolean;
    readonly voters: number;
    readonly quorum: number;
  },
): Ending {
  if (fault.ending === "guard") return house.guard ? "guard" : "told";
  if (fault.ending !== "heal") return fault.ending;
  const votes = house.voters + (fault.hostSees === true && house.voters > 0 ? 1 : 0);
  const healable = fault.cause !== null && OWN[fault.cause].by === "remedy";
  return healable && house.mode === "auto" && house.armed && votes >= house.quorum ? "heal" : "told";
}
