import { closeSync, existsSync, openSync, readFileSync, readSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { GroupState } from "../../core/group.ts";
import { SQL } from "../../engine/store-sql.ts";

/** A store that cannot be copied now. */
export class StoreCopyError extends Error {
  override name = "StoreCopyError";
}

/** What a copy is of. */
export interface StoreCopy {
  readonly bytes: Buffer;
  /** The name of its hub (engine/hub-identity.ts); null for one that never started. */
  readonly hub: string | null;
}

/** Months of an unquiet house are some 50 MB. */
const STORE_MAX = 512 * 1_048_576;
const WAL_HEADER = 32;
/** The hub moves its log into the file every 200 pages, which takes milliseconds: one of a few readings falls between two. */
const READINGS_MAX = 50;
const PAUSE_MS = 100;
/**
 * How far a restored hub's epoch is moved on: beyond all that the original may have begun since the copy was made (one for each
 * start), so that the host does not refuse it as an older one and no incident gets an id that has been used.
 */
const EPOCHS_AHEAD = 1_000;

/**
 * A consistent copy of a hub's store, whether the hub runs or not. The running hub holds its file exclusively (store-sqlite.ts), so
 * SQLite's own backup is closed to others; but a file and its write-ahead log that were read while nothing was moved between them
 * are what a crash at that moment would leave, and SQLite recovers from that. `scratch` is a private directory.
 */
export function copyStore(directory: string, scratch: string): StoreCopy | null {
  const file = join(directory, "hub.sqlite");
  if (!existsSync(file)) return null;
  const { main, log } = readTogether(file);
  const staged = join(scratch, "staged.sqlite");
  writeFileSync(staged, main, { mode: 0o600 });
  if (log !== null) writeFileSync(`${staged}-wal`, log, { mode: 0o600 });
  const compact = join(scratch, "hub.sqlite");
  const database = new DatabaseSync(staged);
  try {
    const [verdict] = Object.values(database.prepare("PRAGMA quick_check(1)").get() ?? {});
    if (verdict !== "ok") throw new StoreCopyError(`${file} is damaged: ${String(verdict)}`);
    const row = database.prepare(SQL.metaGet).get("hub");
    database.prepare("VACUUM INTO ?").run(compact);
    return {
      bytes: readFileSync(compact),
      hub: row === undefined ? null : (JSON.parse(String(row["value"])) as string),
    };
  } catch (error) {
    if (error instanceof StoreCopyError) throw error;
    throw new StoreCopyError(`${file}: ${(error as Error).message}`);
  } finally {
    database.close();
  }
}

interface Together {
  readonly main: Buffer;
  readonly log: Buffer | null;
}

/** Reads the file twice around its log: both readings equal, and the log not begun anew, means that nothing was moved meanwhile. */
function readTogether(file: string): Together {
  const wal = `${file}-wal`;
  for (let reading = 0; reading < READINGS_MAX; reading++) {
    if (reading > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MS);
    if (statSync(file).size > STORE_MAX) throw new StoreCopyError(`${file} is larger than ${STORE_MAX} bytes`);
    const before = headerOf(wal);
    const main = readFileSync(file);
    const log = before === null ? null : readFileSync(wal);
    const after = headerOf(wal);
    const isSameLog =
      before === null
        ? after === null
        : after?.equals(before) === true && log!.subarray(0, before.length).equals(before);
    if (isSameLog && readFileSync(file).equals(main)) return { main, log };
  }
  throw new StoreCopyError(`${file} was written all the time: try again, or stop the hub meanwhile`);
}

/** The header of a write-ahead log, which changes whenever the log begins anew. Null: there is no log, or an empty one. */
function headerOf(path: string): Buffer | null {
  let handle: number;
  try {
    handle = openSync(path, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
  try {
    const header = Buffer.alloc(WAL_HEADER);
    const length = readSync(handle, header, 0, WAL_HEADER, 0);
    return length === 0 ? null : header.subarray(0, length);
  } finally {
    closeSync(handle);
  }
}

/** Makes a restored copy the latest of its hub's incarnations. */
export function moveEpochsOn(file: string): void {
  const database = new DatabaseSync(file);
  try {
    for (const row of database.prepare(SQL.groupsAll).all()) {
      const state = JSON.parse(String(row["state"])) as GroupState;
      const moved = { ...state, epoch: state.epoch + EPOCHS_AHEAD };
      database.prepare(SQL.groupSet).run(String(row["name"]), JSON.stringify(moved));
    }
  } finally {
    database.close();
  }
}
