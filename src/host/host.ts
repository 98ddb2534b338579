import type { GuardFact, HostFacts } from "../core/facts.ts";
import type { HubInstance } from "../core/repair.ts";
import type { Millis } from "../core/units.ts";
import { type Cluster, createCluster } from "./cluster.ts";
import { buildFacts, digest, isListening, WAIT_MAX } from "./facts.ts";
import { appendFact, createGuard, type Guard } from "./guard.ts";
import { type Journal, openJournal } from "./journal.ts";
import { createKeeper, type Keeper } from "./keeper.ts";
import { createLease } from "./lease.ts";
import { type Ledger, openLedger } from "./ledger.ts";
import { followPause } from "./pause.ts";
import type { HostPorts, HostSetup, LinkEvent, LinkRow, Neighbour } from "./port.ts";
import { recover } from "./recovery.ts";
import { createRepairs, type Repairs } from "./repairs.ts";
import { SURROUNDINGS_AGE, type Surroundings } from "./surroundings.ts";

/** The cheap facts: pause file, sysctls, packet sockets. */
const TICK: Millis = 1_000;
/** The whole table of links is read again although no event came: an event may be lost. */
const TABLE_AGE: Millis = 5_000;
const CLUSTER_AGE: Millis = 5_000;
/**
 * A link that is being deleted is first told to be down, and some milliseconds later to be gone. Starting a program to look at it in
 * between would hold up the very event that matters.
 */
const LOOK_AFTER: Millis = 15;
/** Ledger time is written down so often that a restart forgets little of it. */
const LEDGER_AGE: Millis = 600_000;
const WAITERS_MAX = 32;

/** The host: guard, repairs and facts over one journal. */
export interface Host {
  /** Finishes what a crash left, then begins to guard. */
  readonly start: () => Promise<void>;
  readonly stop: () => Promise<void>;
  /** Lines of the kernel, in the batch in which they were read. */
  readonly hear: (events: readonly LinkEvent[]) => void;
  /** Wants a fresh table: the source of events began anew. */
  readonly refresh: () => void;
  readonly repairs: Repairs;
  readonly links: readonly string[];
  /** The facts of a link (the first without a name) once their revision is above `after`, or after `wait` ms. Null: no such link. */
  readonly facts: (
    link: string | null,
    after: number | null,
    wait: Millis,
    signal: AbortSignal | null,
  ) => Promise<HostFacts | null>;
  /** A hub asked something: it keeps the lease that it has. */
  readonly heard: (hub: HubInstance) => void;
  /** Closes an open breaker; the caller has been authenticated (I12). False: the journal did not take it. */
  readonly resetBreaker: () => boolean;
}

