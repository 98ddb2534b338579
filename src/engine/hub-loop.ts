import { largestGap } from "../core/cron.ts";
import { policyOf } from "../core/decision.ts";
import type { HairpinEvent } from "../core/event.ts";
import { emptyView, type SiteView } from "../core/history.ts";
import type { RepairReport } from "../core/repair.ts";
import { type Instant, type Millis, SECOND } from "../core/units.ts";
import { initialWatch, type WatchState } from "../core/vantage-watch.ts";
import type { Ledger } from "./hub-ledger.ts";
import type { HubPorts } from "./hub-ports.ts";
import { eventOf, healRecordOf, type IncidentRecord, incidentRecordOf } from "./hub-records.ts";
import { type Change, mustSave, type Seat, type Stepped, seatsOf, step } from "./hub-state.ts";

/** The key of what a person switched at run time; the file cannot say it. */
const DISARMED = "disarmed";
const LEDGER_EVERY: Millis = 5 * SECOND;
/** Reports and askers that are remembered besides the store: those of repairs that may still move. */
const REMEMBERED_MAX = 64;

export const isStoreError = (error: unknown): error is Error => error instanceof Error && error.name === "StoreError";

/** What goes with a change: the watch's new state, and further rows for the same transaction. */
export interface Along {
  readonly watch?: WatchState;
  readonly write?: (stepped: Stepped, now: Instant) => void;
}

export interface LoopHooks {
  /** Queues an event for its subscribers, inside the transaction. */
  readonly enqueue: (event: HairpinEvent) => void;
  /** Runs after the commit: what was saved is what is. */
  readonly committed: (before: readonly Seat[], stepped: Stepped, events: readonly HairpinEvent[]) => void;
}

export type Loop = ReturnType<typeof createLoop>;

/**
 * The one loop. Every input is taken in by `advance`: view, assessment, decision, then state, events and outbox rows in one
 * transaction, and only then the effects. It runs to its end without waiting, so there is one writer and nothing to lock; what
 * the world answers later comes in as a further input.
 */
export function createLoop(ports: HubPorts, ledger: Ledger, hooks: LoopHooks) {
  const { house, store, log } = ports;
  const reports = new Map<string, RepairReport>();
  const askers = new Map<string, { readonly by: string; readonly reason: string | null }>();
  const started = ledger.now();
  const statusUrl = house.hub.url === undefined ? null : `${house.hub.url.replace(/\/+$/, "")}/`;
  let view: SiteView = emptyView(house, largestGap(house.schedule), started.mono);
  let disarmed = store.meta<boolean>(DISARMED) ?? false;
  let seats: readonly Seat[] = seatsOf(house, view, store.groups(), started, disarmed);
  let watch: WatchState = store.meta<WatchState>("watch") ?? initialWatch();
  let nextSeq = store.lastEventSeq() + 1;
  let storeProblem: string | null = null;
  let stopped = false;

  /** Takes one change in. Throws StoreError, with nothing changed, when it could not be made durable. */
  function advance(change: Change, along: Along = {}): Stepped {
    const now = ledger.now();
    const before = seats;
    const stepped = step(house, view, seats, change, now);
    const changed = stepped.seats.filter((seat, index) => mustSave(seats[index]!.state, seat.state));
    const happened = changed.length + stepped.effects.length + stepped.drafts.length > 0;
    const events: HairpinEvent[] = stepped.drafts.map(({ group, draft }, index) =>
      eventOf(draft, group, nextSeq + index, ports.randomId(8), house.site, statusUrl, now),
    );
    if (happened || along.write !== undefined || along.watch !== undefined || ledger.savedAgo(now) >= LEDGER_EVERY)
      durable(() => save(stepped, changed, events, along, now));
    ({ view, seats } = stepped);
    watch = along.watch ?? watch;
    nextSeq += events.length;
    hooks.committed(before, stepped, events);
    return stepped;
  }

  /** Runs a transaction, and remembers whether the store is well. */
  function durable(work: () => void): void {
    try {
      store.transaction(work);
      if (storeProblem !== null) log("info", {}, "the store takes writes again");
      storeProblem = null;
    } catch (error) {
      if (!isStoreError(error)) throw error;
      if (storeProblem === null)
        log("error", { error: error.message }, "the store takes no writes: nothing is acknowledged, nothing starts");
      storeProblem = error.message;
      throw error;
    }
  }

  function save(
    stepped: Stepped,
    changed: readonly Seat[],
    events: readonly HairpinEvent[],
    along: Along,
    now: Instant,
  ): void {
    along.write?.(stepped, now);
    for (const seat of changed) saveSeat(seat, now);
    for (const event of events) {
      store.addEvent(event);
      hooks.enqueue(event);
    }
    if (along.watch !== undefined) store.setMeta("watch", along.watch);
    ledger.save(now);
  }

  function saveSeat(seat: Seat, now: Instant): void {
    const before = seats.find((known) => known.group.name === seat.group.name)!.state;
    store.setGroup(seat.state);
    const report = reports.get(seat.state.flight?.request.id ?? before.flight?.request.id ?? "") ?? null;
    const heal = healRecordOf(before, seat.state, seat.assessment, store.heal, report, now);
    if (heal !== null) store.setHeal({ ...heal, ...askers.get(heal.id) }, now.mono);
    const known = store.incident(seat.state.incident?.id ?? before.incident?.id ?? "") as IncidentRecord | null;
    const incident = incidentRecordOf(before, seat.state, seat.assessment, known, now);
    if (incident !== null) store.setIncident(incident.id, now.mono, incident);
  }

  return {
    advance,
    durable,
    view: () => view,
    seats: () => seats,
    watch: () => watch,
    nextSeq: () => nextSeq,
    storeProblem: () => storeProblem,
    report: (id: string) => reports.get(id) ?? null,
    remember(report: RepairReport): void {
      reports.set(report.id, report);
      if (reports.size > REMEMBERED_MAX) reports.delete(reports.keys().next().value!);
    },
    rememberAsker(id: string, by: string, reason: string | null): void {
      askers.set(id, { by, reason });
      if (askers.size > REMEMBERED_MAX) askers.delete(askers.keys().next().value!);
    },
    /** For inputs that nobody waits for: a store that takes no writes has been told, and the next tick tries again. */
    quietly(run: () => void): void {
      try {
        if (!stopped) run();
      } catch (error) {
        if (!isStoreError(error)) throw error;
      }
    },
    isDisarmed: () => disarmed,
    /** Holds automatic repairs, across restarts, or no longer. It never arms what the file does not. */
    disarm(wanted: boolean): void {
      if (wanted === disarmed) return;
      durable(() => store.setMeta(DISARMED, wanted));
      disarmed = wanted;
      seats = seats.map((seat) => ({ ...seat, policy: policyOf(house, seat.group, wanted) }));
    },
    stop(): void {
      stopped = true;
    },
  };
}
