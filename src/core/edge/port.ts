import type { Millis, WallMillis } from "../units.ts";
import type { FleetList, FleetRow } from "./fleet.ts";
import type {
  HealEnvelope,
  HealResult,
  HeartbeatAnswer,
  OutsideObservation,
  SiteSettings,
  StatusMirror,
} from "./wire.ts";

/**
 * What the edge's hooks ask of one site and of the fleet. On Workers each is a Durable Object and a call is an RPC, so everything
 * here is plain data; on Node they are objects of the same process.
 */

/** A signed request as it came: nothing of it is believed yet. */
export interface SignedText {
  readonly id: string;
  readonly timestamp: string;
  readonly signature: string;
  readonly body: string;
  /** The edge's own URL as the sender dialled it, for links in alerts. Counts only once the signature holds. */
  readonly origin: string;
}

/** One mistake in a body; `path` is a JSON Pointer. */
export interface Mistake {
  readonly path: string;
  readonly message: string;
}

export type HeartbeatOutcome =
  | { readonly kind: "accepted" | "duplicate"; readonly answer: HeartbeatAnswer }
  /** Unknown site, removed site, wrong key, wrong time: one answer for all of them; the reason is for the log. */
  | { readonly kind: "refused"; readonly reason: string }
  | { readonly kind: "foreign"; readonly detail: string }
  | { readonly kind: "invalid"; readonly mistakes: readonly Mistake[] }
  | { readonly kind: "conflict"; readonly detail: string }
  | { readonly kind: "slow"; readonly waitMs: Millis };

/** GET /v1/sites/{site}/heals/{id}. */
export interface RelayedHeal {
  readonly id: string;
  readonly state: "waiting" | "fetched" | "answered" | "expired";
  readonly requested_at: string;
  readonly expires_at: string;
  readonly result: HealResult | null;
  readonly url: string;
}

export type AskOutcome =
  | { readonly kind: "queued" | "duplicate"; readonly heal: RelayedHeal }
  | { readonly kind: "unknown" }
  | { readonly kind: "conflict" }
  | { readonly kind: "full"; readonly waitMs: Millis };

/** One event that the edge told, or tries to tell. */
export interface ShownDelivery {
  readonly id: string;
  readonly receiver: string;
  readonly event: string;
  readonly state: string;
  readonly tries: number;
  readonly last_status: number | null;
  readonly last_error: string | null;
  readonly created_at: string;
}

export interface ShownEvent {
  readonly event: string;
  readonly title: string;
  readonly message: string;
  readonly timestamp: string;
}

/** GET /v1/sites/{site}/status. */
export interface SiteStatus extends FleetRow {
  readonly last_seen: string | null;
  readonly dark_at: string | null;
  readonly silence_ms: Millis;
  readonly every_ms: Millis;
  /** What the house said last; of a dark house it is old. */
  readonly house: StatusMirror | null;
  readonly outside: readonly OutsideObservation[];
  readonly heals: readonly RelayedHeal[];
  readonly events: readonly ShownEvent[];
  readonly deliveries: readonly ShownDelivery[];
  readonly receivers: readonly { readonly kind: string; readonly disabled: string | null }[];
}

export interface SitePort {
  heartbeat(signed: SignedText): Promise<HeartbeatOutcome>;
  askHeal(envelope: HealEnvelope): Promise<AskOutcome>;
  heal(id: string): Promise<RelayedHeal | null>;
  status(): Promise<SiteStatus | null>;
  /** Whether this token is one of the site's own; false for an unknown site too. */
  isToken(token: string): Promise<boolean>;
  put(site: string, settings: SiteSettings): Promise<"added" | "changed">;
  /** Forgets everything of this site. False when there was nothing. */
  remove(): Promise<boolean>;
  /** Queues a `test` for every receiver; how many there are, null for an unknown site. */
  test(): Promise<number | null>;
  tick(): Promise<void>;
}

export interface FleetPort {
  put(row: FleetRow): Promise<void>;
  remove(site: string): Promise<void>;
  list(search: string, limit: number): Promise<FleetList>;
  /** The sites whose turn it is in the sweep of this minute. */
  turn(now: WallMillis, limit: number): Promise<readonly string[]>;
}
