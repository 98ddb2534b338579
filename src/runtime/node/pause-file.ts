import { closeSync, fsyncSync, openSync, renameSync, rmSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import { DAY, type Millis } from "../../core/units.ts";

/** What the reader takes of a reason (host/pause.ts). */
const REASON_MAX = 256;

/** Whether a host process runs here, or may: its run directory is there. */
export function hasRunDirectory(directory: string): boolean {
  return statSync(directory, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/**
 * Writes the pause file of the host that runs in this directory, which holds its guard and its repairs without any hub. In the
 * place of an older one in one move, so that the host never reads half of it. Returns the end; throws when it cannot be written.
 */
export function writePause(directory: string, forMillis: Millis, reason: string | null): string {
  const until = new Date(Date.now() + Math.max(0, Math.min(forMillis, DAY))).toISOString();
  const text = `${JSON.stringify({ until, reason: reason?.slice(0, REASON_MAX) ?? null })}\n`;
  const fresh = join(directory, `pause.${process.pid}.new`);
  // Readable by the host process, whoever it runs as; it holds no secret.
  const handle = openSync(fresh, "w", 0o644);
  try {
    writeSync(handle, text);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  renameSync(fresh, join(directory, "pause"));
  return until;
}

/** Ends the pause of the host that runs in this directory. One that is not paused is left as it is. */
export function removePause(directory: string): void {
  rmSync(join(directory, "pause"), { force: true });
}
