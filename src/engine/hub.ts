import type { Delivery } from "../core/delivery.ts";
import type { HairpinEvent } from "../core/event.ts";
import type { HostFacts } from "../core/facts.ts";
import { type Input, quietDraft } from "../core/group.ts";
import type { HealRecord } from "../core/heal-record.ts";
import { recordFacts } from "../core/history.ts";
import type { RepairReport } from "../core/repair.ts";
import { statusOf, withEdge } from "../core/status.ts";
import { DAY, MINUTE, type Millis, SECOND } from "../core/units.ts";
import { guardEvents, watchVantages } from "../core/vantage-watch.ts";
import { createAsks } from "./hub-asks.ts";
import { createDeliveries } from "./hub-deliveries.ts";
import { createEdge, type Edge } from "./hub-edge.ts";
import { edgeMetrics } from "./hub-edge-metrics.ts";
import { createHosts } from "./hub-hosts.ts";
import { hubIdentity } from "./hub-identity.ts";
import { createIntake } from "./hub-intake.ts";
import { createLedger, type Ledger } from "./hub-ledger.ts";
import { createLoop, type Loop } from "./hub-loop.ts";
import { createCounters, metricsOf } from "./hub-metrics.ts";
import { createDevices } from "./hub-mqtt-devices.ts";
import { narrateEvent, narrateReport, narrateRequest, narrateSeat } from "./hub-narration.ts";
import type { HubPorts } from "./hub-ports.ts";
import { createRounds } from "./hub-rounds.ts";
import type { Change, Seat, Stepped } from "./hub-state.ts";

const TICK: Millis = SECOND;
const PRUNE_EVERY: Millis = 10 * MINUTE;
/** Longer than a signature is accepted (300 s): within it a repeat is told from a forgery by its body. */
const RECEIPTS_FOR: Millis = 600 * SECOND;
/** A host that cannot be told of a resume sooner stays paused until its end: a person may have paused it anew since. */
const RESUME_FOR: Millis = 5 * MINUTE;
const LISTED_MAX = 200;
/** Where there is a broker, its birth message has told of a start before the automation of the package does. */
const TOLD_BY_MQTT: Millis = MINUTE;

const TEST_DRAFT = quietDraft("test", "all", "hairpin: a test", "If you can read this, reports arrive here.");

export type Hub = ReturnType<typeof createHub>;

const everyGroup = (input: Input): Change => ({ inputs: () => [input] });
const oneGroup = (group: string, input: Input): Change => ({ inputs: (name) => (name === group ? [input] : []) });

/** The hub: the loop with everything that feeds it and everything that it sets going. */
export function createHub(ports: HubPorts) {
  const parts = assemble(ports);
  const { loop, hosts, deliveries, rounds, clockwork, identity } = parts;
  const ask = createAsks(ports.house, ports.store, loop, ports.randomId, ports.log);
  const edge = edgeOf(ports, parts, ask);
  const reads = reading(ports, parts, edge);
  const operates = operating(ports, parts);
  const { status } = reads;
  const devices = createDevices(ports, { ...parts, status, ask, pause: operates.pause, resume: operates.resume });
  for (const happened of devices.happened) parts.listeners.add(happened);
  parts.watchers.add(devices.changed);
  if (edge !== null) parts.watchers.add(edge.changed);
  return {
    /** Takes what the store remembers up again: a new epoch, a new grace; a repair under way is asked about by its id. */
    start(): void {
      loop.quietly(() => loop.durable(identity.save));
      loop.quietly(() => loop.advance(everyGroup({ kind: "started", hub: identity.name })));
      for (const problem of emptiness(ports)) ports.log("warn", {}, `${problem}: the hub runs, and heals nothing`);
      hosts.start();
      deliveries.start(ports.heartbeats);
      clockwork.start();
      devices.start();
      edge?.start();
    },
    /** What it says to brokers last may take a moment; all else has ended when this returns. */
    stop(): Promise<void> {
      loop.quietly(() => loop.durable(() => parts.ledger.save(parts.ledger.now())));
      loop.stop();
      clockwork.stop();
      hosts.stop();
      deliveries.stop();
      rounds.release();
      edge?.stop();
      return devices.stop();
    },
    observe: parts.intake.observe,
    ask,
    plan: rounds.plan,
    ...reads,
    metrics: () => [...reads.metrics(), ...devices.metrics()],
    ...operates,
  };
}

type Parts = ReturnType<typeof assemble>;

