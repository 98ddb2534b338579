import type { House } from "../core/config/house.ts";
import type { Attempt } from "../core/delivery.ts";
import type { EventKind, HairpinEvent } from "../core/event.ts";
import type { HostFacts } from "../core/facts.ts";
import type { HubInstance, RepairReport, RepairRequest } from "../core/repair.ts";
import type { Millis, WallMillis } from "../core/units.ts";
import type { HubStore } from "./store.ts";

/** Time as the hub sees it. Only `mono` orders and measures; `wall` is shown and signed with. */
export interface Clock {
  mono(): Millis;
  wall(): WallMillis;
  /** Runs once after so long; the returned function calls it off. */
  after(millis: Millis, run: () => void): () => void;
}

/** A question to a host that got no answer of the host hook. */
export type HostReply<T> =
  | { readonly kind: "answer"; readonly value: T }
  | { readonly kind: "unknown_id" }
  | { readonly kind: "unreachable"; readonly detail: string };

/** What a person asked of the hub and the host has to keep too: its guard and its own breaker know nothing of the hub. */
export type HostOrder =
  | { readonly kind: "pause"; readonly forMillis: Millis; readonly reason: string | null }
  | { readonly kind: "resume" }
  | { readonly kind: "reset_breaker" };

/** The way to one host hook, over its unix socket or a signed address. */
export interface HostLink {
  /** `hub` says who asks: the host obeys one hub at a time, and this one is still here. */
  facts(after: number, waitMs: Millis, signal: AbortSignal, hub?: HubInstance): Promise<HostReply<HostFacts>>;
  repair(request: RepairRequest): Promise<HostReply<RepairReport>>;
  report(id: string): Promise<HostReply<RepairReport>>;
  /** Every order may be repeated. Absent where a host takes none. */
  order?(order: HostOrder): Promise<HostReply<null>>;
}

/** One event on its way out, with what every receiver gets of it. */
export interface Message {
  readonly id: string;
  readonly event: HairpinEvent;
  readonly wallSeconds: number;
}

/** Where events go. `deliver` makes one try and never throws for what a receiver does. */
export interface Subscriber {
  readonly name: string;
  /** Null: all of them. `test` passes always. */
  readonly events: readonly EventKind[] | null;
  /** A 2xx is only `accepted`; an acknowledgement confirms it. */
  readonly confirms: boolean;
  deliver(message: Message, signal: AbortSignal): Promise<Attempt>;
}

/** A dead-man's switch elsewhere: as long as it is asked for in time, the hub lives. */
export interface Heartbeat {
  readonly name: string;
  readonly every: Millis;
  beat(signal: AbortSignal): Promise<Attempt>;
}

export type Log = (
  level: "info" | "warn" | "error",
  fields: Readonly<Record<string, unknown>>,
  message: string,
) => void;

export interface HubPorts {
  readonly house: House;
  readonly version: string;
  readonly store: HubStore;
  readonly clock: Clock;
  readonly hosts: Readonly<Record<string, HostLink>>;
  readonly subscribers: readonly Subscriber[];
  readonly heartbeats: readonly Heartbeat[];
  /** A fraction of 1, for spreading retries. */
  readonly chance: () => number;
  /** So many random letters and digits, for ids that nobody can guess. */
  readonly randomId: (length: number) => string;
  readonly log: Log;
}
