import { type SqlPort, type SqlRow, StoreError } from "../../engine/store.ts";

/** The SQLite of a Durable Object behind the store's port: its writes are durable before any answer leaves the object. */
export function durableSql(storage: DurableObjectStorage, onWritten?: (rows: number) => void): SqlPort {
  const exec = (sql: string, values: readonly (string | number | null)[]): SqlRow[] => {
    try {
      const cursor = storage.sql.exec(sql, ...values);
      const rows = cursor.toArray() as SqlRow[];
      onWritten?.(cursor.rowsWritten);
      return rows;
    } catch (error) {
      throw new StoreError(error instanceof Error ? error.message : String(error));
    }
  };
  return {
    all: (sql, ...values) => exec(sql, values),
    run: (sql, ...values) => void exec(sql, values),
    transaction: (work) => storage.transactionSync(work),
  };
}