/** The edge verifier's side in the house; null where the house has none. */
function edgeOf(ports: HubPorts, parts: Parts, ask: ReturnType<typeof createAsks>): Edge | null {
  if (ports.edge === undefined) return null;
  const { ledger, loop } = parts;
  const status = () => statusOf(ports.house, loop.view(), loop.seats(), ledger.now());
  const edge = createEdge(ports, ports.edge, { ledger, loop, ask, heal: (id) => healOf(ports, loop, id), status });
  parts.openElsewhere.add(edge.isOpen);
  return edge;
}

function healOf({ store }: HubPorts, loop: Loop, id: string): HealRecord | null {
  const record = store.heal(id);
  const report: RepairReport | null = loop.report(id);
  return record === null || report === null ? record : { ...record, steps: [report] };
}

function assemble(ports: HubPorts) {
  const { house, store, clock, log } = ports;
  const ledger = createLedger(store, clock);
  const identity = hubIdentity(store, ports.randomId);
  const counters = createCounters();
  const rounds = createRounds(house, clock);
  const listeners = new Set<(event: HairpinEvent) => void>();
  const watchers = new Set<() => void>();
  const loop: Loop = createLoop(ports, ledger, {
    enqueue: (event) => void deliveries.enqueue(event),
    committed: (before, stepped, events) => committed(before, stepped, events),
  });
  const openElsewhere = new Set<(incident: string | null) => boolean>();
  const isOpen = (group: string, incident: string | null) =>
    [...openElsewhere].some((holds) => holds(incident)) ||
    (incident !== null &&
      loop.seats().some((seat) => seat.group.name === group && seat.state.incident?.id === incident));
  const { subscribers, chance } = ports;
  const deliveries = createDeliveries({
    store,
    ledger,
    clock,
    subscribers,
    chance,
    log,
    isOpen,
    counted: counters.delivery,
  });
  const hosts = createHosts(house, ports.hosts, identity.instance, clock, log, {
    facts(host, facts) {
      rounds.parentSeen(host, facts?.parent.mac ?? null);
      takeFacts(loop, host, facts);
    },
    reported(group, report) {
      if (loop.report(report.id)?.state !== report.state) narrateReport(report, log);
      loop.remember(report);
      loop.quietly(() => loop.advance(oneGroup(group, { kind: "reported", report })));
    },
    unreachable: (group, id, detail) =>
      loop.quietly(() => loop.advance(oneGroup(group, { kind: "unreachable", id, detail }))),
  });

  /** What was saved is what is: it is told, and its effects run. */
  function committed(before: readonly Seat[], stepped: Stepped, events: readonly HairpinEvent[]): void {
    stepped.seats.forEach((seat, index) => {
      narrateSeat(before[index]!, seat, log);
      countHeal(before[index]!, seat, counters.heal);
    });
    for (const event of events) {
      narrateEvent(event, log);
      for (const listener of [...listeners]) listener(event);
    }
    for (const changed of watchers) changed();
    if (events.length > 0) deliveries.wakeAll();
    for (const effect of stepped.effects) {
      if (effect.kind === "hurry") rounds.hurry(effect.rounds);
      else if (effect.kind === "ask_report") void hosts.askReport(effect.group, effect.id);
      else if (effect.kind === "repair") {
        narrateRequest(effect.group, effect.request, log);
        void hosts.repair(effect.group, effect.request);
      }
    }
  }

  const intake = createIntake(store, loop, rounds.take);
  return {
    identity,
    ledger,
    counters,
    rounds,
    listeners,
    watchers,
    openElsewhere,
    loop,
    deliveries,
    hosts,
    intake,
    clockwork: createClockwork(ports, ledger, loop),
  };
}

function countHeal(before: Seat, after: Seat, count: (step: string, outcome: string) => void): void {
  const ended = before.state.flight?.request ?? null;
  if (ended === null || after.state.flight?.request.id === ended.id) return;
  count(ended.step, after.state.last?.id === ended.id ? after.state.last.outcome : "ended");
}

function takeFacts(loop: Loop, host: string, facts: HostFacts | null): void {
  loop.quietly(() => {
    const guard = facts === null ? null : guardEvents(loop.watch(), host, facts);
    const isNew = guard !== null && JSON.stringify(guard.state) !== JSON.stringify(loop.watch());
    loop.advance(
      { view: (seen, now) => recordFacts(seen, host, facts, now.mono), drafts: guard?.drafts ?? [] },
      isNew ? { watch: guard.state } : {},
    );
  });
}

