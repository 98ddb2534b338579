import { persistenceOf } from "../../core/boot.ts";
import type { FdbFacts } from "../../core/facts.ts";
import { plain } from "../../core/text.ts";
import type { LookAround } from "../../host/surroundings.ts";
import { lookAtBoot } from "./doctor-boot.ts";
import { runProgram } from "./exec.ts";
import { readGuests } from "./libvirt-guests.ts";

/** A bridge with some hundred guests has a few entries for each, of about 100 bytes. */
const FDB_MAX = 4 * 1_048_576;
const FDB_MS = 3_000;
const ENTRIES_MAX = 64;

/** Reads what stands around a link: `bridge` for the table, the rest from files below `root`. */
export function createLookAround(bridge: string | null, root = "/"): LookAround {
  return async (link) => ({
    fdb: bridge === null ? null : await readFdb(bridge, link.parent, link.mac),
    guests: readGuests(root),
    persistence: persistenceOf(lookAtBoot(root), link),
  });
}

async function readFdb(bridge: string, parent: string, mac: string): Promise<readonly FdbFacts[] | null> {
  const argv = ["-j", "fdb", "show", "br", parent];
  const { exit, stdout } = await runProgram(bridge, argv, { outputMax: FDB_MAX, timeoutMs: FDB_MS });
  return exit === 0 ? parseFdb(stdout, mac) : null;
}

interface FdbRow {
  readonly mac?: unknown;
  readonly ifname?: unknown;
  readonly master?: unknown;
  readonly state?: unknown;
}

/** The bridge's own entries for this MAC; those of a device's filter (`self` without `master`) forward nothing. Null: no such table. */
export function parseFdb(text: string, mac: string): readonly FdbFacts[] | null {
  try {
    const rows: unknown = JSON.parse(text.trim() === "" ? "[]" : text);
    if (!Array.isArray(rows)) return null;
    const own = (rows as (FdbRow | null)[]).flatMap((row) => {
      if (row === null || typeof row !== "object" || typeof row.mac !== "string" || typeof row.ifname !== "string")
        return [];
      if (typeof row.master !== "string" || row.mac.toLowerCase() !== mac) return [];
      const state = typeof row.state === "string" && row.state !== "" ? plain(row.state, 32) : null;
      return [{ port: plain(row.ifname, 64), state }];
    });
    return own.slice(0, ENTRIES_MAX);
  } catch {
    return null;
  }
}
