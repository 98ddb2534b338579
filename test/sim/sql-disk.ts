import type { Delivery } from "../../src/core/delivery.ts";
import type { HairpinEvent } from "../../src/core/event.ts";
import type { GroupState } from "../../src/core/group.ts";
import { type SqlPort, StoreError } from "../../src/engine/store.ts";
import { SQL } from "../../src/engine/store-sql.ts";
import { openSqlite, type SqliteStore } from "../../src/runtime/node/store-sqlite.ts";
import type { Life } from "./life.ts";
import type { Happening, Witness } from "./witness.ts";

/** The hub's database: the real adapter on node:sqlite in memory, which outlives the hub's process and may refuse writes. */
export interface SqlDisk {
  full: boolean;
  /** The report that is being taken: told as accepted in the moment in which its mark is durable, before anything is decided by it. */
  intake: Happening | null;
  port(hub: string, life: Life): SqlPort;
  /** A copy as a restored snapshot of the machine would have it. */
  copy(): SqlDisk;
  /** Reads behind the hub's back. */
  rows(sql: string): readonly Readonly<Record<string, unknown>>[];
  close(): void;
}

const TABLES = [
  "meta",
  "groups",
  "marks",
  "receipts",
  "observations",
  "events",
  "outbox",
  "subscribers",
  "asks",
  "heals",
  "incidents",
];

export function createSqlDisk(witness: Witness, from?: SqliteStore): SqlDisk {
  const sqlite = openSqlite(":memory:");
  const states = new Map<string, GroupState>();
  if (from !== undefined) copyAll(from, sqlite);
  let pending: (() => void)[] = [];

  /** What a transaction is about to make durable, told once it is. */
  const follow = (hub: string, sql: string, values: readonly unknown[]) => {
    if (sql === SQL.groupSet) {
      const after = JSON.parse(String(values[1])) as GroupState;
      pending.push(() => {
        const before = states.get(after.group) ?? null;
        states.set(after.group, after);
        witness.tell({ kind: "group", hub, before, after });
      });
    } else if (sql === SQL.markSet && disk.intake !== null) {
      const { intake } = disk;
      disk.intake = null;
      pending.push(() => witness.tell(intake));
    } else if (sql === SQL.eventAdd) {
      const event = JSON.parse(String(values[2])) as HairpinEvent;
      pending.push(() => witness.tell({ kind: "event", hub, event }));
    } else if (sql === SQL.outboxSet) {
      const row = JSON.parse(String(values[4])) as Delivery;
      pending.push(() => witness.tell({ kind: "row", hub, row }));
    }
  };

  const disk: SqlDisk = {
    full: false,
    intake: null,
    port(hub, life) {
      let depth = 0;
      const gone = () => {
        throw new StoreError("the process is dead");
      };
      return {
        all: (sql, ...values) => (life.alive ? sqlite.all(sql, ...values) : gone()),
        run(sql, ...values) {
          if (!life.touch()) return gone();
          if (disk.full) throw new StoreError("database or disk is full");
          sqlite.run(sql, ...values);
          follow(hub, sql, values);
          if (depth === 0) flush();
        },
        transaction(work) {
          if (depth > 0) return work();
          if (!life.touch()) return gone();
          if (disk.full) throw new StoreError("database or disk is full");
          pending = [];
          depth++;
          try {
            const result = sqlite.transaction(() => {
              const made = work();
              // Killed just before the commit: nothing of it remains.
              if (!life.touch()) gone();
              return made;
            });
            flush();
            // Killed just after it: all of it remains, and none of its effects has run.
            if (!life.touch()) gone();
            return result;
          } finally {
            depth--;
          }
        },
      };
    },
    copy: () => createSqlDisk(witness, sqlite),
    rows: (sql) => sqlite.all(sql),
    close: () => sqlite.close(),
  };

  function flush(): void {
    const told = pending;
    pending = [];
    for (const tell of told) tell();
  }
  return disk;
}

function copyAll(from: SqliteStore, to: SqliteStore): void {
  for (const { sql } of from.all("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")) to.run(String(sql));
  for (const table of TABLES) {
    for (const row of from.all(`SELECT * FROM ${table}`)) {
      const names = Object.keys(row);
      const sql = `INSERT INTO ${table} (${names.join(", ")}) VALUES (${names.map(() => "?").join(", ")})`;
      to.run(sql, ...names.map((name) => row[name]!));
    }
  }
}
