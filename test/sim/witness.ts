import type { Delivery } from "../../src/core/delivery.ts";
import type { HairpinEvent } from "../../src/core/event.ts";
import type { GroupState } from "../../src/core/group.ts";
import type { Observation } from "../../src/core/observation.ts";
import type { RepairReport, RepairRequest } from "../../src/core/repair.ts";
import type { JournalRecord } from "../../src/host/journal.ts";
import type { Fault } from "./fault.ts";
import type { Site } from "./site.ts";

/** What happened in the simulated world, by the world's own account: no rule reads what hairpin says of itself where it can be avoided. */
export type Happening =
  | { readonly kind: "fault"; readonly fault: Fault; readonly begins: boolean }
  /** The hub has saved a request and sends it. */
  | { readonly kind: "requested"; readonly hub: string; readonly request: RepairRequest }
  /** A request came to the host's hook. */
  | { readonly kind: "received"; readonly from: string; readonly request: RepairRequest }
  | { readonly kind: "answered"; readonly from: string; readonly report: RepairReport }
  /** A line of the journal became durable. */
  | { readonly kind: "journalled"; readonly record: JournalRecord }
  | { readonly kind: "host_started" }
  | { readonly kind: "host_died"; readonly power: boolean }
  /** A command begins. `right`: the link was right before it. */
  | { readonly kind: "command"; readonly tool: string; readonly args: readonly string[]; readonly right: boolean }
  | { readonly kind: "link_lost" }
  | {
      readonly kind: "observed";
      readonly hub: string;
      readonly observation: Observation;
      readonly digest: string;
      /** By the signature's time, as the hub counts it. */
      readonly age: number;
      readonly answer: "accepted" | "duplicate" | "conflict" | "unavailable";
      readonly liar: boolean;
    }
  | { readonly kind: "hub_started" | "hub_died"; readonly hub: string }
  | { readonly kind: "diagnosed"; readonly hub: string; readonly votes: readonly Vote[]; readonly cause: string | null }
  /** A group's state became durable. */
  | { readonly kind: "group"; readonly hub: string; readonly before: GroupState | null; readonly after: GroupState }
  | { readonly kind: "event"; readonly hub: string; readonly event: HairpinEvent }
  | { readonly kind: "row"; readonly hub: string; readonly row: Delivery }
  | {
      readonly kind: "delivered";
      readonly hub: string;
      readonly subscriber: string;
      readonly id: string;
      readonly event: HairpinEvent;
    }
  | { readonly kind: "acknowledged"; readonly hub: string; readonly id: string }
  | { readonly kind: "asked"; readonly hub: string; readonly id: string }
  | { readonly kind: "reset"; readonly side: string }
  | { readonly kind: "health"; readonly healthy: boolean }
  | { readonly kind: "end" };

export interface Vote {
  readonly voter: string;
  readonly kind: "vantage" | "host_fact";
}

/** One invariant at work: sees all that happens, and says when it does not hold. */
export type Rule = (site: Site, broken: (detail: string) => void) => (happening: Happening) => void;

export interface Violation {
  readonly invariant: string;
  readonly at: number;
  readonly detail: string;
}

export interface Witness {
  tell(happening: Happening): void;
  /** Anything that a failure's story should show. */
  note(text: string): void;
  count(what: string, by?: number): void;
  fail(invariant: string, detail: string): void;
  readonly violations: readonly Violation[];
  readonly counts: ReadonlyMap<string, number>;
  readonly story: readonly string[];
  /** A number that two runs of the same seed share (I29). */
  fingerprint(): number;
  attach(rules: readonly ((happening: Happening) => void)[]): void;
}

/** Stories longer than this are cut at the front: what led to the violation is at the end. */
const STORY_MAX = 4_000;

export function clockText(millis: number): string {
  const seconds = millis / 1_000;
  const days = Math.floor(seconds / 86_400);
  const text = (value: number, width: number) => String(Math.floor(value)).padStart(width, "0");
  return `${days}d ${text((seconds / 3_600) % 24, 2)}:${text((seconds / 60) % 60, 2)}:${(seconds % 60).toFixed(3).padStart(6, "0")}`;
}

export function createWitness(now: () => number, keepsStory: boolean): Witness {
  const violations: Violation[] = [];
  const counts = new Map<string, number>();
  const story: string[] = [];
  let watches: readonly ((happening: Happening) => void)[] = [];
  let print = 2_166_136_261;
  const mix = (text: string) => {
    for (let index = 0; index < text.length; index++) print = Math.imul(print ^ text.charCodeAt(index), 16_777_619);
  };
  const witness: Witness = {
    violations,
    counts,
    story,
    tell(happening) {
      mix(happening.kind);
      print = Math.imul(print ^ Math.round(now()), 16_777_619);
      for (const watch of watches) watch(happening);
    },
    note(text) {
      mix(text);
      if (!keepsStory) return;
      story.push(`${clockText(now())}  ${text}`);
      if (story.length > STORY_MAX) story.shift();
    },
    count: (what, by = 1) => void counts.set(what, (counts.get(what) ?? 0) + by),
    fail(invariant, detail) {
      if (violations.length < 20) violations.push({ invariant, at: now(), detail });
      witness.note(`VIOLATION ${invariant}: ${detail}`);
    },
    fingerprint: () => print >>> 0,
    attach: (added) => {
      watches = added;
    },
  };
  return witness;
}
