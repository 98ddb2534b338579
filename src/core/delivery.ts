import type { EventKind } from "./event.ts";
import type { Millis } from "./units.ts";

/**
 * Where a delivery stands. `accepted`: the receiver answered 2xx and proof is still to come (Home Assistant answers 200 even for a
 * webhook id that it does not know). `superseded`: a later state of the same target made it untrue before it was sent.
 */
export type DeliveryState = "queued" | "delivered" | "accepted" | "confirmed" | "unconfirmed" | "superseded" | "dead";

/** One event on its way to one subscriber. Plain data: one row of the outbox. */
export interface Delivery {
  readonly id: string;
  readonly subscriber: string;
  readonly event_id: string;
  readonly event_seq: number;
  readonly group: string;
  readonly kind: EventKind;
  readonly target: string;
  readonly state: DeliveryState;
  /** Tries that were made since it was queued or replayed. */
  readonly tries: number;
  /** Times that an accepted `failing` was sent again because nobody confirmed it. */
  readonly repeats: number;
  /** Accepted by a receiver that had confirmed what it got before: until it confirms this too, it may go out again. */
  readonly awaits_proof?: boolean;
  /** Ledger times: when it was queued, and when it may be tried next. */
  readonly queued_mono: Millis;
  readonly due_mono: Millis;
  readonly created_at: string;
  readonly done_at: string | null;
  readonly last_status: number | null;
  readonly last_error: string | null;
}

/** What the hub knows of a subscriber besides its configuration. */
export interface SubscriberState {
  readonly name: string;
  /** Why nothing is sent to it any more (410, or 404 three times); null while it is enabled. */
  readonly disabled: string | null;
  readonly not_found: number;
  /** When it last confirmed something; absent: never. Only Home Assistant's blueprint confirms. */
  readonly confirmed_at?: string;
  /** It confirms what it gets: a delivery that it answers and does not confirm was lost, and goes out again. */
  readonly proven?: boolean;
}

/** What became of one try. */
export type Attempt =
  | { readonly kind: "answered"; readonly status: number; readonly retryAfter: Millis | null }
  | { readonly kind: "failed"; readonly detail: string };