export function createHost(setup: HostSetup, ports: HostPorts): Host {
  const journal: Journal = openJournal(ports.disk);
  const ledger: Ledger = openLedger(journal, ports.clock.mono, ports.clock.wall);
  const lease = createLease(ledger, ports.clock.mono);
  const pause = followPause(ports.pause, ports.clock);
  const keepers = setup.links.map((guarded) => createKeeper(guarded, ports, ledger, () => void look()));
  const cluster: Cluster | null =
    ports.kubernetes === null || setup.speaker === null
      ? null
      : createCluster(ports.kubernetes, setup.speaker, setup.links, ports.clock);

  let table: readonly LinkRow[] | null = null;
  let tableMono = Number.NEGATIVE_INFINITY;
  let looking = false;
  let lookAgain = false;
  let wanted: Millis | null = null;
  let guardLog: readonly GuardFact[] = [];
  let count = 0;
  let revision = 1;
  let drops: number | null = null;
  let ticked: Millis = 0;
  let stopped = false;
  let cancelTick = () => {};
  let cancelLook = () => {};
  const neighbours = new Map<string, readonly Neighbour[] | null>();
  const surroundings = new Map<string, Surroundings>();
  const digests = new Map<string, string>();
  let waiters: (() => void)[] = [];

  const changed = () => {
    let isNews = false;
    for (const keeper of keepers) {
      const now = digest(factsOf(keeper), drops);
      if (digests.get(keeper.declared.name) !== now) isNews = true;
      digests.set(keeper.declared.name, now);
    }
    drops = ports.links.reversePathDrops();
    if (!isNews) return;
    revision++;
    const ready = waiters;
    waiters = [];
    for (const wake of ready) wake();
  };

  const guards = new Map<string, Guard>();
  for (const keeper of keepers) {
    const nextId = () => `guard-${ports.bootId}-${++count}`;
    const tell = (fact: GuardFact) => {
      guardLog = appendFact(guardLog, fact);
      changed();
    };
    const wantLook = () => void look();
    guards.set(
      keeper.declared.name,
      createGuard({ keeper, ports, journal, ledger, enabled: setup.guard, pause, nextId, tell, wantLook }),
    );
  }

  const factsOf = (keeper: Keeper): Omit<HostFacts, "revision"> =>
    buildFacts({
      ports,
      setup,
      keeper,
      table,
      neighbours: neighbours.get(keeper.declared.parent) ?? null,
      listening: isListening(keeper, ports.links.arpSockets()),
      cluster: cluster?.sight() ?? null,
      surroundings: surroundings.get(keeper.declared.name) ?? null,
      ledger,
      journal,
      pause: pause(),
      guardLog,
      guardStopped: guards.get(keeper.declared.name)?.isStopped() ?? false,
      inFlight: repairs.inFlight(),
    });

  const consider = (keeper: Keeper, atMono: Millis) =>
    void guards.get(keeper.declared.name)?.consider(keeper.judgement(), atMono);

  /** Reads the table of links; a second wish while one is being read leads to one more reading. */
  const look = async (): Promise<void> => {
    if (stopped) return;
    if (looking) {
      lookAgain = true;
      return;
    }
    looking = true;
    const atMono = wanted ?? ports.clock.mono();
    wanted = null;
    const versions = keepers.map((keeper) => keeper.version());
    table = await ports.links.table();
    tableMono = ports.clock.mono();
    looking = false;
    for (const [index, keeper] of keepers.entries()) {
      // Whoever holds the lock looks for himself, and a table from before a change would show a link that is gone, or miss one.
      if (keeper.isLocked()) continue;
      if (keeper.version() !== versions[index]) lookAgain = true;
      else {
        keeper.take(table);
        consider(keeper, atMono);
      }
    }
    changed();
    if (lookAgain) {
      lookAgain = false;
      void look();
    }
  };

  const repairs = createRepairs({ ports, setup, journal, ledger, lease, keepers, cluster, pause, changed });

  const tick = () => {
    if (stopped) return;
    cancelTick = ports.clock.after(TICK, tick);
    ticked++;
    if (ports.clock.mono() - tableMono >= TABLE_AGE) void look();
    for (const keeper of keepers) {
      // A table that is being read will be weighed when it is there; until then what is known may be from before a repair.
      if (keeper.isLocked() || looking) continue;
      keeper.takeSysctls();
      consider(keeper, ports.clock.mono());
    }
    if (ticked % (TABLE_AGE / TICK) === 1)
      for (const keeper of keepers)
        void ports.links
          .neighbours(keeper.declared.parent)
          .then((found) => neighbours.set(keeper.declared.parent, found));
    if (ticked % (SURROUNDINGS_AGE / TICK) === 1)
      for (const { declared } of keepers)
        void ports.lookAround?.(declared).then((found) => surroundings.set(declared.name, found));
    if (cluster !== null) void cluster.refresh(CLUSTER_AGE - TICK / 2).then(changed);
    if (ticked % (LEDGER_AGE / TICK) === 0) {
      ledger.write({ kind: "tick" });
      if (repairs.inFlight() === null) ledger.compact();
    }
    changed();
  };

  return {
    start: async () => {
      if (journal.torn)
        ports.log("warn", { event: "journal" }, "the last line of the journal was torn by a crash and is skipped");
      if (journal.health() === "unreadable")
        ports.log(
          "error",
          { event: "journal", detail: journal.detail() },
          "the journal is unreadable: nothing is healed until it is moved away by a person",
        );
      ledger.compact();
      ledger.write({
        kind: "open",
        boot: ports.bootId,
        macs: Object.fromEntries(setup.links.map(({ link }) => [link.name, link.mac])),
      });
      if (journal.health() !== "unreadable") await recover(ledger, keepers, ports);
      await look();
      tick();
    },
    stop: async () => {
      stopped = true;
      cancelTick();
      cancelLook();
      for (const wake of waiters) wake();
    },
    hear: (events) => {
      const deletedAt = new Map<string, Millis>();
      for (const event of events) {
        for (const keeper of keepers) keeper.hear(event);
        if (event.deleted) deletedAt.set(event.name, event.atMono);
        else deletedAt.delete(event.name);
      }
      for (const keeper of keepers)
        if (deletedAt.has(keeper.declared.name) && !keeper.isLocked())
          consider(keeper, deletedAt.get(keeper.declared.name)!);
      for (const event of events) {
        const isOurs = keepers.some((keeper) => keeper.declared.name === event.name);
        if (isOurs)
          ports.log(
            "info",
            {
              event: "link_event",
              link: event.name,
              change: event.deleted ? "deleted" : event.up ? "up" : "down",
              ifindex: event.ifindex,
              mac: event.mac,
            },
            `${event.name} ${event.deleted ? "deleted" : "changed"}`,
          );
      }
      wanted ??= events[0]?.atMono ?? null;
      cancelLook();
      cancelLook = ports.clock.after(LOOK_AFTER, () => void look());
    },
    refresh: () => void look(),
    repairs,
    links: keepers.map((keeper) => keeper.declared.name),
    facts: async (link, after, wait, signal) => {
      const keeper = link === null ? keepers[0] : keepers.find((candidate) => candidate.declared.name === link);
      if (keeper === undefined) return null;
      // A greater revision is from another life of this process: its listener has missed everything.
      if (after === revision && waiters.length < WAITERS_MAX) await news(Math.min(wait, WAIT_MAX), signal);
      return { ...factsOf(keeper), revision };
    },
    heard: lease.heard,
    resetBreaker: () => {
      const done = !ledger.breaker().open || ledger.write({ kind: "breaker", open: false, why: null });
      changed();
      return done;
    },
  };

  function news(wait: Millis, signal: AbortSignal | null): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        cancel();
        waiters = waiters.filter((waiter) => waiter !== end);
        signal?.removeEventListener("abort", end);
        resolve();
      };
      const cancel = ports.clock.after(wait, end);
      signal?.addEventListener("abort", end, { once: true });
      waiters.push(end);
    });
  }
}
