import { connect } from "cloudflare:sockets";
import { faultBehindCloudflare } from "../../probes/cloudflare.ts";
import type { Attempt, HttpReply, HttpsExchange, HttpsRequest, NetFault } from "../../probes/port.ts";
import { clock, faultOf, limited, Malformed, timeoutOf } from "./probe-step.ts";

/** A page has its headers in a few KiB; more is an attack or a mistake. */
const HEADERS_MAX = 16_384;

/** workerd shows neither certificate nor protocol: a certificate that it does not trust is a failed handshake. */
const UNSEEN = { certificate: null, protocol: null } as const;

type Phases = { -readonly [K in keyof HttpsExchange["phases"]]: number | null };

/** GET by the platform's fetch: what the world does, through DNS and whatever stands in front of the house. */
export async function overFetch(asked: HttpsRequest, signal: AbortSignal): Promise<HttpsExchange> {
  const began = clock.mono();
  const phases: Phases = { connect: null, tls: null, first_byte: null, total: null };
  const port = asked.port === 443 ? "" : `:${asked.port}`;
  const aborted = new AbortController();
  let behind: NetFault | null = null;
  const reply = await limited("exchange", asked.limits.total, signal, async () => {
    const response = await fetch(`https://${asked.serverName}${port}${asked.path}`, {
      headers: { accept: "*/*", "accept-encoding": "identity", "user-agent": "hairpin-edge" },
      redirect: "manual",
      signal: aborted.signal,
    });
    phases.first_byte = clock.mono() - began;
    asked.onConnected?.();
    const headers = Object.fromEntries(response.headers);
    behind = faultBehindCloudflare(response.status, headers["server"]);
    return readReply(response.status, headers, response.body?.getReader() ?? null, asked.bodyMax);
  });
  aborted.abort();
  phases.total = clock.mono() - began;
  return { phases, ...UNSEEN, reply: behind === null ? reply : { ok: false, fault: behind } };
}

async function readReply(
  status: number,
  headers: Readonly<Record<string, string>>,
  reader: ReadableStreamDefaultReader<Uint8Array> | null,
  max: number,
): Promise<HttpReply> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for (;;) {
    const read = await reader?.read();
    if (read === undefined || read.done) break;
    size += read.value.length;
    if (size > max) {
      await reader?.cancel();
      return { status, headers, body: new Uint8Array(), tooLarge: true };
    }
    chunks.push(read.value);
  }
  return { status, headers, body: joined(chunks), tooLarge: false };
}

