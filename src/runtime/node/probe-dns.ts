import { createSocket } from "node:dgram";
import { isIPv6, type Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { MESSAGE_MAX } from "../../probes/dns-message.ts";
import type { Attempt, DnsRequest, DnsTransport } from "../../probes/port.ts";
import { monoMillis } from "./clock.ts";
import { faultOf, openSocket, timeoutFault } from "./probe-socket.ts";
import { handshake, shownBy } from "./probe-tls.ts";

type Accept = (message: Uint8Array) => boolean;

/** Names are never looked up here: every address is a literal, and the system's resolver must not be asked about itself. */
const lookup = (
  host: string,
  _options: unknown,
  callback: (error: Error | null, address: string, family: number) => void,
) => callback(null, host, isIPv6(host) ? 6 : 4);

export const dnsTransport: DnsTransport = {
  exchange: (request, accept, signal) =>
    request.transport === "udp" ? overUdp(request, accept, signal) : overTcp(request, accept, signal),
};

/** A connected socket: the kernel drops what other addresses send, and a closed port is an error within milliseconds. */
function overUdp(request: DnsRequest, accept: Accept, signal: AbortSignal): Promise<Attempt<Uint8Array>> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve(timeoutFault("connect", "given up"));
    const socket = createSocket({ type: isIPv6(request.address) ? "udp6" : "udp4", lookup });
    let ended = false;
    const end = (result: Attempt<Uint8Array>) => {
      if (ended) return;
      ended = true;
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      socket.close();
      resolve(result);
    };
    const onAbort = () => end(timeoutFault("connect", "given up"));
    const timer = setTimeout(() => end(timeoutFault("connect", `no answer in ${request.timeout} ms`)), request.timeout);
    signal.addEventListener("abort", onAbort, { once: true });
    socket.on("error", (error) => end(faultOf("connect", error)));
    socket.on("message", (message) => {
      if (accept(message)) end({ ok: true, value: new Uint8Array(message) });
    });
    socket.connect(request.port, request.address, (error?: Error) => {
      if (ended) return;
      if (error) return end(faultOf("connect", error));
      socket.send(request.query, (failure) => {
        if (failure) end(faultOf("connect", failure));
      });
    });
  });
}

/** Two bytes of length before each message (RFC 1035, 4.2.2), over TLS too (RFC 7858, 3.3). One time limit for all of it. */
async function overTcp(request: DnsRequest, accept: Accept, signal: AbortSignal): Promise<Attempt<Uint8Array>> {
  const until = monoMillis() + request.timeout;
  const opened = await openSocket(request.address, request.port, request.timeout, signal);
  if (!opened.ok) return opened;
  const plainSocket = opened.value;
  const secured = request.tls === undefined ? null : await secure(plainSocket, request.tls, until, signal);
  if (secured?.ok === false) {
    plainSocket.destroy();
    return secured;
  }
  const socket = secured === null ? plainSocket : secured.value;
  const answer = await new Promise<Attempt<Uint8Array>>((resolve) => {
    const silent = () => resolve(timeoutFault("connect", `connected, and no answer in ${request.timeout} ms`));
    const timer = setTimeout(silent, Math.max(0, until - monoMillis()));
    socket.on("close", () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", silent);
      resolve(faultOf("connect", { code: "ECONNRESET", message: "the connection was closed without an answer" }));
    });
    socket.on("error", (error) => resolve(faultOf("connect", error)));
    signal.addEventListener("abort", silent, { once: true });
    let held = Buffer.alloc(0);
    socket.on("data", (chunk) => {
      held = Buffer.concat([held, chunk]);
      while (held.length >= 2) {
        const size = held.readUInt16BE(0);
        // A longer one is handed over cut, and found malformed: nothing is gained by reading on.
        if (held.length < 2 + size && held.length <= MESSAGE_MAX) return;
        const message = new Uint8Array(held.subarray(2, 2 + size));
        held = held.subarray(2 + size);
        if (accept(message)) return resolve({ ok: true, value: message });
      }
    });
    const frame = Buffer.alloc(2 + request.query.length);
    frame.writeUInt16BE(request.query.length, 0);
    frame.set(request.query, 2);
    socket.write(frame);
  });
  socket.destroy();
  plainSocket.destroy();
  return answer;
}

async function secure(
  socket: Socket,
  tls: NonNullable<DnsRequest["tls"]>,
  until: number,
  signal: AbortSignal,
): Promise<Attempt<TLSSocket>> {
  const left = Math.max(1, Math.round(until - monoMillis()));
  const secured = await handshake(socket, { ...tls, timeout: left }, signal);
  if (secured.ok) tls.onCertificate(shownBy(secured.value, tls.serverName));
  return secured;
}
