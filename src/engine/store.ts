import type { Delivery, SubscriberState } from "../core/delivery.ts";
import type { HairpinEvent } from "../core/event.ts";
import type { GroupState } from "../core/group.ts";
import type { HealRecord } from "../core/heal-record.ts";
import type { Millis } from "../core/units.ts";
import { SCHEMA, SCHEMA_VERSION, SQL } from "./store-sql.ts";

export type SqlValue = string | number | null;
export type SqlRow = Readonly<Record<string, SqlValue>>;

/** What a store adapter offers: synchronous SQL with transactions that are on the disk when they return. */
export interface SqlPort {
  all(sql: string, ...values: readonly SqlValue[]): readonly SqlRow[];
  run(sql: string, ...values: readonly SqlValue[]): void;
  /** Runs everything or nothing. Throws StoreError when the disk does not play along. */
  transaction<T>(work: () => T): T;
}

/** The disk is full, read-only or broken: nothing is acknowledged that needed it. */
export class StoreError extends Error {
  override name = "StoreError";
}

export interface Mark {
  readonly boot_id: string;
  readonly seq: number;
  readonly superseded: readonly string[];
}

/** Bounds of what is kept. Events: months of an unquiet house. */
export const KEPT = {
  events: 10_000,
  dead: 1_000,
  done: 2_000,
  observations: 20_000,
  asks: 2_000,
  heals: 500,
  incidents: 200,
} as const;
/** Events that wait for one subscriber: a day of an unquiet house; beyond it the oldest become dead letters. */
export const QUEUED_MAX = 1_000;
/** How many are looked at to choose the next: every group's head is among them in any house that is told of. */
const OPEN_MAX = 512;

export type HubStore = ReturnType<typeof openStore>;

const parse = <T>(text: SqlValue | undefined): T => JSON.parse(String(text)) as T;

/** The hub's memory in terms of the hub. Creates the tables; refuses a file that a newer hairpin has written. */
export function openStore(sql: SqlPort) {
  sql.transaction(() => {
    for (const statement of SCHEMA) sql.run(statement);
    const version = Number(sql.all(SQL.metaGet, "schema")[0]?.["value"] ?? SCHEMA_VERSION);
    if (version > SCHEMA_VERSION)
      throw new Error(`the store was written by a newer hairpin (schema ${version}, this one knows ${SCHEMA_VERSION})`);
    sql.run(SQL.metaSet, "schema", String(SCHEMA_VERSION));
  });
  return {
    transaction: <T>(work: () => T): T => sql.transaction(work),
    meta: <T>(key: string): T | null => {
      const row = sql.all(SQL.metaGet, key)[0];
      return row === undefined ? null : parse<T>(row["value"]);
    },
    setMeta: (key: string, value: unknown): void => sql.run(SQL.metaSet, key, JSON.stringify(value)),
    ...stateRows(sql),
    ...eventRows(sql),
    ...outboxRows(sql),
    ...healRows(sql),
  };
}

function stateRows(sql: SqlPort) {
  return {
    groups: (): readonly GroupState[] => sql.all(SQL.groupsAll).map((row) => parse<GroupState>(row["state"])),
    setGroup: (state: GroupState): void => sql.run(SQL.groupSet, state.group, JSON.stringify(state)),
    mark: (vantage: string): Mark | null => {
      const row = sql.all(SQL.markGet, vantage)[0];
      return row === undefined
        ? null
        : { boot_id: String(row["boot_id"]), seq: Number(row["seq"]), superseded: parse(row["superseded"]) };
    },
    setMark: (vantage: string, mark: Mark, last: string): void =>
      sql.run(SQL.markSet, vantage, mark.boot_id, mark.seq, JSON.stringify(mark.superseded), last),
    receipt: (vantage: string, id: string): string | null =>
      (sql.all(SQL.receiptGet, vantage, id)[0]?.["digest"] as string | undefined) ?? null,
    addReceipt: (vantage: string, id: string, digest: string, at: Millis): void =>
      sql.run(SQL.receiptSet, vantage, id, digest, at),
    addObservation: (vantage: string, at: Millis, body: string): void => sql.run(SQL.observationAdd, vantage, at, body),
    /** Forgets what is out of its time or beyond its bound. `receiptsBefore` and `dayAgo` are ledger times. */
    prune: (receiptsBefore: Millis, dayAgo: Millis): void => {
      sql.run(SQL.receiptsForget, receiptsBefore);
      sql.run(SQL.observationsForget, dayAgo, KEPT.observations);
      sql.run(SQL.outboxForgetDone, KEPT.done);
      sql.run(SQL.outboxForgetDead, KEPT.dead);
      sql.run(SQL.eventsForget, KEPT.events);
      sql.run(SQL.asksForget, dayAgo, KEPT.asks);
      sql.run(SQL.healsForget, KEPT.heals);
      sql.run(SQL.incidentsForget, KEPT.incidents);
    },
  };
}

