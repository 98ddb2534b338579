import { type Context, Hono, type MiddlewareHandler } from "hono";
import { bodyLimit } from "hono/body-limit";
import { factsQuery, type HostFacts } from "../core/facts.ts";
import { NAME } from "../core/observation.ts";
import {
  type HubInstance,
  noOrder,
  pauseOrder,
  type Refusal,
  type RepairReport,
  type RepairRequest,
  repairRequest,
} from "../core/repair.ts";
import { HOUR, type Millis, parseDuration } from "../core/units.ts";
import { readJson } from "./json.ts";
import { invalid, problem } from "./problem.ts";

/** A request for a repair is some 200 bytes. */
const BODY_MAX = 16_384;
/** A hub asks again after this at the latest. */
const WAIT_MAX: Millis = 25_000;

/** What the host gives to its hook. */
export interface HostPort {
  readonly submit: (request: RepairRequest) => Promise<HostAnswer>;
  readonly find: (id: string) => RepairReport | null;
  readonly facts: (
    link: string | null,
    after: number | null,
    wait: Millis,
    signal: AbortSignal | null,
  ) => Promise<HostFacts | null>;
  /** A hub asked for facts: it keeps the lease that it has. */
  readonly heard: (hub: HubInstance) => void;
  readonly resetBreaker: () => boolean;
  /** Holds the guard and every repair; says until when. Throws when it cannot be written down. */
  readonly pause: (forMillis: Millis, reason: string | null) => string;
  readonly resume: () => void;
}

export interface HostAnswer {
  readonly kind: "accepted" | "known" | "refused";
  readonly report: RepairReport;
  readonly refused?: { readonly refusal: Refusal; readonly detail: string; readonly retryAfter: Millis | null };
}

export interface HostHookDeps {
  readonly host: HostPort;
  /**
   * Whether the hub's key signed this body. Null on a unix socket, which is trusted by its file mode. The peers of a socket on a
   * shared folder all look like root, so who connects is not looked at (facts/l2).
   */
  readonly verify:
    | ((headers: Headers, body: string) => Promise<{ readonly ok: boolean; readonly reason?: string }>)
    | null;
  readonly log: (level: "info" | "warn" | "error", fields: Readonly<Record<string, unknown>>, message: string) => void;
}

/** Statuses of a refusal: what waits (423), what has been spent (429), everything else stands in the way (409). */
const STATUS: Partial<Record<Refusal, 423 | 429>> = { maintenance: 423, breaker_open: 423, budget: 429 };

interface Vars {
  Variables: { body: string };
}

/**
 * The host hook. A request carries an id, a step, an epoch and a time to live; nothing else is accepted, so nothing of it can
 * reach a command. Everything that is not of this form is refused before the host is asked.
 */
export function hostApp({ host, verify, log }: HostHookDeps): Hono<Vars> {
  const app = new Hono<Vars>();
  app.use(bodyLimit({ maxSize: BODY_MAX, onError: (c) => problem(c, 413, { detail: `at most ${BODY_MAX} bytes` }) }));
  app.use(signed(verify, log));

  app.post("/v1/repairs", async (c) => {
    const body = bodyOf(c, repairRequest);
    return body.ok ? answered(c, await host.submit(body.value)) : body.response;
  });
  app.get("/v1/repairs/:id", (c) => {
    const id = c.req.param("id");
    const report = NAME.test(id) ? host.find(id) : null;
    return report === null ? problem(c, 404, { detail: "no repair of this id is known here" }) : c.json(report);
  });
  app.get("/v1/facts", async (c) => {
    const query = factsQuery.safeParse(c.req.query());
    if (!query.success) return invalid(c, query.error);
    const { after, wait_ms, link, hub } = query.data;
    if (hub !== undefined) host.heard(hub);
    const facts = await host.facts(link ?? null, after ?? null, Math.min(wait_ms ?? 0, WAIT_MAX), c.req.raw.signal);
    return facts === null ? problem(c, 404, { detail: "that link is not declared on this host" }) : c.json(facts);
  });
  app.post("/v1/breaker/reset", (c) =>
    host.resetBreaker()
      ? c.json({ breaker: "closed" })
      : problem(c, 503, { detail: "the journal does not take it: the breaker stays as it is" }),
  );
  app.post("/v1/pause", (c) => {
    const body = bodyOf(c, pauseOrder, true);
    if (!body.ok) return body.response;
    const { for: wanted, reason } = body.value;
    const millis = wanted === undefined ? HOUR : (parseDuration(wanted) ?? HOUR);
    return written(c, () => ({ state: "maintenance", until: host.pause(millis, reason ?? null) }));
  });
  app.post("/v1/resume", (c) => {
    const body = bodyOf(c, noOrder, true);
    if (!body.ok) return body.response;
    return written(c, () => {
      host.resume();
      return { state: "resumed" };
    });
  });
  app.get("/healthz", (c) => c.json({ ok: true }));

  app.notFound((c) => problem(c, 404, { detail: "nothing is here" }));
  app.onError((error, c) => {
    log("error", { path: c.req.path, error: error.stack ?? error.message }, "a hook threw");
    return problem(c, 500, { detail: "a bug of ours; the log has it" });
  });
  return app;
}

