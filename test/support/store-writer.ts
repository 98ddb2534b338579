/**
 * Writes to a store as a hub does, without end: `node store-writer.ts DIRECTORY`. Every transaction moves one from a random row to
 * another one on another page: a copy of any moment has the same sum, and one that mixes two moments has not. `moves` counts them.
 */
import { openSqlite } from "../../src/runtime/node/store-sqlite.ts";

/** Large enough that reading it takes longer than SQLite needs between two moves of its log into the file. */
const ROWS = 1_000;
const store = openSqlite(process.argv[2]!);
store.run("CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID");
store.run("CREATE TABLE moves (n INTEGER NOT NULL)");
store.run("INSERT INTO moves VALUES (0)");
store.run("CREATE TABLE account (n INTEGER PRIMARY KEY, amount INTEGER NOT NULL, filler TEXT NOT NULL)");
store.transaction(() => {
  for (let row = 0; row < ROWS; row++)
    store.run("INSERT INTO account (amount, filler) VALUES (1000000, hex(randomblob(4000)))");
});
process.stdout.write("ready\n");

const anyRow = (): number => 1 + Math.floor(Math.random() * ROWS);

function step(): void {
  store.transaction(() => {
    store.run("UPDATE account SET amount = amount - 1 WHERE n = ?", anyRow());
    store.run("UPDATE account SET amount = amount + 1 WHERE n = ?", anyRow());
    store.run("UPDATE moves SET n = n + 1");
  });
  setImmediate(step);
}
step();
