import { resolve } from "node:path";
import { type EdgeSight, edgeFindings } from "../core/doctor/edge.ts";
import { knownThere, lookAtEdge } from "../runtime/node/doctor-edge.ts";
import { readWebhookSecrets } from "../runtime/node/hub-keys.ts";
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
  const asked = { url: place.url, site: place.site, keys, resolvers: [] };
  const seen = await lookAtEdge(asked);
  const token = tokenOrNull(() => tokenFor(place, flags.tokenFile, [READ_FILE, ADMIN_FILE]));
  const sight: EdgeSight = {
    ...seen,
    every: place.house?.edge?.every ?? null,
    silence: place.house?.edge?.silence ?? null,
    known: token === null ? null : await knownThere(asked, token),
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

/** The token at hand, where there is one. */
function tokenOrNull(token: () => string): string | null {
  try {
    return token();
  } catch {
    return null;
  }
}