/** Reads the body once and, on an address, asks for the hub's signature over it. The same 401 for every reason (fault 18). */
function signed(verify: HostHookDeps["verify"], log: HostHookDeps["log"]): MiddlewareHandler<Vars> {
  return async (c, next) => {
    const body = c.req.method === "POST" ? await c.req.text() : "";
    c.set("body", body);
    if (verify !== null) {
      const verified = await verify(c.req.raw.headers, body);
      if (!verified.ok) {
        log("warn", { path: c.req.path, reason: verified.reason }, "refused a request");
        return problem(c, 401, { detail: "missing or wrong credentials" });
      }
    }
    return next();
  };
}

interface Schema<T> {
  readonly safeParse: (
    value: unknown,
  ) =>
    | { readonly success: true; readonly data: T }
    | { readonly success: false; readonly error: Parameters<typeof invalid>[1] };
}
type Body<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly response: Response };

/** The body of a request, in exactly this form; an empty one stands for `{}` where that is allowed. */
function bodyOf<T>(c: Context<Vars>, schema: Schema<T>, emptyAllowed = false): Body<T> {
  const text = c.get("body");
  const isEmpty = text === "" && emptyAllowed;
  if (!isEmpty && !/^application\/json\s*(;|$)/i.test(c.req.header("content-type") ?? ""))
    return { ok: false, response: problem(c, 415, { detail: "application/json is wanted" }) };
  const read = isEmpty ? ({ ok: true, value: {} } as const) : readJson(text);
  if (!read.ok) {
    const detail = `${read.path || "the body"}: ${read.message}`;
    return { ok: false, response: problem(c, 422, { detail, errors: [{ path: read.path, message: read.message }] }) };
  }
  const parsed = schema.safeParse(read.value);
  return parsed.success ? { ok: true, value: parsed.data } : { ok: false, response: invalid(c, parsed.error) };
}

/** A pause that cannot be written down is not one. */
function written(c: Context, order: () => Readonly<Record<string, string>>): Response {
  try {
    return c.json(order());
  } catch (error) {
    return problem(c, 503, { detail: `the pause file: ${(error as { code?: string }).code ?? "not writable"}` });
  }
}

function answered(c: Context, answer: HostAnswer): Response {
  if (answer.kind === "accepted") return c.json(answer.report, 202);
  const refusal = answer.refused?.refusal ?? null;
  if (answer.kind === "known" || refusal === null) return c.json(answer.report, 200);
  const retryAfter = answer.refused?.retryAfter ?? null;
  return problem(c, STATUS[refusal] ?? 409, {
    detail: answer.refused?.detail ?? refusal,
    more: { refusal, report: answer.report },
    ...(retryAfter === null ? {} : { headers: { "retry-after": String(Math.ceil(retryAfter / 1_000)) } }),
  });
}
