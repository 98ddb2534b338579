import { mkdirSync } from "node:fs";
import { mkdir, open, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { VantageDisk } from "../../engine/vantage-port.ts";

/** A file larger than this is not ours. */
const FILE_MAX = 1_048_576;
/** Numbers are padded, so that the order of the names is the order of the rounds. */
const SPOOLED = /^(\d{16})\.json$/;

/**
 * The vantage's directory: plan.json, seq, spool/. Files are replaced by renaming, so that a power cut leaves the old or the new
 * one. Only the sequence is synchronised: a lost observation is a gap, a number used twice would overwrite another one.
 */
export function openVantageDisk(directory: string): VantageDisk {
  const spool = join(directory, "spool");
  mkdirSync(spool, { recursive: true, mode: 0o700 });
  const spoolFile = (seq: number) => join(spool, `${String(seq).padStart(16, "0")}.json`);
  return {
    readPlan: () => readText(join(directory, "plan.json")),
    writePlan: (text) => replace(join(directory, "plan.json"), text),
    async readSeq() {
      const seq = Number(await readText(join(directory, "seq")));
      return Number.isSafeInteger(seq) && seq > 0 ? seq : 0;
    },
    writeSeq: (seq) => replace(join(directory, "seq"), `${seq}\n`, true),
    async spooled() {
      const names = await readdir(spool).catch(() => []);
      return names
        .flatMap((name) => SPOOLED.exec(name)?.[1] ?? [])
        .map(Number)
        .sort((a, b) => a - b);
    },
    readSpooled: (seq) => readText(spoolFile(seq)),
    async writeSpooled(seq, body) {
      await mkdir(spool, { recursive: true, mode: 0o700 });
      await replace(spoolFile(seq), body);
    },
    removeSpooled: (seq) => rm(spoolFile(seq), { force: true }),
  };
}

async function readText(path: string): Promise<string | null> {
  try {
    const text = await readFile(path, "utf8");
    return text.length <= FILE_MAX ? text : null;
  } catch {
    return null;
  }
}

async function replace(path: string, text: string, durable = false): Promise<void> {
  const draft = `${path}.new`;
  if (durable) {
    const file = await open(draft, "w", 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
  } else {
    await writeFile(draft, text, { mode: 0o600 });
  }
  await rename(draft, path);
}
