import { randomBytes } from "node:crypto";
import { resolve } from "node:path";
import type { RelayedHeal } from "../core/edge/port.ts";
import { STEPS } from "../core/repair.ts";
import { sign } from "../core/standard-webhooks.ts";
import { hmac } from "../runtime/node/hmac.ts";
import { readWebhookSecret } from "../runtime/node/hub-keys.ts";
import { askEdge, EdgeError, sayRefusal } from "./edge-client.ts";
import { ADMIN_FILE, EdgeUsage, type Place, type PlaceFlags, placeOf, READ_FILE, tokenFor } from "./edge-place.ts";
import { printJson, safe } from "./hub-client.ts";

export interface HealFlags extends PlaceFlags {
  readonly keyFile?: string;
  readonly step?: string;
  readonly reason?: string;
  readonly override?: boolean;
  readonly force?: boolean;
  readonly wait: boolean;
}

/** As `hairpin heal`: 180 s for a step, 120 s for its proof, and the minute in which it waits for a heartbeat. */
const FOLLOW_MS = 370_000;
const LOOK_EVERY_MS = 1_000;
/** A request that was fetched in its last second is answered a moment after it. */
const LATE_MS = 10_000;
const RUNNING = ["accepted", "pending", "healing", "verifying"];
const GOOD = ["verified", "done", "nothing_to_do"];

/** `hairpin edge heal`: signs a request with this person's own key, leaves it at the edge, and waits for what the house says. */
export async function heal(flags: HealFlags): Promise<number> {
  if (flags.step !== undefined && !(STEPS as readonly string[]).includes(flags.step))
    throw new EdgeUsage(`hairpin edge heal: --step is one of ${STEPS.join(", ")}, not ${safe(flags.step)}`);
  const place = await placeOf(flags);
  const key = readWebhookSecret(keyFileOf(place, flags));
  const token = tokenFor(place, flags.tokenFile, [READ_FILE, ADMIN_FILE]);
  const body = JSON.stringify({
    type: "hairpin.heal_request.v1",
    aud: place.site,
    ...(flags.step === undefined ? {} : { step: flags.step }),
    ...(flags.reason === undefined ? {} : { reason: flags.reason }),
    ...(flags.override ? { override: true } : {}),
    ...(flags.force ? { force: true } : {}),
  });
  const id = `ask-${randomBytes(12).toString("hex")}`;
  const signed = await sign([key], id, Math.floor(Date.now() / 1_000), body, hmac);
  const reply = await askEdge("POST", `${place.url}/v1/sites/${place.site}/heal`, token, body, { ...signed });
  if (reply.status !== 202 && reply.status !== 200) return sayRefusal(reply);
  const asked = reply.body as RelayedHeal;
  if (!flags.wait) {
    if (flags.json) printJson(asked);
    else process.stdout.write(`${safe(asked.state)}: it waits at the edge until ${safe(asked.expires_at)} (${id})\n`);
    return 0;
  }
  return follow(place, id, token, flags);
}

function keyFileOf(place: Place, flags: HealFlags): string {
  if (flags.keyFile !== undefined) return flags.keyFile;
  const keys = place.house?.edge?.heal_keys ?? [];
  if (keys.length === 1) return resolve(place.dir, keys[0]!.key_file);
  throw new EdgeUsage(
    keys.length === 0
      ? "hairpin edge heal: --key-file: the file with your own key, which stands in the house's edge.heal_keys"
      : `hairpin edge heal: --key-file: which of ${keys.map((known) => known.key_file).join(", ")} is yours?`,
  );
}

async function follow(place: Place, id: string, token: string, flags: HealFlags): Promise<number> {
  const until = performance.now() + FOLLOW_MS;
  let said = "";
  let expiredAt: number | null = null;
  for (;;) {
    const known = await look(place, id, token);
    if (known !== null) {
      const { state, result } = known;
      const word = result === null ? state : result.state;
      if (result === null && state === "expired") expiredAt ??= performance.now();
      const isOver =
        result === null
          ? expiredAt !== null && performance.now() - expiredAt > LATE_MS
          : !RUNNING.includes(result.state);
      if (!flags.json && word !== said)
        process.stdout.write(`${safe(word)}${result?.detail ? `: ${safe(result.detail)}` : saying(state)}\n`);
      said = word;
      if (isOver || performance.now() > until) {
        if (flags.json) printJson(known);
        if (result === null) return 3;
        return GOOD.includes(result.state) ? 0 : 1;
      }
    } else if (performance.now() > until) return 3;
    await new Promise((done) => setTimeout(done, LOOK_EVERY_MS));
  }
}

const saying = (state: string): string =>
  state === "waiting"
    ? ": for the house's next heartbeat"
    : state === "expired"
      ? ": no heartbeat fetched it within 60 s; the house is dark, or `edge.every` is too long"
      : "";

/** One look; a moment without an answer is no reason to give up what may be running. */
async function look(place: Place, id: string, token: string): Promise<RelayedHeal | null> {
  try {
    const reply = await askEdge("GET", `${place.url}/v1/sites/${place.site}/heals/${id}`, token);
    return reply.status === 200 ? (reply.body as RelayedHeal) : null;
  } catch (error) {
    if (!(error instanceof EdgeError)) throw error;
    return null;
  }
}
