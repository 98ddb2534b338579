import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** The houses of the table. `example` is the shipped one, with another node that may announce. */
const HOUSES: Readonly<Record<string, string>> = {
  example: at("../../hairpin.yaml"),
  dual: at("../../src/lab/houses/dual.yaml"),
  guest: at("../../src/lab/houses/guest.yaml"),
};

export const TOPOLOGIES: readonly string[] = Object.keys(HOUSES);

/** The line of the shipped example that is a comment, since most houses have one node. */
const ALSO = /^ {2}# (also: .*)$/m;

/**
 * A house as the table wants it: with `link.also`, without which there is no failover, and with a schedule that is faster by
 * `compression`. Its file lies in a directory of its own.
 */
export function houseFor(
  topology: string,
  compression: number,
): { readonly file: string; readonly remove: () => void } {
  const directory = mkdtempSync(join(tmpdir(), "hairpin-table-"));
  const text = readFileSync(HOUSES[topology]!, "utf8")
    .replace(ALSO, "  $1")
    .replace(/^schedule: .*$/m, `schedule: "*/${10 / compression} * * * * *"`);
  const file = join(directory, `${topology}.yaml`);
  writeFileSync(file, text, { mode: 0o600 });
  return { file, remove: () => rmSync(directory, { recursive: true, force: true }) };
}
