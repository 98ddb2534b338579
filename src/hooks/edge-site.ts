import type { Context } from "hono";
import type { Mistake } from "../core/edge/port.ts";
import { isSiteName, outsideHeal, siteSettings } from "../core/edge/wire.ts";
import { TOLERANCE_SECONDS, WEBHOOK_ID } from "../core/standard-webhooks.ts";
import { parseBody } from "./body.ts";
import type { Vars } from "./deps.ts";
import { refused, wantsPage } from "./edge-auth.ts";
import type { EdgeDeps } from "./edge-deps.ts";
import { sitePage } from "./edge-page.ts";
import { problem, tooMany } from "./problem.ts";

const SIGNATURE = /^v1,[A-Za-z0-9+/]{43}=( v1[a-z]?,[A-Za-z0-9+/=]{1,128}){0,15}$/;

const unknownSite = (c: Context): Response => problem(c, 404, { detail: "no such site" });

function mistaken(c: Context, mistakes: readonly Mistake[]): Response {
  const first = mistakes[0];
  const detail = first === undefined ? "the body is not valid" : `${first.path || "the body"}: ${first.message}`;
  return problem(c, 422, { detail, errors: mistakes });
}

/**
 * POST /v1/sites/{site}/heartbeats. What cannot be right by its form is refused here, so that junk wakes no object; the rest is
 * verified by the site itself, which alone has its keys.
 */
export function heartbeatHook(deps: EdgeDeps) {
  return async (c: Context<Vars>): Promise<Response> => {
    const site = c.req.param("site") ?? "";
    const id = c.req.header("webhook-id") ?? "";
    const timestamp = c.req.header("webhook-timestamp") ?? "";
    const signature = c.req.header("webhook-signature") ?? "";
    const refuse = (reason: string) => {
      deps.log(
        "warn",
        { site: site.slice(0, 64), address: deps.address(c.req.raw, c.env), reason },
        "refused a heartbeat",
      );
      return refused(c, false);
    };
    if (!isSiteName(site) || !WEBHOOK_ID.test(id) || !SIGNATURE.test(signature)) return refuse("not of its form");
    if (!isNear(timestamp, deps)) return refuse("webhook-timestamp is too far away from this clock");
    const origin = new URL(c.req.url).origin;
    const outcome = await deps.site(site).heartbeat({ id, timestamp, signature, body: c.get("body"), origin });
    switch (outcome.kind) {
      case "accepted":
        return c.json({ ...outcome.answer, duplicate: false }, 202);
      case "duplicate":
        return c.json({ ...outcome.answer, duplicate: true }, 200);
      case "refused":
        return refuse(outcome.reason);
      case "foreign":
        return problem(c, 403, { detail: outcome.detail });
      case "invalid":
        return mistaken(c, outcome.mistakes);
      case "conflict":
        return problem(c, 409, { detail: outcome.detail });
      case "slow":
        return tooMany(c, outcome.waitMs);
    }
  };
}

function isNear(timestamp: string, deps: EdgeDeps): boolean {
  return /^\d{1,12}$/.test(timestamp) && Math.abs(deps.wall() / 1_000 - Number(timestamp)) <= TOLERANCE_SECONDS;
}

/**
 * POST /v1/sites/{site}/heal. The text is kept as it was signed and handed on with the next heartbeat. Whether the signature holds,
 * only the house can say: no key of a person is ever here.
 */
export function healRelayHook(deps: EdgeDeps) {
  return async (c: Context<Vars>): Promise<Response> => {
    const site = c.req.param("site") ?? "";
    const parsed = parseBody(c, outsideHeal, false);
    if (!parsed.ok) return parsed.response;
    const { aud } = parsed.value;
    if (aud !== site) return mistaken(c, [{ path: "/aud", message: `signed for site ${aud}, and sent to ${site}` }]);
    const id = c.req.header("webhook-id") ?? "";
    const timestamp = c.req.header("webhook-timestamp") ?? "";
    const signature = c.req.header("webhook-signature") ?? "";
    if (!WEBHOOK_ID.test(id) || !SIGNATURE.test(signature))
      return problem(c, 422, { detail: "sign it: webhook-id, webhook-timestamp and webhook-signature are wanted" });
    if (!isNear(timestamp, deps))
      return problem(c, 422, { detail: `webhook-timestamp is more than ${TOLERANCE_SECONDS} s away from this clock` });
    const outcome = await deps.site(site).askHeal({ id, timestamp, signature, body: c.get("body") });
    switch (outcome.kind) {
      case "queued":
        deps.log("info", { site, id, address: deps.address(c.req.raw, c.env) }, "a request to heal waits");
        return c.json(outcome.heal, 202, { location: outcome.heal.url });
      case "duplicate":
        return c.json(outcome.heal, 200);
      case "unknown":
        return unknownSite(c);
      case "conflict":
        return problem(c, 409, { detail: "this webhook-id came with another body" });
      case "full":
        return tooMany(c, outcome.waitMs, "as many requests as may wait are waiting");
    }
  };
}

/** GET /v1/sites/{site}/heals/{id} */
export function relayedHealHook(deps: EdgeDeps) {
  return async (c: Context<Vars>): Promise<Response> => {
    const site = c.req.param("site") ?? "";
    const id = c.req.param("id") ?? "";
    const heal = isSiteName(site) && WEBHOOK_ID.test(id) ? await deps.site(site).heal(id) : null;
    return heal === null ? problem(c, 404, { detail: "no request with this id is known" }) : c.json(heal);
  };
}

/** GET /v1/sites/{site}/status, as JSON or as a page. */
export function siteStatusHook(deps: EdgeDeps) {
  return async (c: Context<Vars>): Promise<Response> => {
    const site = c.req.param("site") ?? "";
    const status = isSiteName(site) ? await deps.site(site).status() : null;
    if (status === null) return unknownSite(c);
    c.header("vary", "accept");
    return wantsPage(c) ? sitePage(c, deps, status) : c.json(status);
  };
}

/** PUT /v1/sites/{site}: adds a site, or gives it other keys, tokens and receivers. */
export function putSiteHook(deps: EdgeDeps) {
  return async (c: Context<Vars>): Promise<Response> => {
    const site = c.req.param("site") ?? "";
    if (!isSiteName(site))
      return problem(c, 422, { detail: "a site's name has letters, digits, - and _ only, at most 64" });
    const parsed = parseBody(c, siteSettings, false);
    if (!parsed.ok) return parsed.response;
    const outcome = await deps.site(site).put(site, parsed.value);
    deps.log("info", { site, outcome }, "a site was set");
    return c.json({ site, outcome }, outcome === "added" ? 201 : 200);
  };
}

/** DELETE /v1/sites/{site}: every row of it goes, and its key with them. */
export function removeSiteHook(deps: EdgeDeps) {
  return async (c: Context<Vars>): Promise<Response> => {
    const site = c.req.param("site") ?? "";
    if (!isSiteName(site) || !(await deps.site(site).remove())) return unknownSite(c);
    deps.log("info", { site }, "a site was removed");
    return c.body(null, 204);
  };
}

/** POST /v1/sites/{site}/test-notifications: whether the edge's own alerts arrive. */
export function testSiteHook(deps: EdgeDeps) {
  return async (c: Context<Vars>): Promise<Response> => {
    const site = c.req.param("site") ?? "";
    const receivers = isSiteName(site) ? await deps.site(site).test() : null;
    return receivers === null ? unknownSite(c) : c.json({ site, receivers }, 202);
  };
}
