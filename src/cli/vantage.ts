import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { JoinToken } from "../core/plan.ts";
import { isSecret } from "../core/standard-webhooks.ts";
import { runVantage } from "../engine/vantage.ts";
import type { VantageLog } from "../engine/vantage-port.ts";
import { runRound } from "../probes/round.ts";
import { hmac } from "../runtime/node/hmac.ts";
import { restartLean } from "../runtime/node/lean.ts";
import { createLog } from "../runtime/node/log.ts";
import { settleMemory } from "../runtime/node/memory.ts";
import { createProbePorts } from "../runtime/node/probe-ports.ts";
import { openVantageDisk } from "../runtime/node/vantage-disk.ts";
import { openHubLine } from "../runtime/node/vantage-line.ts";
import { createTimetable } from "../runtime/node/vantage-timetable.ts";

const USAGE = `Usage: hairpin vantage --join TOKEN | --join-file FILE [--data DIR]

Probes on schedule from this machine and reports to the hub. Where to look and how often comes from the hub.

  --join TOKEN      the join token, from "hairpin token vantage NAME" on the hub; or in HAIRPIN_JOIN
  --join-file FILE  a file that holds it
  --data DIR        where the last plan and unsent observations are kept (default /var/lib/hairpin-vantage)
  -h, --help        show this help

Asking who-has needs arping and CAP_NET_RAW; without them the neighbour table alone is read.
`;
/** Node's own parser: commander would cost this process memory all its life. */
const OPTIONS = {
  join: { type: "string" },
  "join-file": { type: "string" },
  data: { type: "string", default: "/var/lib/hairpin-vantage" },
  help: { type: "boolean", short: "h", default: false },
} as const;
/** What the contract allows a process from the signal to its end. */
const CLOSE_MS = 2_000;

export async function run(argv: readonly string[]): Promise<number> {
  let flags: { readonly join?: string; readonly "join-file"?: string; readonly data: string; readonly help: boolean };
  try {
    flags = parseArgs({ args: [...argv], options: OPTIONS, strict: true }).values;
  } catch (error) {
    return usage((error as Error).message);
  }
  if (flags.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  let token: JoinToken | string;
  try {
    const file = flags["join-file"];
    token = parseJoinToken(
      flags.join ?? (file === undefined ? process.env["HAIRPIN_JOIN"] : readFileSync(file, "utf8")) ?? "",
    );
  } catch (error) {
    return usage(`the join token cannot be read: ${(error as Error).message}`);
  }
  if (typeof token === "string") return usage(token);
  try {
    openVantageDisk(flags.data);
  } catch (error) {
    return usage(`${flags.data} cannot be written (${(error as NodeJS.ErrnoException).code}): give --data DIR`);
  }
  restartLean(join(flags.data, "modules"), ["vantage", "--help"]);
  await watch(token, flags.data);
  return 0;
}

async function watch(token: JoinToken, data: string): Promise<void> {
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.on(signal, () => {
      stop.abort();
      setTimeout(() => process.exit(0), CLOSE_MS - 200).unref();
    });
  }
  const pino = createLog("vantage");
  const log: VantageLog = (level, fields, message) => pino[level](fields, message);
  settleMemory();
  const probes = createProbePorts();
  const [reports, plans] = [openHubLine(token.hub), openHubLine(token.hub)];
  await runVantage(
    {
      clock: probes.clock,
      log,
      round: (request, signal) => runRound(request, probes, signal),
      timetable: createTimetable(log),
      reports,
      plans,
      disk: openVantageDisk(data),
      hmac,
      token,
      bootId: randomBytes(8).toString("hex"),
    },
    stop.signal,
  );
  await Promise.all([reports.close(), plans.close()]);
}

function usage(problem: string): number {
  process.stderr.write(`hairpin vantage: ${problem}\n\n${USAGE}`);
  return 2;
}

/** Reads "hairpin1." and base64url of JSON; a string says what is wrong, without showing any of it. */
export function parseJoinToken(text: string): JoinToken | string {
  const [, encoded] = /^hairpin1\.([A-Za-z0-9_-]{16,4096})$/.exec(text.trim()) ?? [];
  if (encoded === undefined)
    return text.trim() === ""
      ? "no join token: --join, --join-file or HAIRPIN_JOIN"
      : 'not a join token: it begins with "hairpin1."';
  let value: Partial<Record<keyof JoinToken, unknown>>;
  try {
    value = JSON.parse(Buffer.from(encoded, "base64url").toString("utf8"));
  } catch {
    return "the join token is damaged: was it copied whole?";
  }
  const { hub, site, vantage, key } = value ?? {};
  if (typeof hub !== "string" || !URL.canParse(hub)) return "the join token has no hub address";
  const host = new URL(hub).hostname.replace(/^\[|\]$/g, "");
  if (isIP(host) === 0)
    return `the join token's hub ${host} is a name: an IP literal is wanted, since DNS may be what is broken`;
  if (typeof site !== "string" || typeof vantage !== "string") return "the join token names no site or vantage";
  if (typeof key !== "string" || !isSecret(key)) return "the join token's key is not of its form";
  return { hub, site, vantage, key };
}
