import type { Millis } from "../core/units.ts";

/** A signature is good for 300 s before and after its time (Standard Webhooks), by a clock that may be ahead. */
const LIVES: Millis = 600_000;
/** More than the rate of one caller lets through in that time. */
const IDS_MAX = 4_096;

export interface SignedIds {
  /** Whether this id was first heard at this place, and at no other. */
  isFor(token: string, id: string, place: string): boolean;
}

/**
 * The place at which each signed id was first heard. A signature covers no path, so that a recorded request for a heal could be
 * played at the breaker: an id that was heard once is worthless anywhere else.
 */
export function createSignedIds(mono: () => Millis): SignedIds {
  const heard = new Map<string, { readonly place: string; readonly until: Millis }>();
  return {
    isFor(token, id, place) {
      const now = mono();
      for (const [key, { until }] of heard) {
        if (until >= now && heard.size < IDS_MAX) break;
        heard.delete(key);
      }
      const key = `${token} ${id}`;
      const before = heard.get(key);
      if (before !== undefined) return before.place === place;
      heard.set(key, { place, until: now + LIVES });
      return true;
    },
  };
}
