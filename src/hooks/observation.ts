import type { Context } from "hono";
import { observation } from "../core/observation.ts";
import { signedBy, unauthorized } from "./auth.ts";
import { parseBody } from "./body.ts";
import type { HubDeps, Vars } from "./deps.ts";
import { problem, tooMany } from "./problem.ts";
import { createBuckets } from "./rates.ts";

/** One vantage: every second while it confirms, and 1,000 spooled ones after the hub was away. */
const VANTAGE_RATE = { burst: 1_200, perSecond: 10 };

/** The vantage that a body names, found without parsing: it chooses the key to verify with and is checked afterwards. */
function namedVantage(body: string): string | null {
  return /"vantage"\s*:\s*"([A-Za-z0-9_-]{1,64})"/.exec(body)?.[1] ?? null;
}

/**
 * POST /v1/observations. The signature is verified over the raw text before that text is parsed. What is answered with 202 is
 * stored; what could not be stored is answered with 503, and the vantage keeps it (fault 33).
 */
export function observationHook(deps: HubDeps) {
  const buckets = createBuckets(VANTAGE_RATE, deps.mono);
  return async (c: Context<Vars>): Promise<Response> => {
    const body = c.get("body");
    const signed = await signedBy(deps, c, body, namedVantage(body));
    if (!signed.ok) {
      deps.log("warn", { address: c.get("peer").address, reason: signed.reason }, "refused an observation");
      return unauthorized(c);
    }
    const wait = buckets.take(signed.vantage);
    if (wait > 0) return tooMany(c, wait);
    const parsed = parseBody(c, observation, false);
    if (!parsed.ok) return parsed.response;
    const { value } = parsed;
    if (value.vantage !== signed.vantage)
      return foreign(deps, c, `signed by ${signed.vantage}, but of vantage ${value.vantage}`);
    if (value.aud !== deps.house.site) return foreign(deps, c, `meant for site ${value.aud}`);
    const observed = {
      observation: value,
      webhookId: signed.id,
      digest: deps.digest(body),
      ageMs: Math.max(0, signed.seconds * 1_000 - Date.parse(value.observed_at)),
    };
    const answer = deps.hub.observe(observed);
    switch (answer.kind) {
      case "accepted":
        return c.json({ rounds: answer.rounds }, 202);
      case "duplicate":
        return c.json({ duplicate: true, rounds: answer.rounds }, 200);
      case "conflict":
        return problem(c, 409, { detail: answer.detail });
      case "unavailable":
        return problem(c, 503, { detail: "not stored; send it again", headers: { "retry-after": "5" } });
    }
  };
}

function foreign(deps: HubDeps, c: Context<Vars>, reason: string): Response {
  deps.log("warn", { address: c.get("peer").address, reason }, "refused an observation");
  return problem(c, 403, { detail: "this observation is not for this hub, or not of this vantage" });
}
