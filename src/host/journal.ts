import type { HubInstance, RepairReport, Step } from "../core/repair.ts";
import type { Millis } from "../core/units.ts";
import { crc32 } from "./checksum.ts";
import type { JournalDisk } from "./port.ts";

/** Who asked for a repair. Only `hub` and `person` spend a budget. */
export type Asker = "guard" | "hub" | "person";

/** One line of the journal. `ledger` is this host's ledger time in milliseconds (safety.md, "Words"). */
export type JournalRecord =
  /** A start of the process; the MACs declared then show later which ones a link had before. */
  | {
      readonly kind: "open";
      readonly at: string;
      readonly ledger: Millis;
      readonly boot: string;
      readonly macs: Readonly<Record<string, string>>;
    }
  | {
      readonly kind: "intent";
      readonly at: string;
      readonly ledger: Millis;
      readonly id: string;
      readonly step: Step;
      readonly by: Asker;
      readonly link: string;
      readonly epoch: number;
      /** Null or absent: it did not name itself. */
      readonly hub?: HubInstance | null;
    }
  | { readonly kind: "end"; readonly at: string; readonly ledger: Millis; readonly report: RepairReport }
  /** The link was seen with a MAC that is not the declared one. */
  | { readonly kind: "mac"; readonly at: string; readonly ledger: Millis; readonly link: string; readonly mac: string }
  | {
      readonly kind: "breaker";
      readonly at: string;
      readonly ledger: Millis;
      readonly open: boolean;
      readonly why: string | null;
    }
  /** Ledger time passes without other records too. */
  | { readonly kind: "tick"; readonly at: string; readonly ledger: Millis }
  /** What survives a rewrite of a journal that has grown too long. */
  | {
      readonly kind: "kept";
      readonly at: string;
      readonly ledger: Millis;
      readonly epoch: number;
      /** The greatest epoch obeyed of each hub. */
      readonly epochs?: Readonly<Record<string, number>>;
      readonly holder?: HubInstance | null;
      readonly failures: number;
    };

export type JournalHealth = "ok" | "unreadable" | "unwritable";

const NEWLINE = 10;
const SPACE = 32;
/** A line longer than this is not ours: a report has at most some tens of commands with 4 KiB of output each. */
const LINE_MAX = 1_048_576;
/** The journal is rewritten when it has grown to this size. */
export const JOURNAL_MAX = 1_048_576;
/** Room that must be left on the disk for a remedy to begin (safety.md, "Gates"). */
export const FREE_MIN = 1_048_576;

const KINDS: ReadonlySet<unknown> = new Set(["open", "intent", "end", "mac", "breaker", "tick", "kept"]);

/**
 * A line: newline, checksum, space, JSON. The newline comes first, so that whatever a crash left behind is closed by the next
 * line rather than glued to it.
 */
export function encodeLine(record: JournalRecord): Uint8Array {
  const json = new TextEncoder().encode(JSON.stringify(record));
  const head = new TextEncoder().encode(`\n${crc32(json)} `);
  const line = new Uint8Array(head.length + json.length);
  line.set(head);
  line.set(json, head.length);
  return line;
}

export interface Decoded {
  readonly records: readonly JournalRecord[];
  /** Bytes up to the end of the last good line: what a torn tail is cut back to. */
  readonly length: number;
  /** The last line was torn by a crash: skipped. */
  readonly torn: boolean;
  /** A line before the last does not hold: nothing after it can be trusted, nor the budget that it would have counted. */
  readonly unreadable: string | null;
}

/** Reads a journal. Only the last line may be bad: that is a crash in mid-write, before its intent could have had an effect. */
export function decodeJournal(bytes: Uint8Array): Decoded {
  const records: JournalRecord[] = [];
  let start = bytes[0] === NEWLINE ? 1 : 0;
  let length = 0;
  if (bytes.length > 0 && start === 0) return firstLineTorn(bytes);
  for (let number = 1; start <= bytes.length && bytes.length > 0; number++) {
    const found = bytes.indexOf(NEWLINE, start);
    const end = found === -1 ? bytes.length : found;
    const record = parseLine(bytes.subarray(start, end));
    if (record === null) {
      if (found === -1) return { records, length, torn: true, unreadable: null };
      return { records, length, torn: false, unreadable: `line ${number} (byte ${start}) does not match its checksum` };
    }
    records.push(record);
    length = end;
    start = end + 1;
  }
  return { records, length, torn: false, unreadable: null };
}

