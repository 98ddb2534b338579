import { Hono } from "hono";
import type { Vars } from "./deps.ts";
import { secureHeaders } from "./guards.ts";
import { healthHook } from "./health.ts";
import { problem } from "./problem.ts";

/** What the edge verifier answers. So far only that it is there: GET /healthz, by the hub's own hook. */
export function edgeApp(info: { readonly version: string }): Hono<Vars> {
  const app = new Hono<Vars>();
  app.use(secureHeaders());
  app.get("/healthz", healthHook(info));
  app.all("/healthz", (c) => problem(c, 405, { detail: "GET or HEAD is wanted", headers: { allow: "GET, HEAD" } }));
  app.notFound((c) => problem(c, 404, { detail: "nothing is here; GET /healthz says whether this edge lives" }));
  return app;
}
