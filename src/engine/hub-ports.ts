import type { House } from "../core/config/house.ts";
import type { EdgeConfig, MqttConfig } from "../core/config/schema.ts";
import type { Attempt } from "../core/delivery.ts";
import type { EventKind, HairpinEvent } from "../core/event.ts";
import type { HostFacts } from "../core/facts.ts";
import type { Incoming } from "../core/mqtt/command.ts";
import type { HubInstance, RepairReport, RepairRequest } from "../core/repair.ts";
import type { Hmac, SignedHeaders } from "../core/standard-webhooks.ts";
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

/** One message to a broker. */
export interface Publication {
  readonly topic: string;
  readonly payload: string;
  readonly retain: boolean;
  /** After so many seconds the broker forgets it (MQTT 5); null: never. */
  readonly expiry: number | null;
}

/** What a broker says by itself. */
export interface BrokerEars {
  message(message: Incoming): void;
  /** The connection is over, for the reason in words. Said once, and nothing after it. */
  closed(detail: string): void;
}

/** A connection that the broker has accepted. */
export interface BrokerConnection {
  /** How many publications the broker takes before it has acknowledged the first. */
  readonly inFlightMax: number;
  /** Resolves when the broker has acknowledged it (QoS 1); with words when it has refused it. */
  publish(publication: Publication): Promise<string | null>;
  /** Wants the publisher's own retain flag on every message, also on live ones. Resolves with words when it is refused. */
  subscribe(filters: readonly string[]): Promise<string | null>;
  /** Says goodbye without the last will. */
  close(): Promise<void>;
  /** Ends it without a word. */
  drop(): void;
}

/** A broker of `notify.mqtt`. `connect` rejects with words for a log when there is no connection. */
export interface Broker {
  readonly name: string;
  readonly settings: MqttConfig;
  connect(will: Publication, ears: BrokerEars, signal: AbortSignal): Promise<BrokerConnection>;
}

/** What came of one heartbeat, before anything of it is believed. */
export type EdgeReply =
  | {
      readonly kind: "answered";
      readonly status: number;
      /** Null: larger than the edge may answer. */
      readonly body: string | null;
      /** The Date header, by which a refused house can tell that its clock is the reason. */
      readonly date: string | null;
      readonly retryAfter: Millis | null;
    }
  | { readonly kind: "failed"; readonly detail: string };

/** The way to the edge verifier, with the secrets of `edge`. Everything that comes back over it may be a lie. */
export interface EdgePort {
  readonly settings: EdgeConfig;
  readonly hmac: Hmac;
  readonly digest: (text: string) => string;
  /** The site's keys, the newest first; none: the file has become bad. */
  readonly keys: () => readonly string[];
  /** Each person's own keys. */
  readonly healKeys: () => readonly { readonly name: string; readonly secrets: readonly string[] }[];
  /** Posts one heartbeat. Never throws for what the edge does; redirects are not followed. */
  readonly send: (headers: SignedHeaders, body: string, signal: AbortSignal) => Promise<EdgeReply>;
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
  /** Where the device in Home Assistant is published. */
  readonly brokers?: readonly Broker[];
  /** Where the edge verifier is; absent where the house has none. */
  readonly edge?: EdgePort;
  /** A fraction of 1, for spreading retries. */
  readonly chance: () => number;
  /** So many random letters and digits, for ids that nobody can guess. */
  readonly randomId: (length: number) => string;
  readonly log: Log;
}
