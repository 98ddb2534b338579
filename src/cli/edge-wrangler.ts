import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { EdgeUsage } from "./edge-place.ts";

/** The checkout: wrangler.toml and the Worker's source are in it. */
export const CHECKOUT = fileURLToPath(new URL("../../", import.meta.url));
const OUTPUT_MAX = 262_144;

export interface WranglerRun {
  readonly code: number;
  readonly stdout: string;
}

/** The wrangler that is used: the one given, else the checkout's own. */
export function findWrangler(given: string | undefined): readonly [string, ...string[]] {
  if (given !== undefined) {
    if (!existsSync(given)) throw new EdgeUsage(`hairpin edge: --wrangler: ${given} is not there`);
    return [given];
  }
  const own = `${CHECKOUT}node_modules/wrangler/bin/wrangler.js`;
  if (!existsSync(own) || !existsSync(`${CHECKOUT}wrangler.toml`))
    throw new EdgeUsage(
      "hairpin edge: wrangler is not installed here. Deploy from a checkout of hairpin in which `npm ci` has run; everything else of `hairpin edge` works anywhere",
    );
  return [process.execPath, own];
}

/**
 * Runs wrangler in the checkout. A secret goes in by stdin and nowhere else: an argv can be read by every user of the machine. What
 * it says is shown on stderr as it comes, and answered.
 */
export function runWrangler(
  wrangler: readonly [string, ...string[]],
  args: readonly string[],
  secret: string | null,
): Promise<WranglerRun> {
  const [program, ...first] = wrangler;
  const child = spawn(program, [...first, ...args], {
    cwd: CHECKOUT,
    // Without a secret to hand over it may ask its own questions, such as for a login.
    stdio: [secret === null ? "inherit" : "pipe", "pipe", "inherit"],
    env: { ...process.env, WRANGLER_SEND_METRICS: "false" },
  });
  let stdout = "";
  child.stdout?.on("data", (chunk: Buffer) => {
    if (stdout.length < OUTPUT_MAX) stdout += chunk.toString();
    process.stderr.write(chunk);
  });
  if (secret !== null) {
    child.stdin?.on("error", () => {}); // It ended before it read; its exit code says so.
    child.stdin?.end(secret);
  }
  return new Promise((done, fail) => {
    child.once("error", fail);
    child.once("close", (code) => done({ code: code ?? 1, stdout }));
  });
}
