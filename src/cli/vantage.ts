import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { JoinToken } from "../core/plan.ts";
import { isSecret } from "../core/standard-webhooks.ts";
import { runVantage } from "../engine/vantage.ts";
import type { VantageLog } from "../engine/vantage-port.ts";
import { createMacMemory } from "../probes/mac-memory.ts";
import { runRound } from "../probes/round.ts";
import { hmac } from "../runtime/node/hmac.ts";
import type { IngressChoice } from "../runtime/node/ingress-parts.ts";
import { MODULES_FOLDER, restartLean } from "../runtime/node/lean.ts";
import { createLog } from "../runtime/node/log.ts";
import { settleMemory } from "../runtime/node/memory.ts";
import { createNeighbourFollower } from "../runtime/node/neighbour-events.ts";
import { clock, createProbePorts } from "../runtime/node/probe-ports.ts";
import { type AppOptions, HUB_GONE_MINUTES, readAppOptions } from "../runtime/node/supervisor-options.ts";
import { openVantageDisk } from "../runtime/node/vantage-disk.ts";
import { openHubLine } from "../runtime/node/vantage-line.ts";
import { createTimetable } from "../runtime/node/vantage-timetable.ts";

const USAGE = `Usage: hairpin vantage --join TOKEN | --join-file FILE | --options FILE [--data DIR] [--ingress ADDRESS:PORT]

Probes on schedule from this machine and reports to the hub. Where to look and how often comes from the hub.

  --join TOKEN      the join token, from "hairpin token vantage NAME" on the hub; or in HAIRPIN_JOIN
  --join-file FILE  a file that holds it
  --data DIR        where the last plan and unsent observations are kept (default /var/lib/hairpin-vantage)
  --ingress ADDRESS:PORT   serve a page with what this vantage sees and a button to heal; or in HAIRPIN_INGRESS
  --ingress-from NETWORK   who may see it (default 172.30.32.2, Home Assistant's supervisor); or in HAIRPIN_INGRESS_FROM
  --options FILE    the options of the Home Assistant app, with the join token; or in HAIRPIN_OPTIONS
  --json            log JSON lines at a terminal, too; anywhere else they are JSON anyway
  -h, --help        show this help

In a Home Assistant app (SUPERVISOR_TOKEN is set) it tells Home Assistant when the hub is gone. The button wants
vantages: { NAME: { …, heal: true } } in the hub's hairpin.yaml.
Asking who-has needs arping and CAP_NET_RAW; without them the neighbour table alone is read.
`;
/** Node's own parser: commander would cost this process memory all its life. */
const OPTIONS = {
  join: { type: "string" },
  "join-file": { type: "string" },
  data: { type: "string", default: "/var/lib/hairpin-vantage" },
  ingress: { type: "string" },
  "ingress-from": { type: "string" },
  options: { type: "string" },
  json: { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
} as const;
/** What the contract allows a process from the signal to its end. */
const CLOSE_MS = 2_000;
/** Where the supervisor is in the network of every Home Assistant (developers.home-assistant.io, "Presenting your app"). */
const SUPERVISOR_ADDRESS = "172.30.32.2";

type Flags = ReturnType<typeof parseArgs<{ options: typeof OPTIONS; strict: true }>>["values"];

export async function run(argv: readonly string[]): Promise<number> {
  let flags: Flags;
  try {
    flags = parseArgs({ args: [...argv], options: OPTIONS, strict: true }).values;
  } catch (error) {
    return usage((error as Error).message);
  }
  if (flags.help) {
    // Also how the cache of modules is filled: the page's belong there only where there is a page.
    if (flags.ingress !== undefined)
      await Promise.all([import("../runtime/node/ingress-parts.ts"), import("../runtime/node/ingress.ts")]);
    process.stdout.write(USAGE);
    return 0;
  }
  const path = flags.options ?? process.env["HAIRPIN_OPTIONS"];
  const options = path === undefined ? null : readAppOptions(path);
  if (typeof options === "string") return usage(options);
  let token: JoinToken | string;
  try {
    const file = flags["join-file"];
    const given = flags.join ?? (file === undefined ? undefined : readFileSync(file, "utf8"));
    token = parseJoinToken(given ?? options?.joinToken ?? process.env["HAIRPIN_JOIN"] ?? "");
  } catch (error) {
    return usage(`the join token cannot be read: ${(error as Error).message}`);
  }
  if (typeof token === "string") return usage(token);
  const choice = chooseIngress(flags, options);
  if (typeof choice === "string") return usage(choice);
  try {
    openVantageDisk(flags.data);
  } catch (error) {
    return usage(`${flags.data} cannot be written (${(error as NodeJS.ErrnoException).code}): give --data DIR`);
  }
  if (options?.logLevel) process.env["HAIRPIN_LOG"] = options.logLevel;
  const page = choice === null ? [] : ["--ingress", "127.0.0.1:0"];
  const modules = choice === null ? MODULES_FOLDER : `${MODULES_FOLDER}-ingress`;
  restartLean(join(flags.data, modules), ["vantage", ...page, "--help"]);
  await watch(token, flags.data, choice, { whoHas: options?.whoHas ?? true, json: flags.json });
  return 0;
}

/** What it does in Home Assistant; null: nothing, which is every other vantage. A string says what is wrong. */
function chooseIngress(flags: Flags, options: AppOptions | null): IngressChoice | null | string {
  const listen = flags.ingress ?? process.env["HAIRPIN_INGRESS"] ?? null;
  const from = (flags["ingress-from"] ?? process.env["HAIRPIN_INGRESS_FROM"] ?? SUPERVISOR_ADDRESS).split(",");
  const secret = process.env["SUPERVISOR_TOKEN"];
  if (listen === null && secret === undefined) return null;
  const [, address, port] = /^(.+):(\d{1,5})$/.exec(listen ?? "") ?? [];
  if (listen !== null && (isIP(address?.replace(/^\[|\]$/g, "") ?? "") === 0 || Number(port) > 65_535))
    return `--ingress ${listen}: ADDRESS:PORT is wanted, such as 0.0.0.0:8099`;
  const wrong = from.find((network) => isIP(network.replace(/\/\d{1,3}$/, "")) === 0);
  if (wrong !== undefined)
    return `--ingress-from ${wrong}: an address or a network is wanted, such as ${SUPERVISOR_ADDRESS}`;
  const url = process.env["HAIRPIN_SUPERVISOR"] ?? "http://supervisor";
  if (!URL.canParse(url)) return "HAIRPIN_SUPERVISOR: a URL is wanted, such as http://supervisor";
  return {
    listen,
    from,
    healButton: options?.healButton ?? true,
    supervisor: secret === undefined ? null : { url, token: secret },
    hubGoneMs: hubGoneMs(options),
  };
}

/** Seconds in the environment are for trying it out; the app's option counts minutes. */
function hubGoneMs(options: AppOptions | null): number {
  const seconds = Number(process.env["HAIRPIN_HUB_GONE_S"] ?? Number.NaN);
  return Number.isFinite(seconds) ? seconds * 1_000 : (options?.hubGoneMinutes ?? HUB_GONE_MINUTES) * 60_000;
}

async function watch(
  token: JoinToken,
  data: string,
  choice: IngressChoice | null,
  { whoHas, json }: { readonly whoHas: boolean; readonly json: boolean },
): Promise<void> {
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.on(signal, () => {
      stop.abort();
      setTimeout(() => process.exit(0), CLOSE_MS - 200).unref();
    });
  }
  const pino = createLog("vantage", json);
  const log: VantageLog = (level, fields, message) => pino[level](fields, message);
  settleMemory();
  const neighbours = createNeighbourFollower();
  stop.signal.addEventListener("abort", neighbours.stop);
  const probes = { ...createProbePorts({ whoHas }), macs: createMacMemory(clock, neighbours.follow) };
  const bootId = randomBytes(8).toString("hex");
  const [reports, plans] = [openHubLine(token.hub), openHubLine(token.hub)];
  const ingress =
    choice === null
      ? null
      : (await import("../runtime/node/ingress-parts.ts")).createIngress(choice, { clock, log, token, bootId, data });
  await Promise.all([
    runVantage(
      {
        clock,
        log,
        round: (request, signal) => runRound(request, probes, signal),
        timetable: createTimetable(log),
        reports: ingress?.watch.watched(reports) ?? reports,
        plans: ingress?.watch.watched(plans) ?? plans,
        disk: openVantageDisk(data),
        hmac,
        token,
        bootId,
        ...(ingress === null ? {} : { seen: ingress.sight.see }),
      },
      stop.signal,
    ),
    ingress?.run(stop.signal),
  ]);
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
