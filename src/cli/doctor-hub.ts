import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { House } from "../core/config/house.ts";
import type { HubSight } from "../core/doctor/hub-sight.ts";
import { hubWordsOf } from "../core/doctor/hub-sight.ts";
import type { JoinToken } from "../core/plan.ts";
import { purposeKey } from "../core/purpose-key.ts";
import { sign } from "../core/standard-webhooks.ts";
import type { reportsOf } from "../runtime/node/doctor-telling.ts";
import { hmac } from "../runtime/node/hmac.ts";
import { readSecret } from "../runtime/node/secret-file.ts";
import { readAppOptions } from "../runtime/node/supervisor-options.ts";
import { askHub, type HubAddress, HubError, type HubReply, hubOf, tokenFor } from "./hub-client.ts";

/** It answers within milliseconds; one that does not is not waited for. */
const PATIENCE_MS = 3_000;
/** Where the packages of deploy/lan put a vantage's join token. */
const JOIN_FILES = ["/etc/hairpin/join", "/run/secrets/join"] as const;
const DETAIL_MAX = 200;
const WHY: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there (ECONNREFUSED)",
  ENOENT: "its socket is not there (ENOENT)",
  EHOSTUNREACH: "there is no way to it (EHOSTUNREACH)",
  ENETUNREACH: "there is no route to it (ENETUNREACH)",
  ECONNRESET: "the connection was cut (ECONNRESET)",
};

/** A hub that is to be asked, or in words why none is. */
export type HubToAsk = HubAddress | { readonly missing: string; readonly advice: string };

/**
 * The hub of a configuration. Away from the hub's machine its URL is dialled: a unix socket of that name would be another one's,
 * and a path that is cut ought to be noticed. Throws SecretError for a token file that was named and cannot be read.
 */
export function hubOfConfig(house: House, file: string, isHub: boolean | null, tokenFile?: string): HubToAsk {
  const dir = resolve(file, "..");
  const known = hubOf(house, dir, "read", tokenFile === undefined ? null : readSecret(tokenFile));
  if (isHub !== false || house.hub.url === undefined || known.socketPath === null)
    return { ...known, patience: PATIENCE_MS };
  const token = known.token ?? tokenFor(house, dir, "read");
  return { socketPath: null, url: house.hub.url.replace(/\/+$/, ""), token, patience: PATIENCE_MS };
}

/** The hub of a vantage without a configuration: its join token says where it is, and has the key. */
export async function hubOfJoin(joinFile?: string): Promise<(HubAddress & { readonly join: JoinToken }) | HubToAsk> {
  const { parseJoinToken } = await import("./vantage.ts");
  const missing = (why: string): HubToAsk => ({
    missing: `The hub was not asked, so what other vantages see is not known: ${why}.`,
    advice: "hairpin doctor --join-file FILE   # the file with this vantage's join token",
  });
  const file = joinFile ?? JOIN_FILES.find((path) => existsSync(path));
  // In Home Assistant's app the token is one of its options.
  const path = process.env["HAIRPIN_OPTIONS"];
  const options = path === undefined ? null : readAppOptions(path);
  const inOptions = typeof options === "string" ? undefined : options?.joinToken;
  let text = process.env["HAIRPIN_JOIN"] ?? inOptions ?? "";
  try {
    if (file !== undefined) text = readFileSync(file, "utf8");
  } catch (error) {
    return missing(`${file} cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
  const join = parseJoinToken(text);
  if (typeof join === "string") return missing(text === "" ? "no join token was found here" : join);
  return { socketPath: null, url: join.hub.replace(/\/+$/, ""), token: null, patience: PATIENCE_MS, join };
}

/** Asks the hub for its status: what the other vantages see. Never rejects for a hub that is away or refuses. */
export async function askStatus(hub: HubToAsk & { readonly join?: JoinToken }): Promise<HubSight> {
  if ("missing" in hub) return { kind: "not_asked", detail: hub.missing, advice: hub.advice };
  const address = hub.socketPath === null ? hub.url : `unix:${hub.socketPath}`;
  try {
    const headers = hub.join === undefined ? {} : await signed(hub.join);
    return read(address, await askHub(hub, "GET", "/v1/status", undefined, headers));
  } catch (error) {
    if (!(error instanceof HubError)) throw error;
    const detail = WHY[error.why] ?? error.why;
    if (/CERT|SIGNATURE|ISSUER/.test(error.why))
      return {
        kind: "refused",
        address,
        detail: `its certificate is not trusted here (${error.why})`,
        advice: "NODE_EXTRA_CA_CERTS=CA_FILE hairpin doctor",
      };
    // The file mode of the socket is its permission: the hub is there, and this user may not ask it.
    return error.why === "EACCES" || error.why === "EPERM"
      ? { kind: "not_asked", detail: `This user may not ask the hub at ${address}.`, advice: "sudo hairpin doctor" }
      : { kind: "silent", address, detail };
  }
}

function read(address: string, { status, body }: HubReply): HubSight {
  if (status !== 200) {
    const { detail, title } = (body ?? {}) as { detail?: unknown; title?: unknown };
    const said = String(detail ?? title ?? "no reason").slice(0, DETAIL_MAX);
    const advice = "hairpin doctor --token-file FILE   # a token of hub.tokens with the scope read";
    return { kind: "refused", address, detail: `it answered ${status} (${said})`, advice };
  }
  const says = hubWordsOf(body);
  return says === null
    ? {
        kind: "refused",
        address,
        detail: "what answers there is no status of a hub",
        advice: `curl -s ${address}/v1/status`,
      }
    : { kind: "answered", address, says };
}

/** A vantage reads a private hub with its own key, of the purpose `read`. */
async function signed({ key }: JoinToken): Promise<Readonly<Record<string, string>>> {
  const read = await purposeKey(key, "read", hmac);
  const id = `doctor_${randomBytes(12).toString("hex")}`;
  return { ...(await sign([read], id, Math.floor(Date.now() / 1_000), "", hmac)) };
}

/** What the hub remembers of its reports; null when it cannot be asked from here. */
export async function askReports(hub: HubToAsk): Promise<Parameters<typeof reportsOf>[0] | null> {
  if ("missing" in hub) return null;
  try {
    const reply = await askHub(hub, "GET", "/v1/deliveries");
    return reply.status === 200 ? (reply.body as Parameters<typeof reportsOf>[0]) : null;
  } catch (error) {
    if (error instanceof HubError) return null;
    throw error;
  }
}
