import { randomBytes } from "node:crypto";
import request from "undici/lib/api/api-request.js";
import Client from "undici/lib/dispatcher/client.js";
import { hostFacts } from "../../core/facts.ts";
import { REFUSALS, type RepairRequest, repairReport } from "../../core/repair.ts";
import { sign } from "../../core/standard-webhooks.ts";
import type { HostLink, HostOrder, HostReply } from "../../engine/hub-ports.ts";
import { hmac } from "./hmac.ts";

const ANSWER_MAX = 1_048_576;
const TIMEOUT = 5_000;

interface Reply {
  readonly status: number;
  readonly body: unknown;
}

/**
 * The way to a host hook: its unix socket, which file modes guard, or an address, where every request is signed. The client is
 * made anew after a failure, since a host process may come back on a socket file of the same name.
 */
export function createHostLink(listen: string, keys: readonly string[]): HostLink & { close(): void } {
  const socketPath = listen.startsWith("unix:") ? listen.slice(5) : null;
  const origin = socketPath === null ? `http://${listen}` : "http://localhost";
  // Long-polls and requests must not queue behind each other.
  const clients = new Map<string, InstanceType<typeof Client>>();
  const clientFor = (lane: string): InstanceType<typeof Client> => {
    const known = clients.get(lane);
    if (known !== undefined && !known.destroyed) return known;
    const client = new Client(origin, {
      ...(socketPath === null ? {} : { socketPath }),
      pipelining: 1,
      connect: { timeout: 2_000, ...(socketPath === null ? {} : { socketPath }) },
    });
    clients.set(lane, client);
    return client;
  };

  async function call(
    lane: string,
    method: "GET" | "POST",
    path: string,
    body: string,
    waitMs: number,
    signal?: AbortSignal,
  ): Promise<Reply> {
    const signed =
      keys.length === 0
        ? {}
        : await sign(keys, `hub_${randomBytes(12).toString("hex")}`, Math.floor(Date.now() / 1_000), body, hmac);
    const client = clientFor(lane);
    try {
      const reply = await request.call(client, {
        method,
        path,
        headers: {
          host: socketPath === null ? listen : "hairpin",
          ...(method === "POST" ? { "content-type": "application/json" } : {}),
          ...signed,
        },
        body: method === "POST" ? body : null,
        headersTimeout: waitMs + TIMEOUT,
        bodyTimeout: TIMEOUT,
        ...(signal ? { signal } : {}),
      });
      return { status: reply.statusCode, body: await readAnswer(reply.body) };
    } catch (error) {
      clients.delete(lane);
      client.destroy().catch(() => undefined);
      throw error;
    }
  }

  async function report(
    method: "GET" | "POST",
    path: string,
    body: string,
    asked: RepairRequest | null,
  ): Promise<HostReply<ReturnType<typeof repairReport.parse>>> {
    try {
      const reply = await call("repairs", method, path, body, TIMEOUT);
      const parsed = repairReport.safeParse(reply.body);
      if (parsed.success) return { kind: "answer", value: parsed.data };
      const refused = asked === null ? null : refusal(reply, asked);
      if (refused !== null) return { kind: "answer", value: refused };
      if (method === "GET" && reply.status === 404) return { kind: "unknown_id" };
      return { kind: "unreachable", detail: `the host answered ${reply.status}` };
    } catch (error) {
      return { kind: "unreachable", detail: say(error) };
    }
  }

  return {
    async facts(after, waitMs, signal, hub) {
      try {
        const seen = after < 0 ? "" : `&after=${after}`; // Nothing has been seen yet.
        const query = `wait_ms=${waitMs}${seen}${hub === undefined ? "" : `&hub=${hub}`}`;
        const reply = await call("facts", "GET", `/v1/facts?${query}`, "", waitMs, signal);
        if (reply.status !== 200) return { kind: "unreachable", detail: `the host answered ${reply.status}` };
        const parsed = hostFacts.safeParse(reply.body);
        return parsed.success
          ? { kind: "answer", value: parsed.data }
          : {
              kind: "unreachable",
              detail: `facts that cannot be read: ${parsed.error.issues[0]?.path.join(".")} ${parsed.error.issues[0]?.message}`,
            };
      } catch (error) {
        return { kind: "unreachable", detail: say(error) };
      }
    },
    repair: (asked) => report("POST", "/v1/repairs", JSON.stringify(asked), asked),
    report: (id) => report("GET", `/v1/repairs/${encodeURIComponent(id)}`, "", null),
    async order(order) {
      try {
        const reply = await call("repairs", "POST", ORDERS[order.kind], bodyOf(order), TIMEOUT);
        return reply.status === 200
          ? { kind: "answer", value: null }
          : { kind: "unreachable", detail: `the host answered ${reply.status}` };
      } catch (error) {
        return { kind: "unreachable", detail: say(error) };
      }
    },
    close() {
      for (const client of clients.values()) client.destroy().catch(() => undefined);
    },
  };
}

const ORDERS: Readonly<Record<HostOrder["kind"], string>> = {
  pause: "/v1/pause",
  resume: "/v1/resume",
  reset_breaker: "/v1/breaker/reset",
};

function bodyOf(order: HostOrder): string {
  if (order.kind !== "pause") return "{}";
  return JSON.stringify({
    for: `${Math.ceil(order.forMillis / 1_000)}s`,
    ...(order.reason === null ? {} : { reason: order.reason }),
  });
}

/** A refusal comes as problem+json; the reducer gets it as a report, so that there is one form of an answer. */
function refusal(reply: Reply, request: RepairRequest): ReturnType<typeof repairReport.parse> | null {
  const body = reply.body as { refusal?: unknown; detail?: unknown; advice?: unknown } | null;
  const named = REFUSALS.find((known) => known === body?.refusal);
  if (named === undefined) return null;
  return {
    id: request.id,
    step: request.step,
    state: "refused",
    refusal: named,
    detail: typeof body?.detail === "string" ? body.detail.slice(0, 500) : null,
    started_at: null,
    ms: null,
    commands: [],
    advice: typeof body?.advice === "string" ? body.advice.slice(0, 2_000) : null,
  };
}

async function readAnswer(body: AsyncIterable<Uint8Array>): Promise<unknown> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > ANSWER_MAX) throw new Error("the host's answer is too large");
    parts.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(parts).toString("utf8"));
  } catch {
    return null;
  }
}

function say(error: unknown): string {
  const { code, message } = error as { code?: string; message?: string };
  return code ?? message ?? "no answer";
}