/** Once a second: time passes for every group, silence is noticed, what is out of its time is forgotten. */
function createClockwork({ house, store, clock }: HubPorts, ledger: Ledger, loop: Loop) {
  let tickedAt = clock.mono();
  let prunedAt = ledger.now().mono;
  let cancel = () => {};
  function tick(): void {
    cancel = clock.after(TICK, tick);
    tickedAt = clock.mono();
    loop.quietly(() => {
      const now = ledger.now();
      const watched = watchVantages(loop.watch(), loop.view(), house, now);
      const isNew = JSON.stringify(watched.state) !== JSON.stringify(loop.watch());
      loop.advance({ drafts: watched.drafts }, isNew ? { watch: watched.state } : {});
      if (now.mono - prunedAt < PRUNE_EVERY) return;
      prunedAt = now.mono;
      loop.durable(() => store.prune(now.mono - RECEIPTS_FOR, now.mono - DAY));
    });
  }
  return { start: tick, stop: () => cancel(), standsStill: () => clock.mono() - tickedAt > 10 * TICK };
}

function emptiness({ house }: HubPorts): readonly string[] {
  const problems: string[] = [];
  if (house.targets.length === 0) problems.push("no targets are configured");
  if (house.vantages.length === 0) problems.push("no vantages are configured");
  return problems;
}

/** What is asked of the hub without changing anything. */
function reading(
  ports: HubPorts,
  { ledger, counters, listeners, loop, deliveries, intake, clockwork }: Parts,
  edge: Edge | null,
) {
  const { house, store, version } = ports;
  return {
    heal: (id: string): HealRecord | null => healOf(ports, loop, id),
    status: () => withEdge(statusOf(house, loop.view(), loop.seats(), ledger.now()), edge?.status() ?? null),
    explain: (incident: string | null): unknown =>
      incident === null
        ? { ...explainNow(ports, loop), ...(edge === null ? {} : { outside: edge.status() }) }
        : store.incident(incident),
    events: (after: number, limit: number) => (after < 0 ? store.latestEvents(limit) : store.eventsAfter(after, limit)),
    subscribe(listener: (event: HairpinEvent) => void): () => void {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    deliveries(deadOnly: boolean) {
      return { deliveries: store.deliveries(deadOnly, LISTED_MAX), subscribers: deliveries.states() };
    },
    delivery: (id: string): Delivery | null => store.delivery(id),
    metrics() {
      const seen = { view: loop.view(), seats: loop.seats(), latest: intake.latest, now: ledger.now() };
      const storeOk = loop.storeProblem() === null;
      const outbox = store.outboxCounts();
      const measured = metricsOf({ house, version, ...seen, counters, outbox, storeOk });
      return edge === null ? measured : [...measured, ...edgeMetrics(edge)];
    },
    readiness(): { ready: boolean; problems: readonly string[] } {
      const problems: string[] = [];
      const storeProblem = loop.storeProblem();
      if (storeProblem !== null) problems.push(`the store takes no writes: ${storeProblem}`);
      if (clockwork.standsStill()) problems.push("the hub's clockwork stands still");
      return { ready: problems.length === 0, problems: [...problems, ...emptiness(ports)] };
    },
  };
}

function explainNow({ house, store }: HubPorts, loop: Loop) {
  const groups = loop.seats().map(({ group, state, assessment }) => ({
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
  return { site: house.site, mode: house.heal.mode, disarmed: loop.isDisarmed(), groups };
}

/** What a person does. Each is durable when it returns, and throws StoreError when it could not be. */
function operating({ store }: HubPorts, { loop, hosts, deliveries }: Parts) {
  return {
    replay: deliveries.replay,
    acknowledge: deliveries.acknowledge,
    homeAssistantStarted: () => deliveries.receiversAreBack(true, TOLD_BY_MQTT),
    pause(forMillis: Millis, reason: string | null): void {
      loop.advance(everyGroup({ kind: "paused", forMillis, reason }));
      hosts.order({ kind: "pause", forMillis, reason }, forMillis);
    },
    resume(): void {
      loop.advance(everyGroup({ kind: "resumed" }));
      hosts.order({ kind: "resume" }, RESUME_FOR);
    },
    resetBreaker(): void {
      loop.advance(everyGroup({ kind: "breaker_reset" }));
      hosts.order({ kind: "reset_breaker" }, 0);
    },
    testNotification(): readonly Delivery[] {
      const seq = loop.nextSeq();
      loop.advance({ drafts: [TEST_DRAFT] });
      const sent = store.deliveries(false, LISTED_MAX);
      return sent.filter((row) => row.event_seq === seq && row.kind === "test");
    },
  };
}
