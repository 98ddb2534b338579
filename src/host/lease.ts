import type { HubInstance, RepairRequest } from "../core/repair.ts";
import { MINUTE, type Millis, SECOND } from "../core/units.ts";
import type { Refused } from "./gates.ts";
import type { Ledger } from "./ledger.ts";

/** A hub that was obeyed and has not been heard for so long has lost this host to another one. It asks for facts every 5 s. */
export const HUB_LEASE: Millis = MINUTE;
/** The same for a process of one and the same hub: a restarted hub goes on soon, a copy that runs beside it does not. */
export const PROCESS_LEASE: Millis = 10 * SECOND;
const HEARD_MAX = 16;

/**
 * Which hub this host obeys: one at a time. Whoever was obeyed last keeps the host for as long as it is heard, so that of two armed
 * hubs only one heals (fault 41). The holder is read from the journal: a crash of the host does not hand it to somebody else.
 */
export interface Lease {
  readonly heard: (hub: HubInstance) => void;
  /** Why this request may not run here now; null: its sender holds the lease, or may take it. */
  readonly closed: (request: RepairRequest) => Refused | null;
}

export function createLease(ledger: Ledger, mono: () => Millis): Lease {
  const startedMono = mono();
  /** By instance, the most recently heard last. */
  const heardMono = new Map<string, Millis>();
  const since = (isMine: (hub: HubInstance) => boolean): Millis => {
    let last = startedMono;
    for (const [hub, at] of heardMono) if (isMine(hub)) last = Math.max(last, at);
    return mono() - last;
  };
  const heard = (hub: HubInstance) => {
    heardMono.delete(hub);
    heardMono.set(hub, mono());
    while (heardMono.size > HEARD_MAX) heardMono.delete(heardMono.keys().next().value!);
  };

  return {
    heard,
    closed(request) {
      const holder = ledger.holder();
      const { hub } = request;
      // Who does not name itself is taken for the holder: its epoch and this host's budget bound it.
      if (hub === undefined) return null;
      if (holder === null || holder === hub) return null;
      const isSameHub = nameOf(holder) === nameOf(hub);
      // A person may ask the copy that answers; nothing runs twice within one hub's epochs.
      if (isSameHub && request.manual) return null;
      const silent = since((known) => (isSameHub ? known === holder : nameOf(known) === nameOf(holder)));
      const left = (isSameHub ? PROCESS_LEASE : HUB_LEASE) - silent;
      if (left <= 0) return null;
      const who = isSameHub ? `another process of hub ${nameOf(hub)}` : `hub ${nameOf(holder)}`;
      const detail = `${who} holds this host's lease and was heard ${Math.round(silent / SECOND)} s ago: stop one of the two`;
      return { refusal: "other_hub", detail, retryAfter: left };
    },
  };
}

/** The hub without its process: the identity of its store. */
export function nameOf(hub: HubInstance): string {
  return hub.slice(0, hub.indexOf("."));
}