/** A file that does not begin with a newline was not begun by us, unless all of it is one torn line. */
function firstLineTorn(bytes: Uint8Array): Decoded {
  const only = bytes.indexOf(NEWLINE) === -1 && bytes.length < LINE_MAX && bytes.every((byte) => byte === 0);
  return {
    records: [],
    length: 0,
    torn: only,
    unreadable: only ? null : "the file does not begin with a line of this journal",
  };
}

function parseLine(line: Uint8Array): JournalRecord | null {
  if (line.length < 11 || line.length > LINE_MAX || line[8] !== SPACE) return null;
  const json = line.subarray(9);
  if (new TextDecoder().decode(line.subarray(0, 8)) !== crc32(json)) return null;
  try {
    const record: unknown = JSON.parse(new TextDecoder().decode(json));
    return typeof record === "object" && record !== null && "kind" in record && KINDS.has(record.kind)
      ? (record as JournalRecord)
      : null;
  } catch {
    return null;
  }
}

/** Owns the journal file. `append` returns only when the line is on the disk; when it cannot, it says so and nothing may be run. */
export interface Journal {
  readonly records: readonly JournalRecord[];
  readonly health: () => JournalHealth;
  readonly detail: () => string | null;
  readonly torn: boolean;
  /** True when the record is durable. False: refuse to act. */
  readonly append: (record: JournalRecord) => boolean;
  readonly size: () => number;
  /** Puts these records in the place of all others; a failure leaves the old file as it was. */
  readonly rewrite: (records: readonly JournalRecord[]) => boolean;
  /** Whether there is room for a remedy. */
  readonly hasRoom: () => boolean;
}

export function openJournal(disk: JournalDisk): Journal {
  let health: JournalHealth = "ok";
  let detail: string | null = null;
  let size = 0;
  let decoded: Decoded = { records: [], length: 0, torn: false, unreadable: null };
  const fail = (why: JournalHealth, error: unknown): false => {
    if (health !== "unreadable") health = why;
    detail = error instanceof Error ? error.message : String(error);
    return false;
  };
  try {
    const bytes = disk.read();
    if (bytes === null) {
      disk.append(new Uint8Array(0));
      disk.sync();
      disk.syncDirectory();
    } else {
      decoded = decodeJournal(bytes);
      size = decoded.length;
      if (decoded.unreadable !== null) fail("unreadable", decoded.unreadable);
      else if (decoded.length < bytes.length) {
        disk.truncate(decoded.length);
        disk.sync();
      }
    }
  } catch (error) {
    fail("unwritable", error);
  }

  const append = (record: JournalRecord): boolean => {
    if (health === "unreadable") return false;
    const line = encodeLine(record);
    try {
      // After a failure the file may hold half a line: it is cut back before anything else is written.
      if (health === "unwritable") disk.truncate(size);
      disk.append(line);
      disk.sync();
    } catch (error) {
      fail("unwritable", error);
      try {
        disk.truncate(size);
      } catch {
        // Tried again before the next line.
      }
      return false;
    }
    health = "ok";
    detail = null;
    size += line.length;
    return true;
  };

  return {
    records: decoded.records,
    torn: decoded.torn,
    health: () => health,
    detail: () => detail,
    append,
    size: () => size,
    rewrite: (records) => {
      if (health === "unreadable") return false;
      const lines = records.map(encodeLine);
      const bytes = new Uint8Array(lines.reduce((sum, line) => sum + line.length, 0));
      let offset = 0;
      for (const line of lines) {
        bytes.set(line, offset);
        offset += line.length;
      }
      try {
        disk.replace(bytes);
        size = bytes.length;
        return true;
      } catch (error) {
        detail = error instanceof Error ? error.message : String(error);
        return false;
      }
    },
    hasRoom: () => {
      try {
        const free = disk.free();
        return free === null || free >= FREE_MIN;
      } catch {
        return false;
      }
    },
  };
}
