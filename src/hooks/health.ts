import type { Context } from "hono";
import type { HubDeps, Vars } from "./deps.ts";
import { problem } from "./problem.ts";

/** GET /healthz: the process answers. */
export function healthHook(deps: Pick<HubDeps, "version">) {
  return (c: Context<Vars>): Response => c.json({ status: "ok", version: deps.version });
}

/** GET /readyz: what it acknowledges would be durable, and its clockwork runs. */
export function readinessHook(deps: HubDeps) {
  return (c: Context<Vars>): Response => {
    const { ready, problems } = deps.hub.readiness();
    return ready
      ? c.json({ status: "ready", problems })
      : problem(c, 503, { detail: problems.join("; "), more: { problems } });
  };
}
