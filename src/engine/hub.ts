import { largestGap } from "../core/cron.ts";
import type { Delivery } from "../core/delivery.ts";
import type { HairpinEvent } from "../core/event.ts";
import type { HostFacts } from "../core/facts.ts";
import type { AskAnswer, Input } from "../core/group.ts";
import type { HealRecord } from "../core/heal-record.ts";
import { emptyView, recordFacts, recordObservation, type SiteView } from "../core/history.ts";
import type { Observation } from "../core/observation.ts";
import type { RepairReport, Step } from "../core/repair.ts";
import { statusOf } from "../core/status.ts";
import { DAY, type Instant, MINUTE, type Millis, SECOND } from "../core/units.ts";
import { guardEvents, initialWatch, type WatchState, watchVantages } from "../core/vantage-watch.ts";
import { createDeliveries } from "./hub-deliveries.ts";
import { createHosts } from "./hub-hosts.ts";
import { createLedger } from "./hub-ledger.ts";
import { createCounters, metricsOf } from "./hub-metrics.ts";
import type { HubPorts } from "./hub-ports.ts";
import { eventOf, healRecordOf, type IncidentRecord, incidentRecordOf } from "./hub-records.ts";
import { createRounds } from "./hub-rounds.ts";
import { type Change, mustSave, type Seat, type Stepped, seatsOf, step } from "./hub-state.ts";

const TICK: Millis = SECOND;
const LEDGER_EVERY: Millis = 5 * SECOND;
const PRUNE_EVERY: Millis = 10 * MINUTE;
/** Longer than a signature is accepted (300 s): within it a repeat is told from a forgery by its body. */
const RECEIPTS_FOR: Millis = 600 * SECOND;
/** A host that cannot be told of a resume sooner stays paused until its end: a person may have paused it anew since. */
const RESUME_FOR: Millis = 5 * MINUTE;
/** Boots of a vantage that are remembered as superseded. */
const BOOTS_MAX = 16;

export interface Observed {
  readonly observation: Observation;
  readonly webhookId: string;
  readonly digest: string;
  readonly ageMs: Millis;
}

export type ObserveAnswer =
  | { readonly kind: "accepted" | "duplicate"; readonly rounds: number }
  | { readonly kind: "conflict"; readonly detail: string }
  | { readonly kind: "unavailable"; readonly detail: string };

export interface HealAsk {
  readonly step: Step | null;
  readonly reason: string | null;
  readonly by: string;
  readonly dryRun: boolean;
  readonly override: boolean;
  readonly force: boolean;
  readonly target: string | null;
  readonly incident: string | null;
  readonly key: string | null;
  readonly digest: string;
}

export type HealAnswer =
  | { readonly kind: "answer"; readonly answer: AskAnswer; readonly advice: string | null }
  | { readonly kind: "mismatch" }
  | { readonly kind: "unknown"; readonly what: "target" | "incident" }
  | { readonly kind: "unavailable"; readonly detail: string };

export type Hub = ReturnType<typeof createHub>;

const isStoreError = (error: unknown): error is Error => error instanceof Error && error.name === "StoreError";

/**
 * The one loop. Every input is taken in by `advance`: view, assessment, decision, then state, events and outbox rows in one
 * transaction, and only then the effects. It runs to its end without waiting, so there is one writer and nothing to lock; what
 * the world answers later comes in as a further input.
 */