function eventRows(sql: SqlPort) {
  const events = (rows: readonly SqlRow[]) => rows.map((row) => parse<HairpinEvent>(row["body"]));
  return {
    lastEventSeq: (): number => Number(sql.all(SQL.eventLast)[0]?.["seq"] ?? 0),
    addEvent: (event: HairpinEvent): void => sql.run(SQL.eventAdd, event.seq, event.group, JSON.stringify(event)),
    event: (seq: number): HairpinEvent | null => events(sql.all(SQL.eventGet, seq))[0] ?? null,
    eventsAfter: (seq: number, limit: number): readonly HairpinEvent[] => events(sql.all(SQL.eventsAfter, seq, limit)),
    latestEvents: (limit: number): readonly HairpinEvent[] => events(sql.all(SQL.eventsLatest, limit)),
  };
}

function outboxRows(sql: SqlPort) {
  const rows = (found: readonly SqlRow[]) => found.map((row) => parse<Delivery>(row["row"]));
  return {
    setDelivery: (row: Delivery): void =>
      sql.run(SQL.outboxSet, row.id, row.subscriber, row.state, row.event_seq, JSON.stringify(row)),
    delivery: (id: string): Delivery | null => rows(sql.all(SQL.outboxGet, id))[0] ?? null,
    /** What is queued or may be repeated; `all`: also what is not repeated any more. */
    openDeliveries: (subscriber: string, all = false): readonly Delivery[] =>
      rows(sql.all(SQL.outboxOpen, subscriber, OPEN_MAX)).filter(
        (row) => all || row.due_mono < Number.MAX_SAFE_INTEGER,
      ),
    /** The latest of one subscriber in their order, whatever became of them. */
    latestDeliveries: (subscriber: string): readonly Delivery[] =>
      rows(sql.all(SQL.outboxLatest, subscriber, OPEN_MAX)),
    deliveries: (deadOnly: boolean, limit: number): readonly Delivery[] =>
      rows(sql.all(deadOnly ? SQL.outboxDead : SQL.outboxList, limit)),
    oldestQueued: (subscriber: string): Delivery | null => rows(sql.all(SQL.outboxQueued, subscriber))[0] ?? null,
    queuedCount: (subscriber: string): number => Number(sql.all(SQL.outboxQueuedCount, subscriber)[0]?.["n"] ?? 0),
    outboxCounts: (): readonly { subscriber: string; state: string; n: number }[] =>
      sql
        .all(SQL.outboxCounts)
        .map((row) => ({ subscriber: String(row["subscriber"]), state: String(row["state"]), n: Number(row["n"]) })),
    subscriberStates: (): readonly SubscriberState[] =>
      sql.all(SQL.subscribersAll).map((row) => parse<SubscriberState>(row["row"])),
    setSubscriber: (row: SubscriberState): void => sql.run(SQL.subscriberSet, row.name, JSON.stringify(row)),
  };
}

function healRows(sql: SqlPort) {
  return {
    ask: (key: string): { digest: string; answer: string } | null => {
      const row = sql.all(SQL.askGet, key)[0];
      return row === undefined ? null : { digest: String(row["digest"]), answer: String(row["answer"]) };
    },
    setAsk: (key: string, digest: string, answer: string, at: Millis): void =>
      sql.run(SQL.askSet, key, digest, answer, at),
    heal: (id: string): HealRecord | null => {
      const row = sql.all(SQL.healGet, id)[0];
      return row === undefined ? null : parse<HealRecord>(row["row"]);
    },
    setHeal: (record: HealRecord, at: Millis): void => sql.run(SQL.healSet, record.id, at, JSON.stringify(record)),
    incident: (id: string): unknown | null => {
      const row = sql.all(SQL.incidentGet, id)[0];
      return row === undefined ? null : parse(row["row"]);
    },
    setIncident: (id: string, at: Millis, record: unknown): void =>
      sql.run(SQL.incidentSet, id, at, JSON.stringify(record)),
  };
}
