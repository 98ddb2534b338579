import type { LinkConfig } from "../core/config/schema.ts";
import type { FdbFacts, GuestFacts, PersistenceFacts } from "../core/facts.ts";
import type { Millis } from "../core/units.ts";

/** What changes by the hand of a person alone: it is looked at seldom. */
export const SURROUNDINGS_AGE: Millis = 30_000;

/** What stands around a link: the bridge's table, the guests, and what makes the link at boot. Null: it could not be read. */
export interface Surroundings {
  readonly fdb: readonly FdbFacts[] | null;
  readonly guests: readonly GuestFacts[] | null;
  readonly persistence: PersistenceFacts | null;
}

/** Never rejects. */
export type LookAround = (link: LinkConfig) => Promise<Surroundings>;
