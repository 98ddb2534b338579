import type { Incoming } from "../core/mqtt/command.ts";
import { type Millis, SECOND } from "../core/units.ts";
import type { Broker, BrokerConnection, Clock, Log, Publication } from "./hub-ports.ts";

/** Pauses before each attempt to connect, spread by so much; the last for ever. A broker is on the LAN, and costs little to ask. */
const PAUSES: readonly Millis[] = [0, 1 * SECOND, 2 * SECOND, 5 * SECOND, 10 * SECOND, 15 * SECOND];
const SPREAD = 0.2;
/** A connection that has lasted so long was a good one: the next pause is the first again. */
const GOOD_AFTER: Millis = 30 * SECOND;
const CONNECT_MAX: Millis = 10 * SECOND;
/** A broker that acknowledges nothing for so long is stuck or full: the connection is given up. */
const ACK_MAX: Millis = 20 * SECOND;
/** Brokers commonly take 20 unacknowledged ones (Mosquitto); a few more would not be faster on a LAN. */
const IN_FLIGHT_MAX = 10;
/** Events that wait for the broker; beyond it the oldest go. They are news, not states: nothing depends on them. */
const EVENTS_MAX = 64;

export interface LineParts {
  readonly broker: Broker;
  readonly will: Publication;
  readonly filters: readonly string[];
  readonly clock: Clock;
  readonly chance: () => number;
  readonly log: Log;
  /** Connected and subscribed: everything is to be said anew. */
  readonly connected: () => void;
  readonly message: (message: Incoming) => void;
}

/**
 * The line to one broker: connects for ever, and sends what is current. Of each retained topic only the newest message waits, so
 * that a broker that is slow or away costs a bounded memory and delays nothing (I24, I25); after a new connection everything is
 * derived again.
 */
export function createLine(parts: LineParts) {
  const { broker, clock, log } = parts;
  const waiting = new Map<string, Publication>();
  let events: Publication[] = [];
  let connection: BrokerConnection | null = null;
  let inFlight = 0;
  let cancelPause = () => {};
  let cancelWatch = () => {};
  let attempts = 0;
  let isStopped = false;
  let said = "";
  let hasSaidRefusal = false;

  function start(): void {
    const base = PAUSES[Math.min(attempts, PAUSES.length - 1)]!;
    attempts++;
    cancelPause = clock.after(base * (1 - SPREAD + 2 * SPREAD * parts.chance()), () => void connect());
  }

  async function connect(): Promise<void> {
    const deadline = new AbortController();
    // Whatever the adapter does with its signal, and however long a subscription takes: this line goes on.
    let cancelDeadline = () => {};
    const late = new Promise<never>((_, reject) => {
      cancelDeadline = clock.after(CONNECT_MAX, () => {
        deadline.abort();
        reject(new Error(`no answer of a broker in ${CONNECT_MAX / SECOND} s`));
      });
    });
    cancelPause = () => deadline.abort();
    let made: BrokerConnection | null = null;
    let isOver = false;
    let refused: string | null = null;
    const over = (detail: string): void => {
      if (isOver) return;
      isOver = true;
      ended(made, detail);
    };
    try {
      const attempt = broker.connect(parts.will, { message: parts.message, closed: over }, deadline.signal);
      attempt.then(
        (tooLate) => isOver && tooLate.drop(),
        () => undefined,
      );
      made = await Promise.race([attempt, late]);
      if (!isOver && !isStopped) refused = await Promise.race([made.subscribe(parts.filters), late]);
    } catch (error) {
      over((error as Error).message);
    }
    cancelDeadline();
    if (isStopped) made?.drop();
    if (made === null || isOver || isStopped) return;
    opened(made);
    if (refused !== null) refusal(parts.filters.join(" "), refused);
  }

  /** Said once for each connection: a right that is missing is missing for every message. */
  function refusal(topic: string, detail: string): void {
    if (hasSaidRefusal) return;
    hasSaidRefusal = true;
    log("error", { broker: broker.name, topic, detail }, "the broker refuses a topic: look at its access rules");
  }

  function opened(made: BrokerConnection): void {
    connection = made;
    inFlight = 0;
    waiting.clear();
    events = [];
    said = "";
    hasSaidRefusal = false;
    const openedAt = clock.mono();
    cancelPause = clock.after(GOOD_AFTER, () => {
      if (connection === made && clock.mono() - openedAt >= GOOD_AFTER) attempts = 1;
    });
    log("info", { broker: broker.name }, "the broker is connected");
    parts.connected();
  }

  function ended(made: BrokerConnection | null, detail: string): void {
    made?.drop();
    if (connection !== null && connection !== made) return;
    connection = null;
    waiting.clear();
    events = [];
    cancelWatch();
    cancelPause();
    if (isStopped) return;
    if (detail !== said) log("warn", { broker: broker.name, detail }, "the broker is not connected; tried again");
    said = detail;
    start();
  }

  /** Sends what waits, as far as the broker takes it: events first, they are what a person waits for. */
  function pump(): void {
    while (connection !== null && inFlight < Math.min(IN_FLIGHT_MAX, connection.inFlightMax)) {
      const first = waiting.values().next().value;
      const next = events.shift() ?? first;
      if (next === undefined) return;
      if (next === first) waiting.delete(next.topic);
      send(connection, next);
    }
  }

  function send(to: BrokerConnection, publication: Publication): void {
    inFlight++;
    if (inFlight === 1) watch(to);
    to.publish(publication).then(
      (detail) => {
        if (to !== connection) return;
        if (detail !== null) refusal(publication.topic, detail);
        inFlight--;
        watch(to);
        pump();
      },
      (error: Error) => {
        if (to === connection) ended(to, error.message);
      },
    );
  }

  function watch(to: BrokerConnection): void {
    cancelWatch();
    cancelWatch = () => {};
    if (inFlight === 0) return;
    cancelWatch = clock.after(ACK_MAX, () => {
      if (to === connection) ended(to, `nothing was acknowledged in ${ACK_MAX / SECOND} s`);
    });
  }

  return {
    start,
    isConnected: () => connection !== null,
    retain(publication: Publication): void {
      if (connection === null) return;
      waiting.set(publication.topic, publication);
      pump();
    },
    event(publication: Publication): void {
      if (connection === null) return;
      events = [...events, publication].slice(-EVENTS_MAX);
      pump();
    },
    /** Says a last word, and goodbye. */
    async stop(last: Publication): Promise<void> {
      isStopped = true;
      cancelPause();
      cancelWatch();
      const open = connection;
      connection = null;
      if (open === null) return;
      const patience = new Promise<void>((resolve) => void clock.after(2 * SECOND, resolve));
      await Promise.race([open.publish(last).catch(() => null), patience]);
      await Promise.race([open.close().catch(() => undefined), patience]);
      open.drop();
    },
  };
}
