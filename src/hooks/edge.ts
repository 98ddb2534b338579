import type { Context, MiddlewareHandler } from "hono";
// Ten routes need no router that is built for hundreds; it is 3 KB less of bundle.
import { Hono } from "hono/tiny";
import { EDGE_BODY_MAX } from "../core/edge/wire.ts";
import type { Vars } from "./deps.ts";
import { edgeGuard } from "./edge-auth.ts";
import type { EdgeDeps } from "./edge-deps.ts";
import { fleetHook } from "./edge-page.ts";
import {
  healRelayHook,
  heartbeatHook,
  putSiteHook,
  relayedHealHook,
  removeSiteHook,
  siteStatusHook,
  testSiteHook,
} from "./edge-site.ts";
import { bodyGuard, secureHeaders } from "./guards.ts";
import { healthHook } from "./health.ts";
import { problem } from "./problem.ts";

type Hook = (c: Context<Vars>) => Response | Promise<Response>;
type Method = "GET" | "POST" | "PUT" | "DELETE";

/** What a person signs: a step and a sentence. */
const HEAL_BODY_MAX = 4_096;

interface Route {
  readonly method: Method;
  readonly path: string;
  readonly guards: readonly MiddlewareHandler<Vars>[];
  readonly hook: Hook;
}

function routes(deps: EdgeDeps): readonly Route[] {
  const admin = edgeGuard(deps, "admin");
  const fleet = edgeGuard(deps, "fleet");
  const site = edgeGuard(deps, "site");
  const at = "/v1/sites/:site";
  return [
    { method: "GET", path: "/healthz", guards: [], hook: healthHook(deps) },
    { method: "GET", path: "/", guards: [fleet], hook: fleetHook(deps) },
    { method: "GET", path: "/v1/sites", guards: [fleet], hook: fleetHook(deps) },
    { method: "PUT", path: at, guards: [admin, bodyGuard(true, EDGE_BODY_MAX)], hook: putSiteHook(deps) },
    { method: "DELETE", path: at, guards: [admin], hook: removeSiteHook(deps) },
    { method: "GET", path: `${at}/status`, guards: [site], hook: siteStatusHook(deps) },
    { method: "POST", path: `${at}/heartbeats`, guards: [bodyGuard(true, EDGE_BODY_MAX)], hook: heartbeatHook(deps) },
    { method: "POST", path: `${at}/heal`, guards: [site, bodyGuard(true, HEAL_BODY_MAX)], hook: healRelayHook(deps) },
    { method: "GET", path: `${at}/heals/:id`, guards: [site], hook: relayedHealHook(deps) },
    { method: "POST", path: `${at}/test-notifications`, guards: [admin], hook: testSiteHook(deps) },
  ];
}

/** Assembles the edge's app: the same on Workers and on Node, where the tests run it too. */
export function edgeApp(deps: EdgeDeps): Hono<Vars> {
  const app = new Hono<Vars>();
  app.use(secureHeaders());
  const all = routes(deps);
  for (const { method, path, guards, hook } of all) {
    for (const guard of guards) app.on(method, path, guard);
    app.on(method, path, hook);
  }
  for (const path of new Set(all.map((route) => route.path))) {
    const methods = all
      .filter((route) => route.path === path)
      .flatMap(({ method }) => (method === "GET" ? ["GET", "HEAD"] : [method]));
    app.all(path, (c) =>
      problem(c, 405, { detail: `${methods.join(" or ")} is wanted`, headers: { allow: methods.join(", ") } }),
    );
  }
  app.notFound((c) => problem(c, 404, { detail: "nothing is here; GET / lists the sites" }));
  app.onError((error, c) => {
    deps.log("error", { path: c.req.path, error: error.stack ?? error.message }, "a hook threw");
    return problem(c, 500, { detail: "a bug of ours; the log has it" });
  });
  return app;
}
