import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const SCRIPT = fileURLToPath(new URL("../../deploy/host/uninstall.sh", import.meta.url));
const CANNOT_TELL = 3;

/**
 * `hairpin uninstall`: deploy/host/uninstall.sh with the same flags. The script may remove the program that started it, so nothing
 * is loaded after it; its exit code is ours.
 */
export async function run(argv: readonly string[]): Promise<number> {
  if (!existsSync(SCRIPT)) {
    process.stderr.write(`hairpin uninstall: ${SCRIPT} is missing: run it from a checkout\n`);
    return CANNOT_TELL;
  }
  const ran = spawnSync("bash", [SCRIPT, ...argv], { stdio: "inherit" });
  if (ran.error !== undefined) {
    process.stderr.write(`hairpin uninstall: bash could not be started: ${ran.error.message}\n`);
    return CANNOT_TELL;
  }
  return ran.status ?? CANNOT_TELL;
}
