import type { Context } from "hono";
import { signedBy, unauthorized } from "./auth.ts";
import type { HubDeps, Vars } from "./deps.ts";

/** Longer than any vantage asks for; proxies and firewalls drop what is silent for longer. */
const WAIT_MAX = 30_000;

/**
 * GET /v1/plan. The signature over the empty body says whose plan is meant. With `wait_ms` and a matching If-None-Match the
 * request is held until the plan changes, or quick rounds are wanted: that is how a vantage behind a firewall is hurried.
 */
export function planHook(deps: HubDeps) {
  return async (c: Context<Vars>): Promise<Response> => {
    const signed = await signedBy(deps, c, "", null);
    if (!signed.ok) {
      deps.log("warn", { address: c.get("peer").address, reason: signed.reason }, "refused a plan");
      return unauthorized(c);
    }
    const wanted = Number(c.req.query("wait_ms") ?? 0);
    const wait = Number.isFinite(wanted) ? Math.min(WAIT_MAX, Math.max(0, wanted)) : 0;
    const etag = c.req.header("if-none-match")?.replace(/^W\//, "") ?? null;
    const answer = await deps.hub.plan(signed.vantage, etag, wait, c.req.raw.signal);
    if (answer.kind === "changed") return c.json(answer.plan as object, 200, { etag: answer.etag });
    return c.body(null, 304, {
      ...(etag === null ? {} : { etag }),
      ...(answer.rounds > 0 ? { "hairpin-rounds": String(answer.rounds) } : {}),
    });
  };
}
