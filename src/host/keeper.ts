import type { LinkConfig } from "../core/config/schema.ts";
import type { Millis } from "../core/units.ts";
import type { Ledger } from "./ledger.ts";
import { type Judgement, judge, type LinkTools, type Sight, sightOf, sysctlsOf } from "./link.ts";
import type { GuardedLink, HostPorts, LinkEvent, LinkRow } from "./port.ts";

/** MetalLB's speaker looks at the links every 10 s (facts/l2): before that, a missing socket on a new link says nothing. */
const SPEAKER_SCAN: Millis = 11_000;
/** Nobody waits longer than this for a link that was asked for and never came. */
const APPEAR_MAX: Millis = 10_000;

/** What is known of one link, and the lock under which it is changed. */
export interface Keeper {
  readonly declared: LinkConfig;
  readonly guarded: GuardedLink;
  readonly tools: LinkTools;
  readonly sight: () => Sight | null;
  readonly judgement: () => Judgement;
  /** Since when, monotonic, the link has had this ifindex and been up. */
  readonly isScanned: () => boolean;
  readonly isLocked: () => boolean;
  /** Runs alone among everything that changes this link. */
  readonly locked: <T>(work: () => Promise<T>) => Promise<T>;
  /** Grows with each change made or heard of: a table that was asked for before it is out of date. */
  readonly version: () => number;
  /** Takes a fresh table of links; records a MAC that is not the declared one. */
  readonly take: (table: readonly LinkRow[] | null) => void;
  /** Reads the sysctls again, which no link event tells of. */
  readonly takeSysctls: () => void;
  /** The kernel said something of this link. */
  readonly hear: (event: LinkEvent) => void;
  /** Asks the kernel now. */
  readonly look: () => Promise<Judgement>;
}

export function createKeeper(guarded: GuardedLink, ports: HostPorts, ledger: Ledger, released: () => void): Keeper {
  const declared = guarded.link;
  let sight: Sight | null = null;
  let tail: Promise<unknown> = Promise.resolve();
  let holders = 0;
  let version = 0;
  let since = { ifindex: -1, up: false, mono: 0 };
  let waiting: (() => void)[] = [];

  const note = (ifindex: number, up: boolean) => {
    if (since.ifindex !== ifindex || since.up !== up) since = { ifindex, up, mono: ports.clock.mono() };
  };
  const take = (table: readonly LinkRow[] | null) => {
    sight = table === null ? null : sightOf(declared, table, ports.links);
    const row = sight?.row ?? null;
    if (row === null) return;
    note(row.ifindex, row.up);
    if (row.kind === "macvlan" && row.mac !== null) recordMac(row.mac);
  };
  const recordMac = (mac: string) => {
    if (mac === declared.mac || ledger.formerMacs(declared.name)[0] === mac) return;
    ledger.write({ kind: "mac", link: declared.name, mac });
  };
  const tools: LinkTools = {
    processes: ports.processes,
    links: ports.links,
    appeared: () =>
      new Promise((resolve) => {
        const cancel = ports.clock.after(APPEAR_MAX, resolve);
        waiting.push(() => {
          cancel();
          resolve();
        });
      }),
    wait: (ms) => new Promise((resolve) => void ports.clock.after(ms, resolve)),
  };
  return {
    declared,
    guarded,
    tools,
    sight: () => sight,
    judgement: () => judge(declared, sight),
    isScanned: () => since.up && ports.clock.mono() - since.mono >= SPEAKER_SCAN,
    isLocked: () => holders > 0,
    locked: async (work) => {
      const before = tail;
      let release = () => {};
      tail = new Promise<void>((resolve) => {
        release = resolve;
      });
      holders++;
      version++;
      // An uncontended lock must not cost a turn of the event loop: the guard's latency is the product.
      if (holders > 1) await before;
      try {
        return await work();
      } finally {
        holders--;
        version++;
        release();
        released();
      }
    },
    version: () => version,
    take,
    takeSysctls: () => {
      if (sight?.row) sight = { ...sight, sysctls: sysctlsOf(declared, ports.links) };
    },
    hear: (event) => {
      const concerns = event.name === declared.name || event.name === declared.parent;
      if (concerns && event.deleted) version++;
      if (event.deleted && sight !== null && event.name === declared.parent) sight = { ...sight, parent: null };
      if (event.deleted && sight !== null && event.name === declared.name) sight = { ...sight, row: null };
      if (event.name !== declared.name || event.deleted) return;
      const ready = waiting;
      waiting = [];
      for (const wake of ready) wake();
      if (event.mac !== null && event.parent !== null) recordMac(event.mac);
    },
    look: async () => {
      take(await ports.links.table());
      return judge(declared, sight);
    },
  };
}
