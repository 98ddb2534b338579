import type { Attempt, Delivery, DeliveryState, SubscriberState } from "../core/delivery.ts";
import type { HairpinEvent } from "../core/event.ts";
import { type Millis, SECOND } from "../core/units.ts";
import type { Ledger } from "./hub-ledger.ts";
import type { Clock, Heartbeat, Log, Subscriber } from "./hub-ports.ts";
import { beforeTry, broughtForward, deliveryId, type Manner, nextDue, replayed, settle } from "./outbox.ts";
import { type HubStore, QUEUED_MAX } from "./store.ts";

/** A receiver that takes longer is tried again later. */
const DEADLINE: Millis = 10 * SECOND;
/** When the store does not answer, or nothing is due: how long until the next look. */
const IDLE: Millis = 60 * SECOND;
const STORE_PAUSE: Millis = 5 * SECOND;
/** One start of Home Assistant may be told twice by the same way. */
const SAME_START: Millis = 15 * SECOND;

interface Parts {
  readonly store: HubStore;
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly subscribers: readonly Subscriber[];
  readonly chance: () => number;
  readonly log: Log;
  /** Whether this incident of this group is still open: a `failing` of one that is over is not sent any more. */
  readonly isOpen: (group: string, incident: string | null) => boolean;
  /** Told when a subscriber has been disabled, or an event was given up. */
  readonly counted: (subscriber: string, outcome: DeliveryState | "failed") => void;
}

