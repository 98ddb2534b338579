import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import request from "undici/lib/api/api-request.js";
import Client from "undici/lib/dispatcher/client.js";
import type { Attempt } from "../../core/delivery.ts";
import type { Outgoing, Send } from "../../deliver/outgoing.ts";
import type { HubResolver } from "./hub-resolver.ts";

/** Of an answer only the status counts; so much of its body is read, so that a small one leaves the connection in order. */
const ANSWER_MAX = 4_096;
const CONNECT_MS = 4_000;

/** Opens a connection to the first address that takes it. The name stays in SNI and in the certificate's check. */
export async function open(addresses: readonly string[], port: number, signal: AbortSignal): Promise<Socket> {
  let failure: Error = new Error("no address");
  for (const host of addresses) {
    try {
      return await new Promise<Socket>((resolve, reject) => {
        const socket = connectTcp({ host, port, noDelay: true, signal });
        const timer = setTimeout(
          () => socket.destroy(new Error(`no connection to ${host} in ${CONNECT_MS / 1_000} s`)),
          CONNECT_MS,
        );
        socket.once("connect", () => {
          clearTimeout(timer);
          resolve(socket);
        });
        socket.once("error", (error) => {
          clearTimeout(timer);
          reject(error);
        });
      });
    } catch (error) {
      failure = error as Error;
      if (signal.aborted) break;
    }
  }
  throw failure;
}

function secure(socket: Socket, name: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const tls = connectTls({
      socket,
      host: name,
      ...(isIP(name) === 0 ? { servername: name } : {}),
      ALPNProtocols: ["http/1.1"],
    });
    tls.once("secureConnect", () => resolve(tls));
    tls.once("error", (error) => {
      socket.destroy();
      reject(error);
    });
  });
}

/** Seconds, or a date (RFC 9110, 10.2.3); null when there is none or it cannot be read. */
export function retryAfterMillis(value: string | undefined, now: number): number | null {
  if (value === undefined) return null;
  if (/^\d{1,9}$/.test(value.trim())) return Number(value) * 1_000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? null : Math.max(0, date - now);
}

/** Sends to where hub.resolvers say that the name is. One connection per try: a receiver gets an event a day, not a stream. */
export function createSend(resolver: HubResolver): Send {
  const exchange = createExchange(resolver, null);
  return async (outgoing, signal): Promise<Attempt> => {
    const answer = await exchange(outgoing, signal);
    if (answer.kind === "failed") return answer;
    return { kind: "answered", status: answer.status, retryAfter: answer.retryAfter };
  };
}

/** What came back, with its body where that was wanted; null for one that is larger, or that broke off. */
export type Exchanged =
  | (Extract<Attempt, { kind: "answered" }> & { readonly body: string | null; readonly date: string | null })
  | Extract<Attempt, { kind: "failed" }>;

/** As createSend, with the answer's body of at most `bodyMax` bytes; null: none of it is wanted. */
export function createExchange(
  resolver: HubResolver,
  bodyMax: number | null,
): (outgoing: Outgoing, signal: AbortSignal) => Promise<Exchanged> {
  return async (outgoing: Outgoing, signal): Promise<Exchanged> => {
    const url = new URL(outgoing.url);
    const name = url.hostname.replace(/^\[|\]$/g, "");
    const port = Number(url.port || (url.protocol === "https:" ? 443 : 80));
    let client: InstanceType<typeof Client> | null = null;
    try {
      const addresses = await resolver.resolve(name);
      const socket = await open(addresses, port, signal);
      const stream = url.protocol === "https:" ? await secure(socket, name) : socket;
      client = new Client(url.origin, {
        pipelining: 0,
        // Later: called from within its own loop, undici would never look at the request again.
        connect: (_options, callback) => queueMicrotask(() => callback(null, stream as never)),
      });
      const reply = await request.call(client, {
        method: outgoing.method,
        path: `${url.pathname}${url.search}`,
        headers: { host: url.host, "user-agent": "hairpin", accept: "*/*", ...credentials(url), ...outgoing.headers },
        body: outgoing.body,
        signal,
        headersTimeout: 10_000,
        bodyTimeout: 10_000,
      });
      const body = bodyMax === null ? await drain(reply.body) : await read(reply.body, bodyMax);
      const [retryAfter, date] = [reply.headers["retry-after"], reply.headers["date"]].map((value) =>
        Array.isArray(value) ? value[0] : value,
      );
      return {
        kind: "answered",
        status: reply.statusCode,
        retryAfter: retryAfterMillis(retryAfter, Date.now()),
        body,
        date: date ?? null,
      };
    } catch (error) {
      return { kind: "failed", detail: say(error, signal) };
    } finally {
      client?.destroy().catch(() => undefined);
    }
  };
}

/** https://user:password@host: the ways of ntfy and some heartbeats. */
function credentials(url: URL): Record<string, string> {
  if (url.username === "") return {};
  const pair = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  return { authorization: `Basic ${Buffer.from(pair).toString("base64")}` };
}

async function drain(body: AsyncIterable<Uint8Array>): Promise<null> {
  let size = 0;
  try {
    for await (const chunk of body) {
      size += chunk.length;
      if (size >= ANSWER_MAX) return null;
    }
  } catch {
    // The status has been read; that the rest broke off changes nothing.
  }
  return null;
}

/** The whole body, or null for one that is larger: half of an answer is none. One that breaks off is thrown. */
async function read(body: AsyncIterable<Uint8Array>, max: number): Promise<string | null> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > max) return null;
    parts.push(chunk);
  }
  return Buffer.concat(parts).toString("utf8");
}

/** An error in words without the URL, which may be the secret itself. */
function say(error: unknown, signal: AbortSignal): string {
  if (signal.aborted) return "no answer in 10 s";
  const { code, message } = error as { code?: string; message?: string };
  const words = (message ?? "failed").replaceAll(/https?:\/\/\S+/g, "the receiver");
  return code === undefined ? words : `${code}: ${words}`;
}
