import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import { type SqlPort, type SqlRow, StoreError } from "../../engine/store.ts";

export interface SqliteStore extends SqlPort {
  close(): void;
}

/**
 * node:sqlite behind the store's port. WAL with synchronous FULL: a transaction that returned is on the disk. An exclusive lock
 * keeps a second hub off the same file. Throws StoreError when the file cannot be opened or written.
 */
export function openSqlite(directory: string): SqliteStore {
  const file = directory === ":memory:" ? directory : join(directory, "hub.sqlite");
  let database: DatabaseSync;
  try {
    if (directory !== ":memory:") mkdirSync(directory, { recursive: true, mode: 0o750 });
    database = new DatabaseSync(file);
    // The lock first: with it, WAL needs no shared memory file.
    database.exec(
      "PRAGMA busy_timeout = 2000; PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;",
    );
    database.exec("PRAGMA cache_size = -2048; PRAGMA wal_autocheckpoint = 200; PRAGMA journal_size_limit = 4194304;");
  } catch (error) {
    throw new StoreError(`${file}: ${(error as Error).message}`);
  }
  const statements = new Map<string, StatementSync>();
  const prepared = (sql: string): StatementSync => {
    const known = statements.get(sql);
    if (known !== undefined) return known;
    const statement = database.prepare(sql);
    statements.set(sql, statement);
    return statement;
  };
  const guarded = <T>(work: () => T): T => {
    try {
      return work();
    } catch (error) {
      if ((error as { code?: string }).code === "ERR_SQLITE_ERROR") throw new StoreError((error as Error).message);
      throw error;
    }
  };
  let depth = 0;
  return {
    all: (sql, ...values) => guarded(() => prepared(sql).all(...(values as SQLInputValue[])) as SqlRow[]),
    run: (sql, ...values) => guarded(() => void prepared(sql).run(...(values as SQLInputValue[]))),
    transaction(work) {
      if (depth > 0) return work();
      guarded(() => database.exec("BEGIN IMMEDIATE"));
      depth++;
      try {
        const result = work();
        guarded(() => database.exec("COMMIT"));
        return result;
      } catch (error) {
        try {
          database.exec("ROLLBACK");
        } catch {
          // A full disk has rolled it back already.
        }
        throw error;
      } finally {
        depth--;
      }
    },
    close() {
      statements.clear();
      database.close();
    },
  };
}
