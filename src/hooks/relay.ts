import type { Context } from "hono";
import { type Purpose, purposeKey } from "../core/purpose-key.ts";
import { verify } from "../core/standard-webhooks.ts";
import type { Millis } from "../core/units.ts";
import { relayedHealBody } from "../core/wire.ts";
import { parseBody } from "./body.ts";
import type { HubDeps, Relay, Vars } from "./deps.ts";
import { problem, tooMany } from "./problem.ts";
import { createBuckets } from "./rates.ts";

/** A request to heal lives for a minute (safety.md, "Webhooks"): what was recorded on the wire is worthless after it. */
const LIVES_SECONDS = 60;
/** Presses of one button. The host allows four manual heals in an hour; the rest is for a person who tries again. */
const RELAY_RATE = { burst: 8, perSecond: 1 / 30 };
/** Refused requests that are remembered: more than the rate lets through while their signatures live. */
const REFUSED_MAX = 256;
/** What a vantage may read of a private hub: what its page shows. */
const READABLE = /^\/v1\/(status|heals\/[A-Za-z0-9_-]{1,64})$/;

type Relayed =
  | { readonly ok: true; readonly name: string; readonly scopes: readonly string[]; readonly relay: Relay }
  | { readonly ok: false; readonly reason: string };

/**
 * Which vantage has signed with the key of this purpose; null: none. A vantage that may not do it is known all the same, without the
 * scope, so that its page can say what to write into hairpin.yaml.
 */
export async function relayedBy(deps: HubDeps, c: Context<Vars>, purpose: Purpose): Promise<Relayed | null> {
  if (c.req.header("webhook-signature") === undefined) return null;
  const now = deps.wall() / 1_000;
  for (const vantage of deps.house.vantages) {
    const keys = await Promise.all(deps.vantageKeys(vantage.name).map((key) => purposeKey(key, purpose, deps.hmac)));
    const verified = await verify(keys, c.req.raw.headers, c.get("body") ?? "", now, deps.hmac);
    if (!verified.ok) continue;
    const name = `vantage ${vantage.name}`;
    if (Math.abs(now - verified.seconds) > LIVES_SECONDS)
      return { ok: false, reason: `${name}: signed ${Math.round(now - verified.seconds)} s ago by this hub's clock` };
    const isAllowed = purpose === "heal" ? vantage.heal : READABLE.test(c.req.path);
    return { ok: true, name, scopes: isAllowed ? [purpose] : [], relay: { vantage: vantage.name, id: verified.id } };
  }
  return null;
}

export type RelayedHeal =
  | { readonly ok: true; readonly reason: string | null; readonly dryRun: boolean; readonly target: string | null }
  | { readonly ok: false; readonly response: Response };

export interface Relays {
  take(c: Context<Vars>, relay: Relay): RelayedHeal;
  /** Remembers that this id was refused: a repeat by whoever recorded it must not run a minute later. */
  refuse(relay: Relay): void;
}

/** The bodies of relayed requests: whose they are, how many, and never one that was refused before. */
export function createRelays(deps: HubDeps): Relays {
  const buckets = createBuckets(RELAY_RATE, deps.mono);
  const refused = new Map<string, Millis>();
  const keyOf = ({ vantage, id }: Relay) => `${vantage} ${id}`;
  return {
    take(c, relay) {
      const wait = buckets.take(relay.vantage);
      if (wait > 0) return { ok: false, response: tooMany(c, wait, "too many requests to heal from this vantage") };
      const parsed = parseBody(c, relayedHealBody, false);
      if (!parsed.ok) return parsed;
      const { aud, vantage, reason, dry_run, target } = parsed.value;
      if (aud !== deps.house.site || vantage !== relay.vantage) {
        deps.log("warn", { relay: relay.vantage, vantage, aud }, "refused a heal that was signed for somebody else");
        const detail = "this request is not for this hub, or not of this vantage";
        return { ok: false, response: problem(c, 403, { detail, more: { state: "other_site" } }) };
      }
      if (refused.has(keyOf(relay))) {
        const detail = "this request was refused before; a new one wants a new webhook-id";
        return { ok: false, response: problem(c, 409, { detail, more: { state: "mismatch" } }) };
      }
      return { ok: true, reason: reason ?? null, dryRun: dry_run ?? false, target: target ?? null };
    },
    refuse(relay) {
      const now = deps.mono();
      for (const [key, until] of refused) if (until < now || refused.size >= REFUSED_MAX) refused.delete(key);
      // Signatures of a clock that is ahead live for twice as long.
      refused.set(keyOf(relay), now + 2 * LIVES_SECONDS * 1_000);
    },
  };
}
