import type { House } from "../core/config/house.ts";
import type { Delivery, SubscriberState } from "../core/delivery.ts";
import type { HairpinEvent } from "../core/event.ts";
import type { HealRecord } from "../core/heal-record.ts";
import type { HealAnswer, HealAsk, ObserveAnswer, Observed } from "../core/hub-asks.ts";
import type { Plan } from "../core/plan.ts";
import type { Hmac } from "../core/standard-webhooks.ts";
import type { Millis, WallMillis } from "../core/units.ts";

/** Who is at the other end, as the runtime sees it; nothing here is taken from headers that a proxy may set. */
export interface Peer {
  /** A unix socket of mode 0660: the file's owner and group have said who may do everything. */
  readonly unix: boolean;
  readonly address: string | null;
  /** Our own end of the connection, "ADDRESS:PORT". */
  readonly local: string | null;
  /** Every Host header as it was sent: a parser keeps one of them, and not everywhere the same one. */
  readonly hosts: readonly string[];
}

export type PlanAnswer =
  | { readonly kind: "changed"; readonly etag: string; readonly plan: Plan }
  | { readonly kind: "same"; readonly rounds: number };

export interface DeliveryList {
  readonly deliveries: readonly Delivery[];
  readonly subscribers: readonly SubscriberState[];
}

/** One metric in the text format of Prometheus. */
export interface Metric {
  readonly name: string;
  readonly help: string;
  readonly type: "gauge" | "counter";
  readonly samples: readonly { readonly labels: Readonly<Record<string, string>>; readonly value: number }[];
}

/** What the hub's engine offers to its hooks. Calls that change something are durable when they return. */
export interface HubPort {
  observe(observed: Observed): ObserveAnswer;
  plan(vantage: string, etag: string | null, waitMs: Millis, signal: AbortSignal): Promise<PlanAnswer>;
  ask(ask: HealAsk): HealAnswer;
  heal(id: string): HealRecord | null;
  status(): unknown;
  explain(incident: string | null): unknown | null;
  events(after: number, limit: number): readonly HairpinEvent[];
  subscribe(listener: (event: HairpinEvent) => void): () => void;
  deliveries(deadOnly: boolean): DeliveryList;
  replay(id: string): "queued" | "unknown" | "pending";
  pause(forMillis: Millis, reason: string | null): void;
  resume(): void;
  resetBreaker(): void;
  acknowledge(deliveryId: string): boolean;
  homeAssistantStarted(): void;
  testNotification(): readonly Delivery[];
  delivery(id: string): Delivery | null;
  metrics(): readonly Metric[];
  readiness(): { readonly ready: boolean; readonly problems: readonly string[] };
}

export interface Token {
  readonly name: string;
  readonly scopes: readonly string[];
  readonly from: readonly string[];
  readonly secret: string;
}

export interface HubDeps {
  readonly house: House;
  readonly version: string;
  readonly hub: HubPort;
  readonly peer: (env: unknown) => Peer;
  readonly tokens: () => readonly Token[];
  /** The vantage's secrets: several while a key is being rotated, none when it was revoked. */
  readonly vantageKeys: (vantage: string) => readonly string[];
  readonly hmac: Hmac;
  /** SHA-256 in hexadecimal. */
  readonly digest: (text: string) => string;
  readonly mono: () => Millis;
  readonly wall: () => WallMillis;
  readonly log: (level: "info" | "warn" | "error", fields: Readonly<Record<string, unknown>>, message: string) => void;
}

export interface Relay {
  readonly vantage: string;
  readonly id: string;
}

/** What a request carries through the app, set by the guards. */
export interface Vars {
  Variables: {
    peer: Peer;
    body: string;
    caller: string;
    /** The `webhook-id` of a request that a token has signed; no other header of it is to be believed. */
    signedId?: string;
    /** Set when a vantage passes on what a person asked for: its name, and the id that it signed. */
    relay?: Relay;
  };
}
