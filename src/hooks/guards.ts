import type { Context, MiddlewareHandler } from "hono";
import type { HubDeps, Peer, Vars } from "./deps.ts";
import { problem, tooMany } from "./problem.ts";
import { createBuckets } from "./rates.ts";

/** The largest body that is read: an observation of 256 checks is under 200 KiB. */
export const BODY_MAX = 256 * 1_024;
/** Requests of one address before anything is known of it. The house sends about one a second. */
const ADDRESS_RATE = { burst: 600, perSecond: 50 };

const SAFE = new Set(["GET", "HEAD", "OPTIONS"]);

/** Headers of every answer: nothing is framed, sniffed, cached or fetched from elsewhere. */
export function secureHeaders(): MiddlewareHandler<Vars> {
  return async (c, next) => {
    await next();
    c.res.headers.set("x-content-type-options", "nosniff");
    c.res.headers.set("referrer-policy", "no-referrer");
    c.res.headers.set("x-frame-options", "DENY");
    if (!c.res.headers.has("cache-control")) c.res.headers.set("cache-control", "no-store");
    if (!c.res.headers.has("content-security-policy"))
      c.res.headers.set("content-security-policy", "default-src 'none'; frame-ancestors 'none'");
  };
}

/**
 * Names under which this hub is addressed. A page elsewhere can point a name of its own at this address (DNS rebinding), and then
 * its Host gives it away; so only names that were declared are answered, and the address that was really dialled.
 */
export function allowedHosts(house: HubDeps["house"]): ReadonlySet<string> {
  const listens = Array.isArray(house.hub.listen) ? house.hub.listen : [house.hub.listen];
  const allowed = new Set<string>(house.hub.hosts.map((host) => host.toLowerCase()));
  for (const listen of listens) {
    if (listen.startsWith("unix:"))
      for (const host of ["hairpin", "localhost", "localhost:8787", "127.0.0.1:8787"]) allowed.add(host);
    else {
      allowed.add(listen.toLowerCase());
      const port = listen.slice(listen.lastIndexOf(":") + 1);
      if (/^(127\.|\[::1\]|::1|0\.0\.0\.0|\[::\])/.test(listen)) allowed.add(`localhost:${port}`);
    }
  }
  const url = /^https?:\/\/([^/]+)/.exec(house.hub.url ?? "")?.[1];
  if (url !== undefined) allowed.add(url.toLowerCase());
  return allowed;
}

function isAllowed(host: string, allowed: ReadonlySet<string>, peer: Peer): boolean {
  const name = host.toLowerCase();
  if (allowed.has(name) || name === peer.local) return true;
  // A declared name stands for each of its ports; an address does not.
  return /^[a-z]/.test(name) && allowed.has(name.replace(/:\d{1,5}$/, ""));
}

/** Host, Origin and Sec-Fetch-Site, then a limit per address. Runs before any route, also before a 404. */
export function originGuard(deps: HubDeps): MiddlewareHandler<Vars> {
  const allowed = allowedHosts(deps.house);
  const buckets = createBuckets(ADDRESS_RATE, deps.mono);
  return async (c, next) => {
    const peer = deps.peer(c.env);
    c.set("peer", peer);
    const host = peer.hosts[0];
    if (peer.hosts.length !== 1 || host === undefined || host === "")
      return problem(c, 400, { detail: "exactly one Host header is wanted" });
    if (!isAllowed(host, allowed, peer)) {
      deps.log(
        "warn",
        { host: host.slice(0, 128), address: peer.address },
        "a Host that is not ours; declare it under hub.hosts if it is",
      );
      return problem(c, 421, { detail: "this hub does not answer to that Host; hub.hosts declares further ones" });
    }
    const origin = c.req.header("origin");
    if (origin !== undefined && !isAllowed(/^https?:\/\/(.+)$/.exec(origin)?.[1] ?? "", allowed, peer)) {
      return problem(c, 403, { detail: "requests from pages of another origin are not taken" });
    }
    const site = c.req.header("sec-fetch-site");
    if (!SAFE.has(c.req.method) && site !== undefined && site !== "same-origin" && site !== "none") {
      return problem(c, 403, { detail: "requests from pages of another site are not taken" });
    }
    const wait = peer.unix ? 0 : buckets.take(peer.address ?? "unknown");
    return wait > 0 ? tooMany(c, wait) : next();
  };
}

/** JSON or nothing: a form or text/plain is what a page elsewhere can send without asking first. */
function isJson(contentType: string | undefined): boolean {
  return /^application\/(json|[a-z0-9.+-]+\+json)\s*(;|$)/i.test(contentType ?? "");
}

/**
 * Content type, then the body with its limit, before anybody is asked who they are: reading 256 KiB of a stranger is cheap, and
 * every answer is then given on a connection that can be used again.
 */
export function bodyGuard(needsBody: boolean, max: number = BODY_MAX): MiddlewareHandler<Vars> {
  return async (c, next) => {
    const type = c.req.header("content-type");
    if (type !== undefined && !isJson(type)) return problem(c, 415, { detail: "application/json is wanted" });
    const encoding = c.req.header("content-encoding");
    if (encoding !== undefined && encoding !== "identity")
      return problem(c, 415, { detail: "a compressed body is not taken" });
    const declared = Number(c.req.header("content-length") ?? 0);
    if (!(declared <= max)) return tooLarge(c, max);
    const body = await readBody(c, max);
    if (body === "too_large") return tooLarge(c, max);
    if (body === "not_text")
      return problem(c, 422, { detail: "the body is not UTF-8", errors: [{ path: "", message: "not UTF-8" }] });
    if (type === undefined && (needsBody || body.text !== ""))
      return problem(c, 415, { detail: "application/json is wanted" });
    c.set("body", body.text);
    return next();
  };
}

function tooLarge(c: Context, max: number): Response {
  return problem(c, 413, { detail: `at most ${max} bytes are taken`, headers: { connection: "close" } });
}

async function readBody(c: Context, max: number): Promise<{ text: string } | "too_large" | "not_text"> {
  const stream = c.req.raw.body;
  if (stream === null) return { text: "" };
  const reader = stream.getReader();
  const parts: Uint8Array[] = [];
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    size += value.byteLength;
    if (size > max) {
      await reader.cancel().catch(() => undefined);
      return "too_large";
    }
    parts.push(value);
  }
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.byteLength;
  }
  try {
    return { text: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes) };
  } catch {
    return "not_text";
  }
}
