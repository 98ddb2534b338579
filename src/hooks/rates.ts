import type { Millis } from "../core/units.ts";

/** A token bucket per key: `burst` at once, `perSecond` in the long run. */
export interface Rate {
  readonly burst: number;
  readonly perSecond: number;
}

/** Keys remembered at once; the one unused for longest goes first, and by then its bucket is full again. */
const KEYS_MAX = 1_024;

export interface Buckets {
  /** Milliseconds to wait, or 0 when the request may pass. */
  take(key: string): Millis;
}

export function createBuckets(rate: Rate, mono: () => Millis): Buckets {
  const buckets = new Map<string, { left: number; at: Millis }>();
  return {
    take(key) {
      const now = mono();
      const before = buckets.get(key) ?? { left: rate.burst, at: now };
      const left = Math.min(rate.burst, before.left + ((now - before.at) / 1_000) * rate.perSecond);
      const passes = left >= 1;
      buckets.delete(key);
      buckets.set(key, { left: passes ? left - 1 : left, at: now });
      if (buckets.size > KEYS_MAX) buckets.delete(buckets.keys().next().value!);
      return passes ? 0 : Math.max(1, ((1 - left) / rate.perSecond) * 1_000);
    },
  };
}
