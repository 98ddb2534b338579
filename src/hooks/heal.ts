import type { Context } from "hono";
import type { HealAsk } from "../core/hub-asks.ts";
import { NAME } from "../core/observation.ts";
import { healBody } from "../core/wire.ts";
import { parseBody } from "./body.ts";
import type { HubDeps, Relay, Vars } from "./deps.ts";
import { problem } from "./problem.ts";
import { createRelays, type Relays } from "./relay.ts";

type Asked =
  | { readonly ok: true; readonly ask: Omit<HealAsk, "by" | "digest"> }
  | { readonly ok: false; readonly response: Response };

/**
 * What a token's owner asks for. A signed request counts by the id that was signed: whoever recorded it can write any
 * Idempotency-Key beside it. That header then only finds an earlier answer, which can start nothing.
 */
function askOf(c: Context<Vars>): Asked {
  const parsed = parseBody(c, healBody, true);
  if (!parsed.ok) return parsed;
  const given = c.req.header("idempotency-key") ?? null;
  const key = c.get("signedId") ?? given ?? c.req.header("webhook-id") ?? null;
  if ([given, key].some((each) => each !== null && !/^[\x21-\x7e]{1,255}$/.test(each))) {
    const detail = "Idempotency-Key: 1 to 255 visible ASCII characters are wanted";
    return { ok: false, response: problem(c, 400, { detail }) };
  }
  const { step, reason, dry_run, override, force, target, incident } = parsed.value;
  const ask = {
    step: step ?? null,
    reason: reason ?? null,
    dryRun: dry_run ?? false,
    override: override ?? false,
    force: force ?? false,
    target: target ?? null,
    incident: incident ?? null,
    key: owned(c, key),
    alsoKnownAs: owned(c, given === key ? null : given),
  };
  return { ok: true, ask };
}

const owned = (c: Context<Vars>, key: string | null): string | null =>
  key === null ? null : `${c.get("caller")}:${key}`;

/** What a vantage passes on: nothing that opens a gate, and under the id that was signed, since any other header may be forged. */
function relayedAsk(c: Context<Vars>, relay: Relay, relays: Relays): Asked {
  const taken = relays.take(c, relay);
  if (!taken.ok) return taken;
  const { reason, dryRun, target } = taken;
  const key = `${c.get("caller")}:${relay.id}`;
  const ask = { step: null, reason, dryRun, override: false, force: false, target, incident: null, key };
  return { ok: true, ask };
}

/** POST /heal: a person, the button in Home Assistant, `hairpin heal`. Answers at once; the repair is followed by its id. */
export function healHook(deps: HubDeps) {
  const relays = createRelays(deps);
  return async (c: Context<Vars>): Promise<Response> => {
    const relay = c.get("relay");
    const asked = relay === undefined ? askOf(c) : relayedAsk(c, relay, relays);
    if (!asked.ok) return asked.response;
    const outcome = deps.hub.ask({ ...asked.ask, by: c.get("caller"), digest: deps.digest(c.get("body")) });
    if (relay !== undefined && (outcome.kind !== "answer" || outcome.answer.status >= 300)) relays.refuse(relay);
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
