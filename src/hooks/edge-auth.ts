import type { Context, MiddlewareHandler } from "hono";
import { isSiteName } from "../core/edge/wire.ts";
import { sameText } from "../core/standard-webhooks.ts";
import type { Vars } from "./deps.ts";
import type { EdgeDeps } from "./edge-deps.ts";
import { problem, tooMany } from "./problem.ts";
import { createBuckets } from "./rates.ts";

/** Wrong tokens of one address, in one isolate. Many isolates make many buckets: a WAF rule is the wall, this is the fence. */
const REFUSED_RATE = { burst: 60, perSecond: 0.5 };

/** One body for every reason: unknown site, removed site, wrong key, wrong time. Which it was is in the log. */
export function refused(c: Context, browser: boolean): Response {
  const challenge = browser ? 'Basic realm="hairpin", charset="UTF-8"' : 'Bearer realm="hairpin"';
  return problem(c, 401, { detail: "missing or wrong credentials", headers: { "www-authenticate": challenge } });
}

/** A page is asked for by a browser, which can only send what it asked its user for: a token as the password of Basic. */
export function wantsPage(c: Context): boolean {
  return /\btext\/html\b/.test(c.req.header("accept") ?? "");
}

function tokenOf(c: Context): string | null {
  const authorization = c.req.header("authorization") ?? "";
  const bearer = /^Bearer ([\x21-\x7e]{1,512})$/i.exec(authorization)?.[1];
  if (bearer !== undefined) return bearer;
  const basic = /^Basic ([A-Za-z0-9+/]{1,1024}={0,2})$/i.exec(authorization)?.[1];
  if (basic === undefined) return null;
  try {
    return /^[^:]{0,128}:([\x21-\x7e]{1,512})$/.exec(atob(basic))?.[1] ?? null;
  } catch {
    return null;
  }
}

/** Every one is compared, so that the time says nothing of which one it nearly was. */
function isOneOf(known: readonly string[], token: string | null): boolean {
  let found = false;
  for (const one of known) if (sameText(one, token ?? "") && token !== null) found = true;
  return found;
}

export type EdgeRight = "admin" | "fleet" | "site";

/**
 * `admin`: the admin token. `fleet`: a read token, or Cloudflare Access in front. `site`: those, or a token of the very site. A
 * sender's page elsewhere cannot use what a browser holds: unsafe methods of another site are refused.
 */
export function edgeGuard(deps: EdgeDeps, right: EdgeRight): MiddlewareHandler<Vars> {
  const buckets = createBuckets(REFUSED_RATE, deps.wall);
  return async (c, next) => {
    const from = c.req.header("sec-fetch-site");
    if (
      c.req.method !== "GET" &&
      c.req.method !== "HEAD" &&
      from !== undefined &&
      from !== "same-origin" &&
      from !== "none"
    )
      return problem(c, 403, { detail: "requests from pages of another site are not taken" });
    if (await mayPass(deps, right, c)) return next();
    const address = deps.address(c.req.raw, c.env);
    deps.log("warn", { address, path: c.req.path, right }, "refused a request");
    const wait = buckets.take(address);
    return wait > 0 ? tooMany(c, wait) : refused(c, wantsPage(c));
  };
}

async function mayPass(deps: EdgeDeps, right: EdgeRight, c: Context): Promise<boolean> {
  const token = tokenOf(c);
  const { admin, read } = deps.tokens();
  if (isOneOf(admin, token)) return true;
  if (right === "admin") return false;
  if (isOneOf(read, token)) return true;
  const assertion = c.req.header("cf-access-jwt-assertion");
  if (assertion !== undefined && deps.access !== null && (await deps.access(assertion))) return true;
  const site = c.req.param("site") ?? "";
  return right === "site" && token !== null && isSiteName(site) && deps.site(site).isToken(token);
}