/** The outbox at work: one worker per subscriber, so that a slow one delays nobody else (I24). */
export function createDeliveries(parts: Parts) {
  const { store, ledger, clock, log } = parts;
  const controller = new AbortController();
  const wakers = new Map<string, () => void>();
  /** Counts the calls to wake: one that comes between a look at the queue and the sleep after it must not be missed. */
  let calls = 0;
  let startedAt: Millis | null = null;
  const states = new Map<string, SubscriberState>(
    parts.subscribers.map(({ name }) => [name, { name, disabled: null, not_found: 0 }]),
  );
  for (const known of store.subscriberStates()) if (states.has(known.name)) states.set(known.name, known);

  const mannerOf = ({ name, confirms }: Subscriber): Manner => ({
    confirms,
    proven: states.get(name)?.proven === true,
  });
  /** Keeps what is known of a subscriber; to be called inside a transaction. */
  function know(state: SubscriberState): void {
    store.setSubscriber(state);
    states.set(state.name, state);
  }

  function row(event: HairpinEvent, subscriber: Subscriber): Delivery {
    const now = ledger.now();
    const disabled = states.get(subscriber.name)?.disabled ?? null;
    const dead = disabled !== null && event.data.event !== "test";
    return {
      id: deliveryId(event.id, subscriber.name),
      subscriber: subscriber.name,
      event_id: event.id,
      event_seq: event.seq,
      group: event.group,
      kind: event.data.event,
      target: event.data.target,
      state: dead ? "dead" : "queued",
      tries: 0,
      repeats: 0,
      queued_mono: now.mono,
      due_mono: now.mono,
      created_at: event.timestamp,
      done_at: dead ? event.timestamp : null,
      last_status: null,
      last_error: dead ? `disabled: ${disabled}` : null,
    };
  }

  /** Queues an event for everyone who wants it. To be called inside the transaction that changes the state. */
  function enqueue(event: HairpinEvent): readonly Delivery[] {
    const wanted = parts.subscribers.filter(
      ({ events }) => events === null || event.data.event === "test" || events.includes(event.data.event),
    );
    return wanted.map((subscriber) => {
      if (store.queuedCount(subscriber.name) >= QUEUED_MAX) {
        const oldest = store.oldestQueued(subscriber.name);
        if (oldest !== null)
          store.setDelivery({ ...oldest, state: "dead", done_at: event.timestamp, last_error: "the queue was full" });
      }
      const queued = row(event, subscriber);
      store.setDelivery(queued);
      return queued;
    });
  }

  async function work(subscriber: Subscriber): Promise<void> {
    while (!controller.signal.aborted) {
      let wait: Millis;
      const before = calls;
      try {
        wait = await workOnce(subscriber);
      } catch (error) {
        if (!(error instanceof Error && error.name === "StoreError")) throw error;
        log("error", { subscriber: subscriber.name, error: error.message }, "the outbox cannot be written");
        wait = STORE_PAUSE;
      }
      if (wait > 0 && calls === before) await sleep(subscriber.name, wait);
    }
  }

  async function workOnce(subscriber: Subscriber): Promise<Millis> {
    const now = ledger.now();
    const manner = mannerOf(subscriber);
    const due = nextDue(store.openDeliveries(subscriber.name), now.mono);
    if (due.delivery === null) return Math.min(IDLE, due.wait ?? IDLE);
    const event = store.event(due.delivery.event_seq);
    const isOpen = event !== null && parts.isOpen(event.group, event.data.incident);
    const prepared = beforeTry(due.delivery, manner, isOpen, now.mono, new Date(now.wall).toISOString());
    const changed = prepared.delivery !== due.delivery;
    if (changed)
      store.transaction(() => {
        store.setDelivery(prepared.delivery);
        // It confirms no longer: what it accepts counts as told again, and only a failing is repeated.
        const { awaits_proof, kind } = due.delivery!;
        if (manner.proven && prepared.delivery.state === "unconfirmed" && (awaits_proof || kind === "test"))
          know({ ...states.get(subscriber.name)!, proven: false });
      });
    if (!prepared.send || event === null) {
      if (event === null && !changed)
        store.transaction(() =>
          store.setDelivery({ ...due.delivery!, state: "dead", last_error: "its event is no longer kept" }),
        );
      if (changed && prepared.delivery.state !== due.delivery.state) said(prepared.delivery, prepared.delivery.state);
      return 0;
    }
    const attempt = await tryOnce((signal) =>
      subscriber.deliver({ id: due.delivery!.id, event, wallSeconds: Math.floor(clock.wall() / 1_000) }, signal),
    );
    if (controller.signal.aborted) return 0;
    finish(subscriber, prepared.delivery, attempt);
    return 0;
  }

  /** Makes one try with its deadline. A try that throws is a bug of the subscriber's code and is told as a failure. */
  async function tryOnce(run: (signal: AbortSignal) => Promise<Attempt>): Promise<Attempt> {
    const deadline = new AbortController();
    const cancel = clock.after(DEADLINE, () => deadline.abort());
    const late = new Promise<Attempt>((resolve) => {
      deadline.signal.addEventListener("abort", () => resolve({ kind: "failed", detail: "no answer in 10 s" }), {
        once: true,
      });
    });
    const stop = () => deadline.abort();
    controller.signal.addEventListener("abort", stop, { once: true });
    try {
      return await Promise.race([run(deadline.signal), late]);
    } finally {
      cancel();
      controller.signal.removeEventListener("abort", stop);
    }
  }

  function finish(subscriber: Subscriber, delivery: Delivery, attempt: Attempt): void {
    const now = ledger.now();
    const at = new Date(now.wall).toISOString();
    const before = states.get(subscriber.name)!;
    const settled = settle(delivery, before, attempt, mannerOf(subscriber), now.mono, at, parts.chance());
    const succeeded = attempt.kind === "answered" && attempt.status >= 200 && attempt.status < 300;
    const state: SubscriberState = succeeded ? { ...settled.subscriber, disabled: null } : settled.subscriber;
    store.transaction(() => {
      // It may have been acknowledged before its own answer came.
      if (store.delivery(delivery.id)?.state !== "confirmed") store.setDelivery(settled.delivery);
      if (state.disabled !== before.disabled || state.not_found !== before.not_found) store.setSubscriber(state);
    });
    states.set(subscriber.name, state);
    if (settled.disabledNow)
      log(
        "error",
        { subscriber: subscriber.name, reason: state.disabled },
        "the subscriber is disabled; hairpin test-notification tries it again",
      );
    said(settled.delivery, settled.delivery.state === "queued" ? "failed" : settled.delivery.state);
  }

  function said(delivery: Delivery, outcome: DeliveryState | "failed"): void {
    parts.counted(delivery.subscriber, outcome);
    const level = outcome === "dead" ? "error" : outcome === "failed" ? "warn" : "info";
    log(
      level,
      {
        event: "delivery",
        subscriber: delivery.subscriber,
        kind: delivery.kind,
        id: delivery.id,
        outcome,
        detail: delivery.last_error,
        tries: delivery.tries,
      },
      "delivery",
    );
  }

  function sleep(name: string, millis: Millis): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        cancel();
        wakers.delete(name);
        resolve();
      };
      const cancel = clock.after(millis, done);
      wakers.set(name, done);
    });
  }

  async function beat(heartbeat: Heartbeat): Promise<void> {
    let wasGood: boolean | null = null;
    while (!controller.signal.aborted) {
      const attempt = await tryOnce((signal) => heartbeat.beat(signal));
      if (controller.signal.aborted) return;
      const good = attempt.kind === "answered" && attempt.status < 300;
      const detail = attempt.kind === "failed" ? attempt.detail : `answered ${attempt.status}`;
      if (good !== wasGood)
        log(
          good ? "info" : "warn",
          { heartbeat: heartbeat.name, detail },
          good ? "the heartbeat is heard" : "the heartbeat is not heard",
        );
      parts.counted(heartbeat.name, good ? "delivered" : "failed");
      wasGood = good;
      await sleep(`heartbeat ${heartbeat.name}`, heartbeat.every);
    }
  }

  const wakeAll = () => {
    calls++;
    for (const subscriber of parts.subscribers) wakers.get(subscriber.name)?.();
  };
  return {
    enqueue,
    wakeAll,
    start(heartbeats: readonly Heartbeat[]): void {
      for (const subscriber of parts.subscribers) void work(subscriber);
      for (const heartbeat of heartbeats) void beat(heartbeat);
    },
    stop(): void {
      controller.abort();
      for (const wake of [...wakers.values()]) wake();
    },
    states: (): readonly (SubscriberState & { readonly confirms: boolean })[] =>
      parts.subscribers.map(({ name, confirms }) => ({ ...states.get(name)!, confirms })),
    /**
     * Whoever confirms by itself (Home Assistant) is there again: what waits for it is tried at once, in its order, and a `failing`
     * that nobody has confirmed is repeated. When it has started anew, its bell is empty: then one that was confirmed is told again
     * too, as long as it fails.
     */
    receiversAreBack(anew: boolean, sameStart: Millis = SAME_START): void {
      const now = ledger.now().mono;
      const isNew = anew && (startedAt === null || now - startedAt >= sameStart);
      if (isNew) startedAt = now;
      for (const { name } of parts.subscribers.filter(({ confirms }) => confirms)) {
        const known = isNew ? store.latestDeliveries(name) : store.openDeliveries(name, true);
        const woken = known.flatMap((row) => {
          const event = row.kind === "failing" ? store.event(row.event_seq) : null;
          const isOpen = event !== null && parts.isOpen(event.group, event.data.incident);
          return broughtForward(row, isOpen, isNew, now) ?? [];
        });
        if (woken.length === 0) continue;
        try {
          store.transaction(() => woken.forEach(store.setDelivery));
        } catch (error) {
          if (!(error instanceof Error && error.name === "StoreError")) throw error;
          log("error", { subscriber: name, error: error.message }, "the outbox cannot be written");
        }
      }
      wakeAll();
    },
    acknowledge(id: string): boolean {
      const known = store.delivery(id);
      if (known === null) return false;
      if (known.state === "confirmed") return true;
      const at = new Date(clock.wall()).toISOString();
      const subscriber = states.get(known.subscriber);
      store.transaction(() => {
        store.setDelivery({ ...known, state: "confirmed", done_at: at });
        if (subscriber !== undefined) know({ ...subscriber, confirmed_at: at, proven: true });
      });
      said({ ...known, state: "confirmed" }, "confirmed");
      // What follows in its group may have waited for this.
      calls++;
      wakers.get(known.subscriber)?.();
      return true;
    },
    replay(id: string): "queued" | "unknown" | "pending" {
      const known = store.delivery(id);
      if (known === null || store.event(known.event_seq) === null) return "unknown";
      if (known.state === "queued") return "pending";
      const subscriber = states.get(known.subscriber);
      store.transaction(() => {
        store.setDelivery(replayed(known, ledger.now().mono));
        if (subscriber !== undefined) store.setSubscriber({ ...subscriber, disabled: null, not_found: 0 });
      });
      if (subscriber !== undefined) states.set(subscriber.name, { ...subscriber, disabled: null, not_found: 0 });
      wakeAll();
      return "queued";
    },
  };
}