function joined(chunks: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

/** A connection that was opened for `starttls`, secured: with the name in SNI, looked for in the certificate. */
export async function secure(
  plainSocket: Socket,
  serverName: string,
  timeout: number,
  signal: AbortSignal,
): Promise<Attempt<Socket>> {
  const until = clock.mono() + timeout;
  const opened = await limited("connect", timeout, signal, () => plainSocket.opened);
  if (!opened.ok) return opened;
  const socket = plainSocket.startTls({ expectedServerHostname: serverName });
  socket.closed.catch(() => undefined);
  const shaken = await limited("tls", Math.max(1, until - clock.mono()), signal, () => socket.opened);
  if (shaken.ok) return { ok: true, value: socket };
  socket.close().catch(() => undefined);
  return asTls(shaken.fault);
}

/** GET at a fixed address: HTTP/1.1 by hand over a socket that was secured with the name in SNI. */
export async function overSocket(asked: HttpsRequest, signal: AbortSignal): Promise<HttpsExchange> {
  const began = clock.mono();
  const phases: Phases = { connect: null, tls: null, first_byte: null, total: null };
  const ended = (reply: Attempt<HttpReply>): HttpsExchange => ({
    phases: { ...phases, total: clock.mono() - began },
    ...UNSEEN,
    reply,
  });
  const plainSocket = connect(
    { hostname: asked.address, port: asked.port },
    { secureTransport: "starttls", allowHalfOpen: false },
  );
  plainSocket.closed.catch(() => undefined);
  let socket: Socket = plainSocket;
  try {
    const opened = await limited("connect", asked.limits.connect, signal, () => plainSocket.opened);
    if (!opened.ok) return ended(opened);
    phases.connect = clock.mono() - began;
    asked.onConnected?.();
    const secure = plainSocket.startTls({ expectedServerHostname: asked.serverName });
    secure.closed.catch(() => undefined);
    socket = secure;
    const shaken = await limited("tls", asked.limits.tls, signal, () => secure.opened);
    if (!shaken.ok) return ended(asTls(shaken.fault));
    phases.tls = clock.mono() - began;
    const left = asked.limits.total - (clock.mono() - began);
    if (left <= 0) return ended(timeoutOf("exchange", "no time was left to ask"));
    const reply = await limited("exchange", left, signal, () =>
      converse(secure, asked, () => {
        phases.first_byte = clock.mono() - began;
      }),
    );
    return ended(reply);
  } catch (error) {
    return ended(faultOf("exchange", error));
  } finally {
    socket.close().catch(() => undefined);
  }
}

/** The platform's words for a handshake that failed are those of a refused connection: by its stage it is neither. */
function asTls(fault: NetFault): { readonly ok: false; readonly fault: NetFault } {
  return { ok: false, fault: { ...fault, stage: "tls", errno: null } };
}

async function converse(socket: Socket, asked: HttpsRequest, onFirstByte: () => void): Promise<HttpReply> {
  const host = asked.port === 443 ? asked.serverName : `${asked.serverName}:${asked.port}`;
  const head = `GET ${asked.path} HTTP/1.1\r\nhost: ${host}\r\naccept: */*\r\naccept-encoding: identity\r\nuser-agent: hairpin-edge\r\nconnection: close\r\n\r\n`;
  const writer = socket.writable.getWriter();
  await writer.write(new TextEncoder().encode(head));
  const reader = socket.readable.getReader() as ReadableStreamDefaultReader<Uint8Array>;
  let held = new Uint8Array();
  for (;;) {
    const { done, value } = await reader.read();
    if (held.length === 0) onFirstByte();
    if (value !== undefined) held = joined([held, value]) as Uint8Array<ArrayBuffer>;
    const end = endOfHead(held);
    if (end >= 0) return readBody(parseHead(held.subarray(0, end)), held.slice(end + 4), reader, done, asked.bodyMax);
    if (done) throw new Error("the connection was closed before the answer's headers were whole");
    if (held.length > HEADERS_MAX) throw new Malformed(`more than ${HEADERS_MAX} bytes of headers`);
  }
}

function endOfHead(bytes: Uint8Array): number {
  for (let at = 0; at + 3 < bytes.length; at++)
    if (bytes[at] === 13 && bytes[at + 1] === 10 && bytes[at + 2] === 13 && bytes[at + 3] === 10) return at;
  return -1;
}

interface Head {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
}

function parseHead(bytes: Uint8Array): Head {
  const [first = "", ...lines] = new TextDecoder("latin1").decode(bytes).split("\r\n");
  const status = /^HTTP\/1\.[01] (\d{3})( |$)/.exec(first)?.[1];
  if (status === undefined) throw new Malformed("what answers does not speak HTTP/1.1");
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const [, name, value] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}):[ \t]*(.*?)[ \t]*$/.exec(line) ?? [];
    if (name === undefined || value === undefined) throw new Malformed("a header line that is none");
    headers[name.toLowerCase()] = value;
  }
  return { status: Number(status), headers };
}

/** By chunks, by content-length, or to the end of the connection (RFC 9112, 6.3). */
async function readBody(
  { status, headers }: Head,
  begun: Uint8Array,
  reader: ReadableStreamDefaultReader<Uint8Array>,
  isOver: boolean,
  max: number,
): Promise<HttpReply> {
  const isChunked = /\bchunked\s*$/i.test(headers["transfer-encoding"] ?? "");
  const length = /^\d{1,15}$/.test(headers["content-length"] ?? "") ? Number(headers["content-length"]) : null;
  const wanted =
    status === 204 || status === 304 ? 0 : isChunked ? Number.POSITIVE_INFINITY : (length ?? Number.POSITIVE_INFINITY);
  let held = begun;
  // The framing of chunks costs little beside what it frames; four times the limit ends also the thinnest of them.
  const limit = isChunked ? 4 * max : max;
  for (let done = isOver; !done && held.length < wanted; ) {
    if (held.length > limit) return { status, headers, body: new Uint8Array(), tooLarge: true };
    const read = await reader.read();
    done = read.done;
    if (read.value !== undefined) held = joined([held, read.value]);
    if (isChunked && dechunked(held).whole) break;
  }
  if (length !== null && !isChunked && held.length < wanted)
    throw new Malformed("the body ended before its content-length");
  const body = isChunked ? dechunked(held).body : held.subarray(0, Math.min(held.length, wanted));
  return body.length > max
    ? { status, headers, body: new Uint8Array(), tooLarge: true }
    : { status, headers, body, tooLarge: false };
}

function dechunked(bytes: Uint8Array): { readonly body: Uint8Array; readonly whole: boolean } {
  const parts: Uint8Array[] = [];
  let at = 0;
  for (;;) {
    const end = bytes.indexOf(10, at);
    const size = end < 0 ? Number.NaN : Number.parseInt(new TextDecoder("latin1").decode(bytes.subarray(at, end)), 16);
    if (Number.isNaN(size)) return { body: joined(parts), whole: false };
    if (size === 0) return { body: joined(parts), whole: true };
    if (end + 1 + size > bytes.length) return { body: joined(parts), whole: false };
    parts.push(bytes.subarray(end + 1, end + 1 + size));
    at = end + 1 + size + 2;
  }
}