export function createHub(ports: HubPorts) {
  const { house, store, clock, log } = ports;
  const ledger = createLedger(store, clock);
  const counters = createCounters();
  const rounds = createRounds(house, clock);
  const listeners = new Set<(event: HairpinEvent) => void>();
  const latest = new Map<string, Observation>();
  const reports = new Map<string, RepairReport>();
  const askers = new Map<string, { by: string; reason: string | null }>();
  const started = ledger.now();
  let view: SiteView = emptyView(house, largestGap(house.schedule), started.mono);
  let seats: readonly Seat[] = seatsOf(house, view, store.groups(), started);
  let watch: WatchState = store.meta<WatchState>("watch") ?? initialWatch();
  let nextSeq = store.lastEventSeq() + 1;
  let storeProblem: string | null = null;
  let tickedAt = clock.mono();
  let prunedAt = started.mono;
  let cancelTick = () => {};
  let stopped = false;
  const statusUrl = house.hub.url === undefined ? null : `${house.hub.url.replace(/\/+$/, "")}/`;

  const deliveries = createDeliveries({
    store,
    ledger,
    clock,
    subscribers: ports.subscribers,
    chance: ports.chance,
    log,
    isOpen: (group, incident) =>
      incident !== null && seats.some((seat) => seat.group.name === group && seat.state.incident?.id === incident),
    counted: counters.delivery,
  });
  const hosts = createHosts(house, ports.hosts, clock, log, {
    facts: (host, facts) => takeFacts(host, facts),
    reported: (group, report) => takeReport(group, report),
    unreachable: (group, id, detail) =>
      quietly(() => advance({ inputs: (name) => (name === group ? [{ kind: "unreachable", id, detail }] : []) })),
  });

  /** Takes one change in. Throws StoreError, with nothing changed, when it could not be made durable. */
  function advance(
    change: Change,
    nextWatch: WatchState = watch,
    write?: (stepped: Stepped, now: Instant) => void,
  ): Stepped {
    const now = ledger.now();
    const stepped = step(house, view, seats, change, now);
    const changed = stepped.seats.filter((seat, index) => mustSave(seats[index]!.state, seat.state));
    const dirty =
      changed.length > 0 ||
      stepped.effects.length > 0 ||
      stepped.drafts.length > 0 ||
      write !== undefined ||
      nextWatch !== watch;
    const events: HairpinEvent[] = stepped.drafts.map(({ group, draft }, index) =>
      eventOf(draft, group, nextSeq + index, ports.randomId(8), house.site, statusUrl, now),
    );
    if (dirty || ledger.savedAgo(now) >= LEDGER_EVERY)
      durable(() => save(stepped, changed, events, nextWatch, now, write));
    commit(stepped, events, nextWatch);
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
    nextWatch: WatchState,
    now: Instant,
    write?: (stepped: Stepped, now: Instant) => void,
  ): void {
    write?.(stepped, now);
    for (const seat of changed) {
      const before = seats.find((known) => known.group.name === seat.group.name)!.state;
      store.setGroup(seat.state);
      const report = reports.get(seat.state.flight?.request.id ?? before.flight?.request.id ?? "") ?? null;
      const heal = healRecordOf(before, seat.state, seat.assessment, store.heal, report, now);
      if (heal !== null) store.setHeal({ ...heal, ...askers.get(heal.id) }, now.mono);
      const known = store.incident(seat.state.incident?.id ?? before.incident?.id ?? "") as IncidentRecord | null;
      const incident = incidentRecordOf(before, seat.state, seat.assessment, known, now);
      if (incident !== null) store.setIncident(incident.id, now.mono, incident);
    }
    for (const event of events) {
      store.addEvent(event);
      deliveries.enqueue(event);
    }
    if (nextWatch !== watch) store.setMeta("watch", nextWatch);
    ledger.save(now);
  }

  /** What was saved becomes what is; then the effects run. */
  function commit(stepped: Stepped, events: readonly HairpinEvent[], nextWatch: WatchState): void {
    const before = seats;
    ({ view, seats } = stepped);
    watch = nextWatch;
    nextSeq += events.length;
    narrate(before, seats);
    for (const event of events) {
      const { data } = event;
      log(
        "info",
        {
          event: "emitted",
          kind: data.event,
          target: data.target,
          cause: data.cause,
          title: data.title,
          message: data.message,
          heal_id: data.heal_id,
          incident: data.incident,
          advice: data.advice ?? null,
        },
        "emitted",
      );
      for (const listener of [...listeners]) listener(event);
    }
    if (events.length > 0) deliveries.wakeAll();
    for (const effect of stepped.effects) {
      if (effect.kind === "hurry") rounds.hurry(effect.rounds);
      else if (effect.kind === "repair") {
        log(
          "info",
          {
            event: "repair",
            id: effect.request.id,
            step: effect.request.step,
            state: "requested",
            group: effect.group,
          },
          "repair",
        );
        void hosts.repair(effect.group, effect.request);
      } else if (effect.kind === "ask_report") void hosts.askReport(effect.group, effect.id);
    }
  }

  /** One line for each thing that changed: diagnosis, state, the first closed gate. */
  function narrate(before: readonly Seat[], after: readonly Seat[]): void {
    after.forEach((seat, index) => {
      const old = before[index]!;
      const group = seat.group.name;
      const { assessment: a, state } = seat;
      if (
        a.state !== old.assessment.state ||
        a.cause !== old.assessment.cause ||
        a.failing.join() !== old.assessment.failing.join()
      ) {
        log(
          "info",
          {
            event: "diagnosis",
            group,
            state: a.state,
            cause: a.cause,
            summary: a.summary,
            evidence: a.evidence,
            failing: a.failing,
            votes: a.votes,
          },
          "diagnosis",
        );
      }
      if (state.phase !== old.state.phase)
        log(
          "info",
          { event: "state", group, from: old.state.phase, to: state.phase, held_by: state.incident?.heldBy ?? null },
          "state",
        );
      const closed = state.lastGates.find((gate) => !gate.open)?.gate ?? null;
      const closedBefore = old.state.lastGates.find((gate) => !gate.open)?.gate ?? null;
      if (closed !== closedBefore || state.lastGates.length > 0 !== old.state.lastGates.length > 0)
        log("info", { event: "gates", group, held_by: closed, gates: state.lastGates }, "gates");
      const ended = old.state.flight !== null && state.flight?.request.id !== old.state.flight.request.id;
      if (ended)
        counters.heal(
          old.state.flight!.request.step,
          state.last?.id === old.state.flight!.request.id ? state.last.outcome : "ended",
        );
    });
  }

  /** For inputs that nobody waits for: a store that takes no writes has been told, and the next tick tries again. */
  function quietly(run: () => void): void {
    try {
      if (!stopped) run();
    } catch (error) {
      if (!isStoreError(error)) throw error;
    }
  }

  function takeFacts(host: string, facts: HostFacts | null): void {
    quietly(() => {
      const guard = facts === null ? null : guardEvents(watch, host, facts);
      const nextWatch = guard !== null && JSON.stringify(guard.state) !== JSON.stringify(watch) ? guard.state : watch;
      advance(
        { view: (seen, now) => recordFacts(seen, host, facts, now.mono), drafts: guard?.drafts ?? [] },
        nextWatch,
      );
    });
  }

  function takeReport(group: string, report: RepairReport): void {
    const old = reports.get(report.id);
    if (old?.state !== report.state)
      log(
        "info",
        {
          event: "repair",
          id: report.id,
          step: report.step,
          state: report.state,
          ms: report.ms,
          commands: report.commands,
          refusal: report.refusal,
          detail: report.detail,
        },
        "repair",
      );
    reports.set(report.id, report);
    if (reports.size > 64) reports.delete(reports.keys().next().value!);
    quietly(() => advance({ inputs: (name) => (name === group ? [{ kind: "reported", report }] : []) }));
  }

  function tick(): void {
    cancelTick = clock.after(TICK, tick);
    tickedAt = clock.mono();
    quietly(() => {
      const now = ledger.now();
      const watched = watchVantages(watch, view, house, now);
      const same = JSON.stringify(watched.state) === JSON.stringify(watch);
      advance({ drafts: watched.drafts }, same ? watch : watched.state);
      if (now.mono - prunedAt < PRUNE_EVERY) return;
      prunedAt = now.mono;
      durable(() => store.prune(now.mono - RECEIPTS_FOR, now.mono - DAY));
    });
  }

  const everyGroup = (input: Input): Change => ({ inputs: () => [input] });

  function observe({ observation, webhookId, digest, ageMs }: Observed): ObserveAnswer {
    const { vantage, boot_id, seq } = observation;
    const known = store.receipt(vantage, webhookId);
    if (known === digest) return { kind: "duplicate", rounds: rounds.take(vantage) };
    if (known !== null) return { kind: "conflict", detail: "this webhook-id came with another body" };
    const mark = store.mark(vantage);
    if (mark?.superseded.includes(boot_id))
      return { kind: "conflict", detail: "a later start of this vantage has been heard: this boot_id is over" };
    if (mark?.boot_id === boot_id && seq <= mark.seq)
      return { kind: "conflict", detail: `seq ${mark.seq} has been heard: ${seq} is not new` };
    const superseded =
      mark === null || mark.boot_id === boot_id
        ? (mark?.superseded ?? [])
        : [...mark.superseded, mark.boot_id].slice(-BOOTS_MAX);
    try {
      const body = JSON.stringify(observation);
      advance({ view: (seen, now) => recordObservation(seen, observation, now.mono, ageMs) }, watch, (_, now) => {
        store.setMark(vantage, { boot_id, seq, superseded }, body);
        store.addReceipt(vantage, webhookId, digest, now.mono);
        store.addObservation(vantage, now.mono, body);
      });
    } catch (error) {
      if (!isStoreError(error)) throw error;
      return { kind: "unavailable", detail: error.message };
    }
    latest.set(vantage, observation);
    return { kind: "accepted", rounds: rounds.take(vantage) };
  }

  /** The group that a request means: named by target or incident, else the one in trouble, else the first with a host. */
  function groupFor(ask: HealAsk): Seat | "target" | "incident" | null {
    if (ask.incident !== null) return seats.find((seat) => seat.state.incident?.id === ask.incident) ?? "incident";
    if (ask.target !== null && ask.target !== "all") {
      const target = house.targets.find((known) => known.name === ask.target);
      return seats.find((seat) => seat.group.name === target?.group) ?? "target";
    }
    return (
      seats.find((seat) => seat.state.incident !== null) ??
      seats.find((seat) => seat.group.host !== null) ??
      seats[0] ??
      null
    );
  }

  function ask(asked: HealAsk): HealAnswer {
    if (asked.key !== null) {
      const known = store.ask(asked.key);
      if (known !== null)
        return known.digest === asked.digest ? (JSON.parse(known.answer) as HealAnswer) : { kind: "mismatch" };
    }
    const seat = groupFor(asked);
    if (seat === "target" || seat === "incident") return { kind: "unknown", what: seat };
    if (seat === null) {
      const answer: AskAnswer = {
        status: 200,
        state: "nothing_to_do",
        id: null,
        step: null,
        detail: "no target is declared: there is nothing to heal",
        retryAfterMillis: null,
        gates: [],
      };
      return { kind: "answer", answer, advice: null };
    }
    const { step: wanted, reason, by, dryRun, override, force } = asked;
    const id = `h-${ports.randomId(16)}`;
    const outcome: { current: HealAnswer | null } = { current: null };
    askers.set(id, { by, reason });
    try {
      advance(
        {
          ask: { group: seat.group.name, ask: { id, step: wanted, reason: reason ?? by, by, dryRun, override, force } },
        },
        watch,
        (stepped, now) => {
          const answer: HealAnswer = { kind: "answer", answer: stepped.answer!, advice: seat.assessment.advice };
          outcome.current = answer;
          if (asked.key !== null && stepped.answer!.status < 300)
            store.setAsk(asked.key, asked.digest, JSON.stringify(answer), now.mono);
        },
      );
    } catch (error) {
      if (!isStoreError(error)) throw error;
      return { kind: "unavailable", detail: error.message };
    } finally {
      if (askers.size > 64) askers.delete(askers.keys().next().value!);
    }
    const said = outcome.current!;
    if (said.kind === "answer")
      log(
        "info",
        { by, reason, state: said.answer.state, id: said.answer.id, step: said.answer.step, override, force },
        "a heal was asked for",
      );
    return said;
  }

  function explain(incident: string | null): unknown {
    if (incident !== null) return store.incident(incident);
    const groups = seats.map(({ group, state, assessment }) => ({
      group: group.name,
      phase: state.phase,
      incident: state.incident,
      flight: state.flight,
      gates: state.lastGates,
      held_by: state.incident?.heldBy ?? null,
      breaker: state.breaker,
      maintenance: state.maintenance,
      grace: state.graceUntil !== null,
      last: state.last,
      assessment,
      record: state.incident === null ? null : store.incident(state.incident.id),
    }));
    return { site: house.site, mode: house.heal.mode, groups };
  }

  return {
    /** Takes what the store remembers up again: a new epoch, a new grace; a repair under way is asked about by its id. */
    start(): void {
      quietly(() => advance(everyGroup({ kind: "started" })));
      if (house.targets.length === 0)
        log("warn", {}, "no targets are configured: the hub runs, watches nothing and heals nothing");
      if (house.vantages.length === 0)
        log("warn", {}, "no vantages are configured: nothing can be seen, and nothing is healed");
      hosts.start();
      deliveries.start(ports.heartbeats);
      tick();
    },
    stop(): void {
      quietly(() => durable(() => ledger.save(ledger.now())));
      stopped = true;
      cancelTick();
      hosts.stop();
      deliveries.stop();
      rounds.release();
    },
    observe,
    ask,
    explain,
    plan: rounds.plan,
    heal(id: string): HealRecord | null {
      const record = store.heal(id);
      const report = reports.get(id);
      return record === null || report === undefined ? record : { ...record, steps: [report] };
    },
    status: () => statusOf(house, view, seats, ledger.now()),
    events: (after: number, limit: number) => (after < 0 ? store.latestEvents(limit) : store.eventsAfter(after, limit)),
    subscribe(listener: (event: HairpinEvent) => void): () => void {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    deliveries: (deadOnly: boolean) => ({
      deliveries: store.deliveries(deadOnly, 200),
      subscribers: deliveries.states(),
    }),
    delivery: (id: string): Delivery | null => store.delivery(id),
    replay: deliveries.replay,
    acknowledge: deliveries.acknowledge,
    pause(forMillis: Millis, reason: string | null): void {
      advance(everyGroup({ kind: "paused", forMillis, reason }));
      hosts.order({ kind: "pause", forMillis, reason }, forMillis);
    },
    resume(): void {
      advance(everyGroup({ kind: "resumed" }));
      hosts.order({ kind: "resume" }, RESUME_FOR);
    },
    resetBreaker(): void {
      advance(everyGroup({ kind: "breaker_reset" }));
      hosts.order({ kind: "reset_breaker" }, 0);
    },
    testNotification(): readonly Delivery[] {
      const draft = {
        kind: "test",
        target: "all",
        cause: null,
        title: "hairpin: a test",
        message: "If you can read this, reports arrive here.",
        since: null,
        vantagesFailing: [],
        incident: null,
        healId: null,
        canHeal: false,
        advice: null,
        heldBy: null,
      } as const;
      const seq = nextSeq;
      advance({ drafts: [draft] });
      return store.deliveries(false, 200).filter((row) => row.event_seq === seq && row.kind === "test");
    },
    metrics: () =>
      metricsOf({
        house,
        version: ports.version,
        view,
        seats,
        latest,
        counters,
        outbox: store.outboxCounts(),
        now: ledger.now(),
        storeOk: storeProblem === null,
      }),
    readiness(): { ready: boolean; problems: readonly string[] } {
      const problems: string[] = [];
      if (storeProblem !== null) problems.push(`the store takes no writes: ${storeProblem}`);
      if (clock.mono() - tickedAt > 10 * TICK) problems.push("the hub's clockwork stands still");
      const ready = problems.length === 0;
      if (house.targets.length === 0) problems.push("no targets are configured");
      if (house.vantages.length === 0) problems.push("no vantages are configured");
      return { ready, problems };
    },
  };
}
