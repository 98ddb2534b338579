import { type Context, Hono, type MiddlewareHandler } from "hono";
import { plain } from "../core/text.ts";
import type { Millis } from "../core/units.ts";
import type { HealOutcome, HubStatus, VantageView } from "../core/vantage-view.ts";
import type { Peer, Vars } from "./deps.ts";
import { bodyGuard } from "./guards.ts";
import { ingressPage, ingressPolicy } from "./ingress-page.ts";
import { isWithin } from "./network.ts";
import { problem, tooMany } from "./problem.ts";
import { createBuckets } from "./rates.ts";

/** Requests altogether: they all come from the supervisor's one address, and an open page asks every five seconds. */
const PAGE_RATE = { burst: 240, perSecond: 20 };
/** Presses altogether, below what the hub takes from one vantage. */
const PRESS_RATE = { burst: 6, perSecond: 1 / 30 };
const BODY_MAX = 1_024;
const NAME_MAX = 64;

export interface IngressDeps {
  readonly view: () => VantageView;
  readonly status: (signal: AbortSignal) => Promise<HubStatus | null>;
  readonly heal: (reason: string, signal: AbortSignal) => Promise<HealOutcome>;
  /** Who may come: Home Assistant's supervisor, which has asked for the login. */
  readonly from: readonly string[];
  /** Random and new at each start; the page carries it, and a page elsewhere cannot read it. */
  readonly pageToken: string;
  readonly peer: (env: unknown) => Peer;
  readonly digest: (text: string) => string;
  readonly mono: () => Millis;
  readonly log: (level: "info" | "warn" | "error", fields: Readonly<Record<string, unknown>>, message: string) => void;
}

/** The page of a vantage behind Home Assistant's ingress: what it sees, how the hub is, and a button. */
export function ingressApp(deps: IngressDeps): Hono<Vars> {
  const app = new Hono<Vars>();
  const policy = ingressPolicy(deps.digest);
  app.use(answerHeaders(policy));
  app.use(peerGuard(deps));
  app.get("/healthz", (c) => c.json({ ok: true }));
  app.get("/", async (c) => {
    const status = await deps.status(c.req.raw.signal);
    return c.html(ingressPage(deps.view(), status, deps.pageToken));
  });
  app.post("/heal", bodyGuard(true, BODY_MAX), pressGuard(deps), async (c) => {
    const by = personOf(c);
    const outcome = await deps.heal(`${by} pressed Heal now on the page in Home Assistant`, c.req.raw.signal);
    const { status, state, id } = outcome;
    deps.log("info", { event: "heal_relayed", by, status, state, id }, "a heal was passed on to the hub");
    return c.json(outcome, 200);
  });
  app.notFound((c) => problem(c, 404, { detail: "nothing is here" }));
  app.onError((error, c) => {
    deps.log("error", { path: c.req.path, error: error.stack ?? error.message }, "a hook threw");
    return problem(c, 500, { detail: "a bug of ours; the log has it" });
  });
  return app;
}

/** Home Assistant shows the page in a frame of its own origin, so that origin may frame it and no other. */
function answerHeaders(policy: string): MiddlewareHandler<Vars> {
  return async (c, next) => {
    await next();
    c.res.headers.set("x-content-type-options", "nosniff");
    c.res.headers.set("referrer-policy", "no-referrer");
    c.res.headers.set("x-frame-options", "SAMEORIGIN");
    c.res.headers.set("cache-control", "no-store");
    c.res.headers.set("content-security-policy", policy);
  };
}

/**
 * The supervisor alone has asked for a login, so only its address gets through; the container's own health check may ask whether
 * this process lives, and nothing else. The address is that of the connection: headers say what their sender likes.
 */
function peerGuard(deps: IngressDeps): MiddlewareHandler<Vars> {
  const buckets = createBuckets(PAGE_RATE, deps.mono);
  return async (c, next) => {
    const { address, local } = deps.peer(c.env);
    const isHere = address !== null && (isWithin(address, "127.0.0.0/8") || local?.startsWith(`${address}:`) === true);
    const isHealthCheck = c.req.path === "/healthz" && isHere;
    if (!isHealthCheck && (address === null || !deps.from.some((network) => isWithin(address, network)))) {
      const wait = buckets.take("refused");
      if (wait === 0)
        deps.log("warn", { address, path: c.req.path }, "refused a request that came past Home Assistant");
      return problem(c, 403, { detail: "this page is served through Home Assistant alone" });
    }
    const wait = buckets.take("page");
    return wait > 0 ? tooMany(c, wait) : next();
  };
}

const hostOf = (origin: string): string => (/^https?:\/\/([^/]+)$/.exec(origin)?.[1] ?? "").toLowerCase();

/**
 * Whether a press comes from our own page. Over HTTPS the browser says so itself (Sec-Fetch-Site); over plain HTTP it sends no such
 * header, and its Origin must be the name that Home Assistant was asked under. A request with neither is not a browser's.
 */
function isOwnPage(c: Context): boolean {
  const site = c.req.header("sec-fetch-site");
  if (site !== undefined) return site === "same-origin";
  const origin = c.req.header("origin");
  if (origin === undefined) return false;
  const names = [c.req.header("x-forwarded-host"), c.req.header("host")].map((name) => name?.trim().toLowerCase());
  return hostOf(origin) !== "" && names.includes(hostOf(origin));
}

function pressGuard(deps: IngressDeps): MiddlewareHandler<Vars> {
  const presses = createBuckets(PRESS_RATE, deps.mono);
  return async (c, next) => {
    if (!isOwnPage(c)) return problem(c, 403, { detail: "requests from pages of another site are not taken" });
    // A custom header, which a page elsewhere cannot send without asking first; and a value that it cannot read.
    if (c.req.header("hairpin-page") !== deps.pageToken)
      return problem(c, 403, {
        detail: "the page is from an earlier start of this app: load it again",
        more: { state: "stale_page" },
      });
    if (!deps.view().heal_button) return problem(c, 403, { detail: "the button is switched off in the app's options" });
    const wait = presses.take("press");
    return wait > 0 ? tooMany(c, wait, "so many presses do not help; wait a little") : next();
  };
}

/** Who is logged in, as the supervisor says it; it takes such headers out of what a browser sends. */
function personOf(c: Context): string {
  const named = c.req.header("x-remote-user-display-name") ?? c.req.header("x-remote-user-name") ?? "";
  // Header values are bytes: a name beyond ASCII comes as UTF-8 read as Latin-1.
  const bytes = Uint8Array.from(named, (char) => char.charCodeAt(0) & 0xff);
  const name = new TextDecoder().decode(bytes).trim();
  return name === "" ? "somebody" : plain(name, NAME_MAX);
}
