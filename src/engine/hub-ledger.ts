import type { Instant, Millis } from "../core/units.ts";
import type { Clock } from "./hub-ports.ts";
import type { HubStore } from "./store.ts";

/**
 * Ledger time: the monotonic time that hubs of this store have really seen pass. It neither leaps with the wall clock nor grows
 * while the machine is off, so that budgets and cool-downs are not refilled by either (I1, I26).
 */
export interface Ledger {
  now(): Instant;
  /** Writes the sum; to be called inside a transaction. At most what passed since is lost in a crash, which refills nothing. */
  save(now: Instant): void;
  savedAgo(now: Instant): Millis;
}

export function createLedger(store: HubStore, clock: Clock): Ledger {
  const before = store.meta<number>("ledger") ?? 0;
  const started = clock.mono();
  let saved = before;
  return {
    now: () => ({ mono: before + Math.max(0, clock.mono() - started), wall: clock.wall() }),
    save(now) {
      store.setMeta("ledger", now.mono);
      saved = now.mono;
    },
    savedAgo: (now) => now.mono - saved,
  };
}
