import type { Context } from "hono";
import { NAME } from "../core/observation.ts";
import { DAY, HOUR, MINUTE, parseDuration, sayDuration } from "../core/units.ts";
import { ackBody, emptyBody, pauseBody } from "../core/wire.ts";
import { parseBody } from "./body.ts";
import type { HubDeps, Vars } from "./deps.ts";
import { problem } from "./problem.ts";

/** An end is mandatory, so that a forgotten maintenance does not last for ever (safety.md, "States"). */
const PAUSE_DEFAULT = HOUR;
const PAUSE_MAX = DAY;

const unavailable = (c: Context) =>
  problem(c, 503, { detail: "not durable, so not done", headers: { "retry-after": "5" } });

/** Runs what must be durable; a full disk is an answer and not a crash. */
function durably(c: Context<Vars>, run: () => Response): Response {
  try {
    return run();
  } catch (error) {
    if (error instanceof Error && error.name === "StoreError") return unavailable(c);
    throw error;
  }
}

export function pauseHook(deps: HubDeps) {
  return (c: Context<Vars>): Response => {
    const parsed = parseBody(c, pauseBody, true);
    if (!parsed.ok) return parsed.response;
    const wanted = parsed.value.for === undefined ? PAUSE_DEFAULT : (parseDuration(parsed.value.for) ?? 0);
    if (wanted < MINUTE / 60 || wanted > PAUSE_MAX) {
      return problem(c, 422, {
        detail: "for: between 1s and 24h",
        errors: [{ path: "/for", message: `between 1s and ${sayDuration(PAUSE_MAX)}` }],
      });
    }
    return durably(c, () => {
      deps.hub.pause(wanted, parsed.value.reason ?? null);
      return c.json({ state: "maintenance", until: new Date(deps.wall() + wanted).toISOString() });
    });
  };
}

export function resumeHook(deps: HubDeps) {
  return (c: Context<Vars>): Response => {
    const parsed = parseBody(c, emptyBody, true);
    if (!parsed.ok) return parsed.response;
    return durably(c, () => {
      deps.hub.resume();
      return c.json({ state: "resumed" });
    });
  };
}

export function breakerHook(deps: HubDeps) {
  return (c: Context<Vars>): Response => {
    const parsed = parseBody(c, emptyBody, true);
    if (!parsed.ok) return parsed.response;
    return durably(c, () => {
      deps.hub.resetBreaker();
      deps.log("info", { by: c.get("caller") }, "the breaker was reset");
      return c.json({ breaker: "closed" });
    });
  };
}

/** POST /v1/acks: Home Assistant's blueprint says that an automation really took the report. */
export function ackHook(deps: HubDeps) {
  return (c: Context<Vars>): Response => {
    const parsed = parseBody(c, ackBody, false);
    if (!parsed.ok) return parsed.response;
    return durably(c, () => {
      const known = deps.hub.acknowledge(parsed.value.delivery_id);
      return known
        ? c.json({ delivery_id: parsed.value.delivery_id, state: "confirmed" })
        : problem(c, 404, { detail: "no delivery with this id is known" });
    });
  };
}

/** POST /v1/births: Home Assistant has started anew, and its bell is empty. What MQTT's birth message says where there is a broker. */
export function birthHook(deps: HubDeps) {
  return (c: Context<Vars>): Response => {
    const parsed = parseBody(c, emptyBody, true);
    if (!parsed.ok) return parsed.response;
    deps.hub.homeAssistantStarted();
    return c.json({ state: "told_again" }, 202);
  };
}

export function deliveriesHook(deps: HubDeps) {
  return (c: Context<Vars>): Response =>
    c.json(deps.hub.deliveries(["1", "true", ""].includes(c.req.query("dead") ?? "no")));
}

export function replayHook(deps: HubDeps) {
  return (c: Context<Vars>): Response => {
    const parsed = parseBody(c, emptyBody, true);
    if (!parsed.ok) return parsed.response;
    const id = c.req.param("id") ?? "";
    return durably(c, () => {
      const outcome = NAME.test(id) ? deps.hub.replay(id) : "unknown";
      if (outcome === "unknown") return problem(c, 404, { detail: "no delivery with this id is known" });
      if (outcome === "pending") return problem(c, 409, { detail: "it is still queued" });
      return c.json({ id, state: "queued" }, 202);
    });
  };
}

export function testNotificationHook(deps: HubDeps) {
  return (c: Context<Vars>): Response => {
    const parsed = parseBody(c, emptyBody, true);
    if (!parsed.ok) return parsed.response;
    return durably(c, () => c.json({ deliveries: deps.hub.testNotification() }, 202));
  };
}

export function explainHook(deps: HubDeps) {
  return (c: Context<Vars>): Response => {
    const explained = deps.hub.explain(c.req.query("incident") ?? null);
    return explained === null
      ? problem(c, 404, { detail: "no incident with this id is known" })
      : c.json(explained as object);
  };
}
