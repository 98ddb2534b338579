import { isIP, type Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import request from "undici/lib/api/api-request.js";
import Client from "undici/lib/dispatcher/client.js";
import type { Attempt, HttpReply, HttpsExchange, HttpsPhases, HttpsRequest, TlsHttp } from "../../probes/port.ts";
import { monoMillis } from "./clock.ts";
import { faultOf, openSocket, timeoutFault } from "./probe-socket.ts";
import { handshake, shownBy } from "./probe-tls.ts";

/** A page has its headers in a few KiB; more is an attack or a mistake. */
const HEADERS_MAX = 16_384;
type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** The three phases one after the other, with one total limit over all of them. */
export const tlsHttp: TlsHttp = {
  async get(asked, signal) {
    const began = monoMillis();
    const total = new AbortController();
    const timer = setTimeout(() => total.abort(), asked.limits.total);
    const limited = AbortSignal.any([signal, total.signal]);
    const phases: Mutable<HttpsPhases> = { connect: null, tls: null, first_byte: null, total: null };
    const since = () => monoMillis() - began;
    let socket: Socket | null = null;
    // Read right after the handshake: a socket that is done with has no certificate any more.
    let shown: Pick<HttpsExchange, "certificate" | "protocol"> = { certificate: null, protocol: null };
    const ended = (reply: Attempt<HttpReply>): HttpsExchange => ({
      phases: { ...phases, total: since() },
      ...shown,
      reply,
    });
    try {
      const opened = await openSocket(asked.address, asked.port, asked.limits.connect, limited);
      if (!opened.ok) return ended(opened);
      socket = opened.value;
      phases.connect = since();
      asked.onConnected?.();
      const secured = await handshake(
        socket,
        { ...asked, timeout: asked.limits.tls, protocols: ["http/1.1"] },
        limited,
      );
      if (!secured.ok) return ended(secured);
      phases.tls = since();
      shown = { certificate: shownBy(secured.value, asked.serverName), protocol: secured.value.getProtocol() };
      const reply = await exchange(secured.value, asked, limited, () => {
        phases.first_byte = since();
      });
      return ended(reply);
    } finally {
      clearTimeout(timer);
      socket?.destroy();
    }
  },
};

async function exchange(
  secure: TLSSocket,
  asked: HttpsRequest,
  signal: AbortSignal,
  onFirstByte: () => void,
): Promise<Attempt<HttpReply>> {
  const host = isIP(asked.serverName) === 6 ? `[${asked.serverName}]` : asked.serverName;
  const client = new Client(`https://${host}:${asked.port}`, {
    // Later, since undici is still in its own loop here: called at once, it never looks at the request again.
    connect: (_options, callback) => queueMicrotask(() => callback(null, secure)),
    pipelining: 1,
    maxHeaderSize: HEADERS_MAX,
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  try {
    const response = await request.call(client, {
      method: "GET",
      path: asked.path,
      headers: { accept: "*/*", "accept-encoding": "identity", "user-agent": "hairpin" },
      reset: true,
      signal,
    });
    onFirstByte();
    const headers = Object.fromEntries(
      Object.entries(response.headers).map(([name, value]) => [name, String(value ?? "")]),
    );
    const encoding = (headers["content-encoding"] ?? "identity").trim().toLowerCase();
    const empty = encoding !== "" && encoding !== "identity";
    const { body, tooLarge } = empty
      ? { body: new Uint8Array(), tooLarge: false }
      : await readBody(response.body, asked.bodyMax);
    if (empty || tooLarge) response.body.on("error", () => {}).destroy();
    return { ok: true, value: { status: response.statusCode, headers, body, tooLarge } };
  } catch (error) {
    if (signal.aborted) return timeoutFault("exchange", `no complete answer in ${asked.limits.total} ms`);
    return faultOf("exchange", error);
  } finally {
    await client.destroy().catch(() => {});
  }
}

async function readBody(
  stream: AsyncIterable<Buffer>,
  max: number,
): Promise<{ readonly body: Uint8Array; readonly tooLarge: boolean }> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream) {
    size += chunk.length;
    if (size > max) return { body: new Uint8Array(), tooLarge: true };
    chunks.push(chunk);
  }
  return { body: Buffer.concat(chunks), tooLarge: false };
}
