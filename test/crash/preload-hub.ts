/**
 * Test only: given to the hub process with `node --import`, it counts the transactions of its store by what they write, and kills the
 * process just before or just after the COMMIT that HAIRPIN_CRASH_AT names.
 */
import fs from "node:fs";
import { DatabaseSync, StatementSync } from "node:sqlite";

const at = process.env["HAIRPIN_CRASH_AT"] ?? null;
const log = fs.openSync(process.env["HAIRPIN_CRASH_LOG"]!, "a");
const seen = new Map<string, number>();
let tables = new Set<string>();

function point(label: string): void {
  const count = (seen.get(label) ?? 0) + 1;
  seen.set(label, count);
  const name = `${label} #${count}`;
  fs.writeSync(log, `${name}\n`);
  if (name === at) process.kill(process.pid, "SIGKILL");
}

const { exec } = DatabaseSync.prototype;
DatabaseSync.prototype.exec = function (this: DatabaseSync, sql: string): void {
  if (sql.startsWith("BEGIN")) tables = new Set();
  const label = sql === "COMMIT" ? [...tables].sort().join("+") : null;
  if (label !== null) point(`before the commit of ${label}`);
  exec.call(this, sql);
  if (label !== null) point(`after the commit of ${label}`);
};

const { run } = StatementSync.prototype;
StatementSync.prototype.run = function (this: StatementSync, ...values: Parameters<typeof run>) {
  const table = /^(?:INSERT INTO|DELETE FROM|UPDATE) (\w+)/.exec(this.sourceSQL)?.[1];
  if (table !== undefined) tables.add(table);
  return run.apply(this, values);
} as typeof run;
