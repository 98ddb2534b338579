import { type Context, Hono } from "hono";
import { readable, scoped } from "./auth.ts";
import type { HubDeps, Vars } from "./deps.ts";
import { eventStreamHook, eventsHook } from "./events.ts";
import { bodyGuard, originGuard, secureHeaders } from "./guards.ts";
import { healHook, healRecordHook } from "./heal.ts";
import { healthHook, readinessHook } from "./health.ts";
import { metricsHook } from "./metrics.ts";
import { observationHook } from "./observation.ts";
import { openapi } from "./openapi.ts";
import {
  ackHook,
  birthHook,
  breakerHook,
  deliveriesHook,
  explainHook,
  pauseHook,
  replayHook,
  resumeHook,
  testNotificationHook,
} from "./operate.ts";
import { pageHook } from "./page.ts";
import { planHook } from "./plan.ts";
import { problem } from "./problem.ts";
import { ROUTES } from "./routes.ts";
import { createSignedIds } from "./signed-ids.ts";

type Handler = (c: Context<Vars>) => Response | Promise<Response>;

function handlers(deps: HubDeps): Readonly<Record<string, Handler>> {
  return {
    "POST /v1/observations": observationHook(deps),
    "GET /v1/plan": planHook(deps),
    "POST /heal": healHook(deps),
    "GET /v1/heals/{id}": healRecordHook(deps),
    "GET /v1/status": (c) => c.json(deps.hub.status() as object),
    "GET /v1/explain": explainHook(deps),
    "GET /v1/events": eventsHook(deps),
    "GET /v1/events/stream": eventStreamHook(deps),
    "GET /v1/deliveries": deliveriesHook(deps),
    "POST /v1/deliveries/{id}/replay": replayHook(deps),
    "POST /v1/pause": pauseHook(deps),
    "POST /v1/resume": resumeHook(deps),
    "POST /v1/breaker/reset": breakerHook(deps),
    "POST /v1/acks": ackHook(deps),
    "POST /v1/births": birthHook(deps),
    "POST /v1/test-notifications": testNotificationHook(deps),
    "GET /metrics": metricsHook(deps),
    "GET /healthz": healthHook(deps),
    "GET /readyz": readinessHook(deps),
    "GET /openapi.json": (c) => c.json(openapi(deps.version) as object),
    "GET /": pageHook(deps),
  };
}

/** Assembles the hub's app. Everything that touches the world comes in through the ports of `deps`. */
export function hubApp(deps: HubDeps): Hono<Vars> {
  const app = new Hono<Vars>();
  app.use(secureHeaders());
  app.use(originGuard(deps));
  const hooks = handlers(deps);
  const ids = createSignedIds(deps.mono);
  const guards = {
    read: readable(deps, ids),
    heal: scoped(deps, "heal", ids),
    ack: scoped(deps, "ack", ids),
    pause: scoped(deps, "pause", ids),
  };
  for (const route of ROUTES) {
    const hook = hooks[`${route.method} ${route.path}`];
    if (hook === undefined) throw new Error(`no hook for ${route.method} ${route.path}`);
    const path = route.path.replaceAll(/\{(\w+)\}/g, ":$1");
    const needsBody = route.auth === "vantage" || route.auth === "ack";
    if (route.method === "POST") app.post(path, bodyGuard(needsBody));
    if (route.auth !== "none" && route.auth !== "vantage") app.on(route.method, path, guards[route.auth]);
    app.on(route.method, path, hook);
  }
  app.notFound((c) => missing(c));
  app.onError((error, c) => {
    deps.log("error", { path: c.req.path, error: error.stack ?? error.message }, "a hook threw");
    return problem(c, 500, { detail: "a bug of ours; the log has it" });
  });
  return app;
}

const PATTERNS = ROUTES.map((route) => ({
  ...route,
  pattern: new RegExp(`^${route.path.replaceAll(/\{\w+\}/g, "[^/]+").replaceAll(".", "\\.")}$`),
}));

/** A path that is known by another method is a 405 with Allow, not a 404 (RFC 9110, 15.5.6). */
function missing(c: Context): Response {
  const methods = PATTERNS.filter((route) => route.pattern.test(c.req.path)).flatMap((route) =>
    route.method === "GET" ? ["GET", "HEAD"] : [route.method],
  );
  if (methods.length === 0) return problem(c, 404, { detail: "nothing is here; GET /openapi.json lists what is" });
  return problem(c, 405, { detail: `${methods.join(" or ")} is wanted`, headers: { allow: methods.join(", ") } });
}
