import { recordObservation } from "../core/history.ts";
import type { ObserveAnswer, Observed } from "../core/hub-asks.ts";
import type { Observation } from "../core/observation.ts";
import { isStoreError, type Loop } from "./hub-loop.ts";
import type { HubStore } from "./store.ts";

/** Boots of a vantage that are remembered as superseded. */
const BOOTS_MAX = 16;

/**
 * Takes observations in. (boot_id, seq) grows strictly per vantage, so nothing is taken twice; a start that a later one has
 * superseded is over, or a copy of it could speak for ever. What is accepted is stored with the state that follows from it.
 */
export function createIntake(store: HubStore, loop: Loop, takeRounds: (vantage: string) => number) {
  const latest = new Map<string, Observation>();

  function observe({ observation, webhookId, digest, ageMs }: Observed): ObserveAnswer {
    const { vantage, boot_id, seq } = observation;
    const known = store.receipt(vantage, webhookId);
    if (known === digest) return { kind: "duplicate", rounds: takeRounds(vantage) };
    if (known !== null) return { kind: "conflict", detail: "this webhook-id came with another body" };
    const mark = store.mark(vantage);
    if (mark?.superseded.includes(boot_id))
      return { kind: "conflict", detail: "a later start of this vantage has been heard: this boot_id is over" };
    if (mark?.boot_id === boot_id && seq <= mark.seq)
      return { kind: "conflict", detail: `seq ${mark.seq} has been heard: ${seq} is not new` };
    const isNewBoot = mark !== null && mark.boot_id !== boot_id;
    const superseded = isNewBoot ? [...mark.superseded, mark.boot_id].slice(-BOOTS_MAX) : (mark?.superseded ?? []);
    const body = JSON.stringify(observation);
    try {
      loop.advance(
        { view: (seen, now) => recordObservation(seen, observation, now.mono, ageMs) },
        {
          write(_, now) {
            store.setMark(vantage, { boot_id, seq, superseded }, body);
            store.addReceipt(vantage, webhookId, digest, now.mono);
            store.addObservation(vantage, now.mono, body);
          },
        },
      );
    } catch (error) {
      if (!isStoreError(error)) throw error;
      return { kind: "unavailable", detail: error.message };
    }
    latest.set(vantage, observation);
    return { kind: "accepted", rounds: takeRounds(vantage) };
  }

  return { observe, latest: latest as ReadonlyMap<string, Observation> };
}
