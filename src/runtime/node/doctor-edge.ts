import { randomBytes } from "node:crypto";
import { resolve } from "node:path";
import type { House } from "../../core/config/house.ts";
import type { EdgeSight } from "../../core/doctor/edge.ts";
import type { SiteStatus } from "../../core/edge/port.ts";
import { sign } from "../../core/standard-webhooks.ts";
import { hmac } from "./hmac.ts";
import { heartbeatUrl } from "./hub-edge.ts";
import { readWebhookSecrets } from "./hub-keys.ts";
import { createResolver } from "./hub-resolver.ts";
import { createExchange, type Exchanged } from "./hub-send.ts";
import { readSecret, SecretError } from "./secret-file.ts";

const PATIENCE_MS = 6_000;
/** A site's status with 64 targets at 8 vantages is some 60 KiB. */
const ANSWER_MAX = 262_144;
/** Where `hairpin edge init` puts the token that may read. */
const READ_FILE = "keys/edge-read";

/**
 * Asks an edge whether it lives, and whether it takes the site's key: by a text that is signed well and is no heartbeat. A real one
 * would be of another start, and the edge would take the running hub's for an older.
 */
export async function lookAtEdge(edge: {
  readonly url: string;
  readonly site: string;
  readonly keys: readonly string[];
  readonly resolvers: readonly string[];
}): Promise<Pick<EdgeSight, "origin" | "state" | "detail" | "skew">> {
  const { origin } = new URL(edge.url);
  const exchange = createExchange(createResolver(edge.resolvers, { get: () => null, set: () => {} }), ANSWER_MAX);
  const began = Date.now();
  const alive = await exchange(
    { method: "GET", url: `${edge.url.replace(/\/+$/, "")}/healthz`, headers: {}, body: null },
    AbortSignal.timeout(PATIENCE_MS),
  );
  if (alive.kind === "failed") return { origin, state: "unreachable", detail: alive.detail, skew: null };
  const skew = skewOf(alive, (began + Date.now()) / 2);
  if (alive.status !== 200 || !/"status":\s*"ok"/.test(alive.body ?? ""))
    return { origin, state: "no_edge", detail: `GET /healthz answered ${alive.status}`, skew };
  if (edge.keys.length === 0) return { origin, state: "no_key", detail: null, skew };
  const body = "{}";
  const id = `doctor-${randomBytes(9).toString("hex")}`;
  const signed = await sign(edge.keys, id, Math.floor(Date.now() / 1_000), body, hmac);
  const url = heartbeatUrl(edge.url, edge.site);
  const answer = await exchange(
    { method: "POST", url, headers: { "content-type": "application/json", ...signed }, body },
    AbortSignal.timeout(PATIENCE_MS),
  );
  if (answer.kind === "failed") return { origin, state: "unreachable", detail: answer.detail, skew };
  const detail = `POST …/heartbeats answered ${answer.status}`;
  return { origin, state: answer.status === 422 || answer.status === 429 ? "key_good" : "key_refused", detail, skew };
}

/** The Date header has whole seconds: half of one is added. */
function skewOf(answer: Extract<Exchanged, { kind: "answered" }>, middle: number): number | null {
  const date = Date.parse(answer.date ?? "");
  if (Number.isNaN(date)) return null;
  const apart = date + 500 - middle;
  return Math.abs(apart) < 1_500 ? 0 : Math.round(apart);
}

/** The edge of a house, asked on the hub's own way, with the key and the token that this user may read. Null: it has none. */
export async function lookAtHouseEdge(house: House, dir: string): Promise<EdgeSight | null> {
  const { edge } = house;
  if (edge === undefined) return null;
  const { resolvers } = house.hub;
  const keys = readable(() => readWebhookSecrets(resolve(dir, edge.key_file))) ?? [];
  const token = readable(() => readSecret(resolve(dir, READ_FILE)));
  const asked = { url: edge.url, site: house.site, keys, resolvers };
  const [seen, known] = await Promise.all([lookAtEdge(asked), token === null ? null : knownThere(asked, token)]);
  return { ...seen, every: edge.every, silence: edge.silence, known };
}

/** What the edge knows of the site; null when it gives no answer. */
export async function knownThere(
  edge: { readonly url: string; readonly site: string; readonly resolvers: readonly string[] },
  token: string,
): Promise<EdgeSight["known"]> {
  const exchange = createExchange(createResolver(edge.resolvers, { get: () => null, set: () => {} }), ANSWER_MAX);
  const url = `${edge.url.replace(/\/+$/, "")}/v1/sites/${edge.site}/status`;
  const headers = { authorization: `Bearer ${token}`, accept: "application/json" };
  const reply = await exchange({ method: "GET", url, headers, body: null }, AbortSignal.timeout(PATIENCE_MS));
  if (reply.kind === "failed") return null;
  try {
    return { status: reply.status, site: reply.status === 200 ? (JSON.parse(reply.body ?? "") as SiteStatus) : null };
  } catch {
    return { status: reply.status, site: null };
  }
}

function readable<T>(read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    if (error instanceof SecretError) return null;
    throw error;
  }
}
