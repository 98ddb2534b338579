import type { Attempt } from "../core/delivery.ts";
import type { EventKind, HairpinEvent } from "../core/event.ts";

/** One request on its way out. */
export interface Outgoing {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
}

/** Sends one request; what a receiver does is an Attempt and never an exception. Redirects are not followed. */
export type Send = (request: Outgoing, signal: AbortSignal) => Promise<Attempt>;

export interface Message {
  readonly id: string;
  readonly event: HairpinEvent;
  readonly wallSeconds: number;
}

export interface Receiver {
  readonly name: string;
  readonly events: readonly EventKind[] | null;
  readonly confirms: boolean;
  deliver(message: Message, signal: AbortSignal): Promise<Attempt>;
}
