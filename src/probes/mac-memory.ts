import { FORMER_MACS_MAX, MAC_CHANGES_MAX } from "../core/evidence.ts";
import type { FormerMac, MacChange } from "../core/observation.ts";
import type { WallMillis } from "../core/units.ts";
import type { Clock, FollowNeighbours, MacMemory, NeighbourEvent } from "./port.ts";

/** More than a plan may have; the address that was asked for the longest time ago is forgotten. */
const ADDRESSES_MAX = 512;

interface Known {
  /** The table's MAC as the kernel last told it; null: not told since it is followed. */
  held: string | null;
  /** Each MAC and when it was last seen, the latest at the end. */
  readonly seen: Map<string, WallMillis>;
  /** Newest first. */
  changes: readonly MacChange[];
}

/**
 * Remembers which MACs an address had, in memory alone. What was announced unasked is told by the kernel itself: it turns an entry that it
 * has to another MAC and to STALE on a gratuitous ARP or an unsolicited advertisement, and to REACHABLE on an answer to a question
 * (measured, docs/facts/l2.md). It does not tell of an announcement that changes nothing, or for which it has no entry.
 */
export function createMacMemory(clock: Pick<Clock, "wall">, follow: FollowNeighbours): MacMemory {
  const known = new Map<string, Known>();
  let followed: ReturnType<FollowNeighbours> | undefined;

  function hear(event: NeighbourEvent): void {
    const address = known.get(event.address);
    if (address === undefined || event.mac === null) return;
    const now = clock.wall();
    const { held } = address;
    if (held !== null && held !== event.mac) {
      saw(address.seen, held, now);
      if (event.state === "STALE") {
        const change = { at: new Date(now).toISOString(), from: held, to: event.mac };
        address.changes = [change, ...address.changes].slice(0, MAC_CHANGES_MAX);
      }
    }
    saw(address.seen, event.mac, now);
    address.held = event.mac;
  }

  /** Between two starts nothing was heard: whatever changed then is no change that was seen. */
  function forgetHeld(): void {
    for (const address of known.values()) address.held = null;
  }

  return {
    recall(address, table, answers) {
      followed ??= follow(hear, forgetHeld);
      const entry = known.get(address) ?? { held: null, seen: new Map(), changes: [] };
      known.delete(address);
      known.set(address, entry);
      if (known.size > ADDRESSES_MAX) known.delete(known.keys().next().value!);
      const now = clock.wall();
      const current = new Set(table === null ? answers : [table, ...answers]);
      for (const mac of current) saw(entry.seen, mac, now);
      entry.held ??= table;
      return {
        former_macs: former(entry.seen, current),
        mac_changes: followed?.isRunning() === true ? entry.changes : null,
      };
    },
  };
}

function saw(seen: Map<string, WallMillis>, mac: string, now: WallMillis): void {
  seen.delete(mac);
  seen.set(mac, now);
  // One more than is told for each that may be in use: those are not former.
  if (seen.size > 3 * FORMER_MACS_MAX) seen.delete(seen.keys().next().value!);
}

function former(seen: ReadonlyMap<string, WallMillis>, current: ReadonlySet<string>): readonly FormerMac[] {
  return [...seen]
    .filter(([mac]) => !current.has(mac))
    .reverse()
    .slice(0, FORMER_MACS_MAX)
    .map(([mac, at]) => ({ mac, seen_at: new Date(at).toISOString() }));
}
