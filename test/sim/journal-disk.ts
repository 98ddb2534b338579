import { decodeJournal, type JournalRecord } from "../../src/host/journal.ts";
import type { JournalDisk } from "../../src/host/port.ts";
import type { Chance } from "./chance.ts";
import type { Life } from "./life.ts";
import type { Witness } from "./witness.ts";

export type DiskTrouble = "full" | "sync_fails" | null;

/**
 * The disk under the host's journal. What was appended and not flushed survives the death of the process, not a loss of power: then
 * it is gone, or torn at any byte.
 */
export interface JournalFile {
  trouble: DiskTrouble;
  port(life: Life): JournalDisk;
  powerCut(): void;
  readonly bytes: () => Uint8Array;
  readonly ends: () => ReadonlyMap<string, number>;
}

export function createJournalFile(chance: Chance, witness: Witness): JournalFile {
  let bytes: Buffer | null = null;
  let durable = 0;
  let told = 0;
  const ends = new Map<string, number>();

  const announce = () => {
    if (bytes === null || durable <= told) return;
    const { records } = decodeJournal(bytes.subarray(told, durable));
    told = durable;
    for (const record of records) {
      if (record.kind === "end") ends.set(record.report.id, (ends.get(record.report.id) ?? 0) + 1);
      witness.tell({ kind: "journalled", record: record as JournalRecord });
    }
  };
  const dead = (): never => {
    throw new Error("the process is dead");
  };

  const file: JournalFile = {
    trouble: null,
    bytes: () => bytes ?? new Uint8Array(0),
    ends: () => ends,
    powerCut() {
      if (bytes === null || bytes.length <= durable) return;
      witness.count("torn or lost tail of the journal");
      const kept = durable + chance.int(0, bytes.length - durable);
      bytes = bytes.subarray(0, kept);
      durable = bytes.length;
      announce();
    },
    port: (life) => ({
      read: () => {
        if (!life.touch()) return dead();
        if (bytes !== null) durable = bytes.length;
        announce();
        return bytes;
      },
      append: (line) => {
        if (!life.touch()) return dead();
        const before: Buffer = bytes ?? Buffer.alloc(0);
        if (file.trouble === "full") {
          bytes = Buffer.concat([before, line.subarray(0, chance.int(0, line.length - 1))]);
          throw new Error("ENOSPC: no space left on device");
        }
        bytes = Buffer.concat([before, line]);
        // Killed between append and sync: the line is in the page cache, and the next start reads it.
        if (!life.touch()) return dead();
      },
      sync: () => {
        if (!life.touch()) return dead();
        if (file.trouble === "sync_fails") throw new Error("EIO: i/o error");
        durable = bytes?.length ?? 0;
        announce();
        if (!life.touch()) return dead();
      },
      syncDirectory: () => void life.touch(),
      truncate: (length) => {
        if (!life.touch()) return dead();
        bytes = (bytes ?? Buffer.alloc(0)).subarray(0, length);
        durable = Math.min(durable, length);
        told = Math.min(told, length);
      },
      replace: (other) => {
        if (!life.touch()) return dead();
        if (file.trouble !== null) throw new Error("ENOSPC: no space left on device");
        bytes = Buffer.from(other);
        durable = bytes.length;
        told = durable;
      },
      free: () => (file.trouble === "full" ? 100_000 : 1e9),
    }),
  };
  return file;
}
