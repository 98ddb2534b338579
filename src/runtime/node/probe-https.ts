import { isIP, type Socket } from "node:net";
import {
  checkServerIdentity,
  connect as connectTls,
  createSecureContext,
  type PeerCertificate,
  type SecureContext,
  type TLSSocket,
} from "node:tls";
import request from "undici/lib/api/api-request.js";
import Client from "undici/lib/dispatcher/client.js";
import type { CertificateFacts } from "../../core/observation.ts";
import { daysLeft } from "../../probes/certificate.ts";
import { plain } from "../../probes/finding.ts";
import type {
  Attempt,
  HttpReply,
  HttpsExchange,
  HttpsPhases,
  HttpsRequest,
  ShownCertificate,
  TlsHttp,
} from "../../probes/port.ts";
import { monoMillis } from "./clock.ts";
import { faultOf, openSocket, timeoutFault } from "./probe-socket.ts";

/** A page has its headers in a few KiB; more is an attack or a mistake. */
const HEADERS_MAX = 16_384;
/** One authority per check at most; parsing it anew each time would cost more than the handshake. */
const CONTEXTS_MAX = 64;
const NAMES_MAX = 64;

const contexts = new Map<string | null, SecureContext>();

function contextFor(caPem: string | null): SecureContext {
  const known = contexts.get(caPem);
  if (known !== undefined) return known;
  if (contexts.size >= CONTEXTS_MAX) contexts.clear();
  const made = createSecureContext(caPem === null ? {} : { ca: caPem });
  contexts.set(caPem, made);
  return made;
}

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
      const secured = await handshake(socket, asked, limited);
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

/** The certificate is judged afterwards, as a fact of its own: an expired one must not hide whether the service works. */
function handshake(socket: Socket, asked: HttpsRequest, signal: AbortSignal): Promise<Attempt<TLSSocket>> {
  return new Promise((resolve) => {
    let secure: TLSSocket;
    try {
      secure = connectTls({
        socket,
        secureContext: contextFor(asked.caPem),
        rejectUnauthorized: false,
        checkServerIdentity: () => undefined,
        ALPNProtocols: ["http/1.1"],
        ...(isIP(asked.serverName) === 0 ? { servername: asked.serverName } : {}),
      });
    } catch (error) {
      return resolve(faultOf("tls", error));
    }
    const end = (result: Attempt<TLSSocket>) => {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      resolve(result);
    };
    const onAbort = () => end(timeoutFault("tls", "no TLS handshake in the time allowed"));
    const timer = setTimeout(
      () => end(timeoutFault("tls", `no TLS handshake in ${asked.limits.tls} ms`)),
      asked.limits.tls,
    );
    signal.addEventListener("abort", onAbort, { once: true });
    secure.on("error", (error) => end(faultOf("tls", error)));
    secure.once("secureConnect", () => end({ ok: true, value: secure }));
  });
}

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

function shownBy(secure: TLSSocket, serverName: string): ShownCertificate | null {
  const certificate = secure.getPeerCertificate();
  if (certificate === null || certificate.raw === undefined) return null;
  const chainError = secure.authorizationError;
  return {
    facts: factsOf(certificate),
    chainError: chainError == null ? null : plain(String(chainError), 64),
    nameMatches: checkServerIdentity(serverName, certificate) === undefined,
  };
}

function factsOf(certificate: PeerCertificate): CertificateFacts {
  const validTo = isoDate(certificate.valid_to);
  return {
    subject: distinguished(certificate.subject),
    issuer: distinguished(certificate.issuer),
    valid_from: isoDate(certificate.valid_from),
    valid_to: validTo,
    days_left: daysLeft(validTo, Date.now()),
    names: (certificate.subjectaltname ?? "")
      .split(", ")
      .filter((name) => name !== "")
      .slice(0, NAMES_MAX)
      .map((name) => plain(name.replace(/^(DNS|IP Address):/, ""))),
    fingerprint: certificate.fingerprint256 ?? null,
    trusted: false,
  };
}

function isoDate(text: string): string | null {
  const millis = Date.parse(text);
  return Number.isNaN(millis) ? null : new Date(millis).toISOString();
}

function distinguished(name: PeerCertificate["subject"] | undefined): string | null {
  const parts = Object.entries(name ?? {}).map(([key, value]) => `${key}=${String(value)}`);
  return parts.length === 0 ? null : plain(parts.join(", "));
}
