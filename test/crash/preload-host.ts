/**
 * Test only: given to the host process with `node --import`, it counts the points at which a crash matters (each write and flush of
 * the journal, each command that changes the host, each sysctl) and kills the process at the one that HAIRPIN_CRASH_AT names.
 * Nothing in src knows of it: it stands between the host and Node's own modules.
 */
import childProcess from "node:child_process";
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { basename } from "node:path";

const { openSync, writeSync, fdatasyncSync, writeFileSync } = fs;
const { spawn } = childProcess;
const at = process.env["HAIRPIN_CRASH_AT"] ?? null;
const log = openSync(process.env["HAIRPIN_CRASH_LOG"]!, "a");
const seen = new Map<string, number>();
const say = (line: object) => writeSync(log, `${JSON.stringify(line)}\n`);
const die = () => process.kill(process.pid, "SIGKILL");

/** The nth time that this point is reached. */
function reach(label: string): string {
  const count = (seen.get(label) ?? 0) + 1;
  seen.set(label, count);
  const point = `${label} #${count}`;
  say({ point });
  return point;
}
const point = (label: string) => {
  if (reach(label) === at) die();
};

let journal: number | null = null;
let record: { kind: string; id: string } | null = null;

/** What a line of the journal says; null for the empty write at its creation. */
function recordOf(bytes: Uint8Array): typeof record {
  const text = Buffer.from(bytes).toString("utf8");
  const json = text.slice(text.indexOf("{"));
  if (json.length < 2) return null;
  const { kind, id, report } = JSON.parse(json) as { kind: string; id?: string; report?: { id: string } };
  return { kind, id: id ?? report?.id ?? "" };
}

fs.openSync = ((...args: Parameters<typeof openSync>) => {
  const handle = openSync(...args);
  // Opened for appending, once; it is also read, by a handle of its own that is closed at once.
  if (basename(String(args[0])) === "journal" && args[1] === "a+") journal = handle;
  return handle;
}) as typeof openSync;

fs.writeSync = ((handle: number, bytes: Uint8Array, ...rest: []) => {
  const now = handle === journal ? recordOf(bytes) : null;
  if (now === null) return writeSync(handle, bytes, ...rest);
  record = now;
  point(`before the write of ${now.kind}`);
  if (reach(`in the write of ${now.kind}`) === at) {
    writeSync(handle, bytes.subarray(0, bytes.length >> 1));
    die();
  }
  const written = writeSync(handle, bytes, ...rest);
  point(`before the flush of ${now.kind}`);
  return written;
}) as typeof writeSync;

fs.fdatasyncSync = (handle: number) => {
  fdatasyncSync(handle);
  if (handle !== journal || record === null) return;
  say({ durable: record.kind, id: record.id });
  point(`after the flush of ${record.kind}`);
};

fs.writeFileSync = ((...args: Parameters<typeof writeFileSync>) => {
  const path = String(args[0]);
  if (!path.startsWith("/proc/sys/")) return writeFileSync(...args);
  point(`before sysctl ${basename(path)}`);
  writeFileSync(...args);
  say({ ran: `sysctl ${basename(path)}` });
  point(`after sysctl ${basename(path)}`);
}) as typeof writeFileSync;

/** The words of a command that changes something; null for a question. */
function change(path: string, args: readonly string[]): string | null {
  const tool = basename(path);
  if (tool === "arping") return tool;
  const words = args.filter((arg) => !arg.startsWith("-")).slice(0, 2);
  return /add|delete|set|replace/.test(words[1] ?? "") ? [tool, ...words].join(" ") : null;
}

childProcess.spawn = ((path: string, args: readonly string[], options: object) => {
  const what = change(path, args);
  if (what === null) return spawn(path, args, options);
  point(`before ${what}`);
  const child = spawn(path, args, options);
  say({ ran: what });
  // Ours is the first listener: the command has ended, and the host does not know it yet.
  child.once("exit", () => point(`after ${what}`));
  point(`during ${what}`);
  return child;
}) as typeof spawn;

syncBuiltinESMExports();
