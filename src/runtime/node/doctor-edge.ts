import { randomBytes } from "node:crypto";
import type { EdgeSight } from "../../core/doctor/edge.ts";
import { sign } from "../../core/standard-webhooks.ts";
import { hmac } from "./hmac.ts";
import { heartbeatUrl } from "./hub-edge.ts";
import { createResolver } from "./hub-resolver.ts";
import { createExchange, type Exchanged } from "./hub-send.ts";

const PATIENCE_MS = 6_000;
const ANSWER_MAX = 16_384;

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
