import type { Context } from "hono";
import { NAME } from "../core/observation.ts";
import { healBody } from "../core/wire.ts";
import { parseBody } from "./body.ts";
import type { HubDeps, Vars } from "./deps.ts";
import { problem } from "./problem.ts";

/** POST /heal: a person, the button in Home Assistant, `hairpin heal`. Answers at once; the repair is followed by its id. */
export function healHook(deps: HubDeps) {
  return async (c: Context<Vars>): Promise<Response> => {
    const parsed = parseBody(c, healBody, true);
    if (!parsed.ok) return parsed.response;
    const key = c.req.header("idempotency-key") ?? c.req.header("webhook-id") ?? null;
    if (key !== null && !/^[\x21-\x7e]{1,255}$/.test(key)) {
      return problem(c, 400, { detail: "Idempotency-Key: 1 to 255 visible ASCII characters are wanted" });
    }
    const { value } = parsed;
    const caller = c.get("caller");
    const outcome = deps.hub.ask({
      step: value.step ?? null,
      reason: value.reason ?? null,
      by: caller,
      dryRun: value.dry_run ?? false,
      override: value.override ?? false,
      force: value.force ?? false,
      target: value.target ?? null,
      incident: value.incident ?? null,
      key: key === null ? null : `${caller}:${key}`,
      digest: deps.digest(c.get("body")),
    });
    if (outcome.kind === "mismatch")
      return problem(c, 409, {
        detail: "this Idempotency-Key was used with another body",
        more: { state: "mismatch" },
      });
    if (outcome.kind === "unknown")
      return problem(c, 422, {
        detail: `unknown ${outcome.what}`,
        errors: [{ path: `/${outcome.what}`, message: "unknown" }],
      });
    if (outcome.kind === "unavailable")
      return problem(c, 503, { detail: "not durable, so not accepted", headers: { "retry-after": "5" } });
    const { answer, advice } = outcome;
    const url = answer.id === null ? null : `/v1/heals/${answer.id}`;
    const body = {
      id: answer.id,
      state: answer.state,
      url,
      step: answer.step,
      detail: answer.detail,
      advice,
      gates: answer.gates,
    };
    if (answer.status === 200 || answer.status === 202)
      return c.json(body, answer.status, url === null ? {} : { location: url });
    const headers: Record<string, string> =
      answer.retryAfterMillis === null
        ? answer.status === 429
          ? { "retry-after": "60" }
          : {}
        : { "retry-after": String(Math.max(1, Math.ceil(answer.retryAfterMillis / 1_000))) };
    return problem(c, answer.status, { detail: answer.detail, headers, more: body });
  };
}

/** GET /v1/heals/{id} */
export function healRecordHook(deps: HubDeps) {
  return (c: Context<Vars>): Response => {
    const id = c.req.param("id") ?? "";
    const record = NAME.test(id) ? deps.hub.heal(id) : null;
    return record === null ? problem(c, 404, { detail: "no repair with this id is known" }) : c.json(record);
  };
}
