import { resolve } from "node:path";
import { type EdgeSight, edgeFindings } from "../core/doctor/edge.ts";
import type { SiteStatus } from "../core/edge/port.ts";
import { lookAtEdge } from "../runtime/node/doctor-edge.ts";
import { readWebhookSecrets } from "../runtime/node/hub-keys.ts";
import { askEdge, EdgeError } from "./edge-client.ts";
import { ADMIN_FILE, placeOf, READ_FILE, tokenFor } from "./edge-place.ts";
import type { SiteFlags } from "./edge-sites.ts";
import { printJson, safe } from "./hub-client.ts";

const MARKS = { good: "ok  ", bad: "BAD ", warning: "warn", unknown: "?   " } as const;

/** `hairpin edge doctor`: key, clock, pace and what the edge itself has heard. It sends no heartbeat and changes nothing. */
export async function doctor(flags: SiteFlags): Promise<number> {
  const place = await placeOf(flags);
  const keyFile =
    flags.keyFile ?? (place.house?.edge === undefined ? null : resolve(place.dir, place.house.edge.key_file));
  const keys = keyFile === null ? [] : readWebhookSecrets(keyFile);
  const seen = await lookAtEdge({ url: place.url, site: place.site, keys, resolvers: [] });
  const sight: EdgeSight = {
    ...seen,
    every: place.house?.edge?.every ?? null,
    silence: place.house?.edge?.silence ?? null,
    known: await known(place.url, place.site, () => tokenFor(place, flags.tokenFile, [READ_FILE, ADMIN_FILE])),
  };
  const findings = edgeFindings(sight);
  const isBad = findings.some((finding) => finding.state === "bad");
  if (flags.json) printJson({ ok: !isBad, site: place.site, url: place.url, clock_skew_ms: seen.skew, findings });
  else
    for (const { state, text, evidence, advice } of findings) {
      process.stdout.write(`${MARKS[state]}  ${safe(text)}\n`);
      for (const sentence of evidence) process.stdout.write(`        ${safe(sentence)}\n`);
      if (advice !== null) process.stdout.write(`        type: ${safe(advice)}\n`);
    }
  if (seen.state === "unreachable") return 3;
  return isBad ? 1 : 0;
}

/** What the edge knows of the site, where a token is at hand. */
async function known(url: string, site: string, token: () => string): Promise<EdgeSight["known"]> {
  let secret: string;
  try {
    secret = token();
  } catch {
    return null;
  }
  try {
    const reply = await askEdge("GET", `${url}/v1/sites/${site}/status`, secret);
    if (reply.status !== 200) return { status: reply.status, site: null };
    return { status: 200, site: reply.body as SiteStatus };
  } catch (error) {
    if (!(error instanceof EdgeError)) throw error;
    return null;
  }
}
