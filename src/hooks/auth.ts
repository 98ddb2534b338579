import type { Context, MiddlewareHandler } from "hono";
import { isSecret, sameText, verify } from "../core/standard-webhooks.ts";
import type { HubDeps, Relay, Token, Vars } from "./deps.ts";
import { isWithin } from "./network.ts";
import { problem, tooMany } from "./problem.ts";
import { createBuckets } from "./rates.ts";
import { relayedBy } from "./relay.ts";
import type { SignedIds } from "./signed-ids.ts";

export type Scope = "heal" | "ack" | "read" | "pause";

/** Requests of one caller: a person with a script, or the 100 parallel presses of one button. */
const CALLER_RATE = { burst: 240, perSecond: 4 };
/** Wrong credentials of one address: an attacker gets a guess every two seconds, a mistyped token is noticed at once. */
const REFUSED_RATE = { burst: 300, perSecond: 0.5 };

/** The same body for every reason; which one it was is for the log alone (fault 18). */
export function unauthorized(c: Context): Response {
  return problem(c, 401, {
    detail: "missing or wrong credentials",
    headers: { "www-authenticate": 'Bearer realm="hairpin"' },
  });
}

type Identity =
  | {
      readonly ok: true;
      readonly name: string;
      readonly scopes: readonly string[];
      readonly relay?: Relay;
      readonly signedId?: string;
    }
  | { readonly ok: false; readonly reason: string };

/**
 * Asks for a scope. A unix socket has all of them by its file mode; otherwise a bearer token from a network it may be used from,
 * a signature by a token that is a Standard Webhooks secret, or one by the key that a vantage has for this purpose.
 */
export function scoped(deps: HubDeps, scope: Scope, ids: SignedIds): MiddlewareHandler<Vars> {
  const callers = createBuckets(CALLER_RATE, deps.mono);
  const refused = createBuckets(REFUSED_RATE, deps.mono);
  return async (c, next) => {
    const peer = c.get("peer");
    const identity = await identify(deps, c, scope, ids);
    if (!identity.ok) {
      deps.log("warn", { address: peer.address, path: c.req.path, reason: identity.reason }, "refused a request");
      const wait = refused.take(peer.address ?? "unknown");
      return wait > 0 ? tooMany(c, wait) : unauthorized(c);
    }
    if (!identity.scopes.includes(scope)) {
      deps.log(
        "warn",
        { address: peer.address, path: c.req.path, token: identity.name, scope },
        "a token without the scope",
      );
      const { name, relay } = identity;
      const detail =
        relay === undefined
          ? `the token ${name} has no scope ${scope}`
          : `${name} may not do this; for repairs: vantages: { ${relay.vantage}: { …, heal: true } } in hairpin.yaml`;
      return problem(c, 403, { detail, ...(relay === undefined ? {} : { more: { state: "not_allowed" } }) });
    }
    c.set("caller", identity.name);
    if (identity.relay !== undefined) c.set("relay", identity.relay);
    if (identity.signedId !== undefined) c.set("signedId", identity.signedId);
    const wait = callers.take(identity.name);
    return wait > 0 ? tooMany(c, wait) : next();
  };
}

/** Reading is for anyone, unless hub.private asks for the scope `read`. */
export function readable(deps: HubDeps, ids: SignedIds): MiddlewareHandler<Vars> {
  const guard = scoped(deps, "read", ids);
  return async (c, next) => (deps.house.hub.private ? guard(c, next) : next());
}

async function identify(deps: HubDeps, c: Context<Vars>, scope: Scope, ids: SignedIds): Promise<Identity> {
  const peer = c.get("peer");
  if (peer.unix) return { ok: true, name: "unix", scopes: ["heal", "ack", "read", "pause"] };
  const authorization = c.req.header("authorization");
  const given = authorization === undefined ? null : (/^Bearer ([\x21-\x7e]{1,512})$/i.exec(authorization)?.[1] ?? "");
  let found: Token | null = null;
  let signedId: string | null = null;
  for (const token of deps.tokens()) {
    const signed = given === null ? await signedWith(deps, c, token) : null;
    if (given !== null ? !sameText(token.secret, given) : signed === null) continue;
    found = token;
    signedId = signed;
  }
  if (found === null && given !== null) return { ok: false, reason: "unknown token" };
  if (found === null) {
    const relayed = scope === "heal" || scope === "read" ? await relayedBy(deps, c, scope) : null;
    return relayed ?? { ok: false, reason: "no token and no valid signature" };
  }
  const { address } = peer;
  if (found.from.length > 0 && (address === null || !found.from.some((network) => isWithin(address, network)))) {
    return { ok: false, reason: `the token ${found.name} may not be used from ${address ?? "there"}` };
  }
  if (signedId !== null && c.req.method === "POST" && !ids.isFor(found.name, signedId, c.req.path))
    return { ok: false, reason: `${found.name} signed the id ${signedId} for another path` };
  return { ok: true, name: found.name, scopes: found.scopes, ...(signedId === null ? {} : { signedId }) };
}

/** The `webhook-id` that this token has signed; null: it has not. */
async function signedWith(deps: HubDeps, c: Context<Vars>, token: Token): Promise<string | null> {
  if (c.req.header("webhook-signature") === undefined || !isSecret(token.secret)) return null;
  const body = c.get("body") ?? "";
  const verified = await verify([token.secret], c.req.raw.headers, body, deps.wall() / 1_000, deps.hmac);
  return verified.ok ? verified.id : null;
}

export type Signed =
  | { readonly ok: true; readonly vantage: string; readonly id: string; readonly seconds: number }
  | { readonly ok: false; readonly reason: string };

/**
 * Which vantage signed this. `hint` names the one to try; without it each is tried. The hint only chooses a key: what counts is
 * that the key's vantage is the body's, which the caller checks.
 */
export async function signedBy(deps: HubDeps, c: Context<Vars>, body: string, hint: string | null): Promise<Signed> {
  const names = hint === null ? deps.house.vantages.map((vantage) => vantage.name) : [hint];
  let reason = "no vantage is declared";
  for (const name of names) {
    const keys = deps.vantageKeys(name);
    if (keys.length === 0) {
      reason = `no vantage ${name} with a key is declared`;
      continue;
    }
    const verified = await verify(keys, c.req.raw.headers, body, deps.wall() / 1_000, deps.hmac);
    if (verified.ok) return { ok: true, vantage: name, id: verified.id, seconds: verified.seconds };
    reason = verified.reason;
  }
  return { ok: false, reason };
}
