import { connect } from "cloudflare:sockets";
import type { OutsidePorts } from "../../engine/edge-probes.ts";
import type { DnsTransport, TcpConnect, TlsHttp } from "../../probes/port.ts";
import { overFetch, overSocket, secure } from "./probe-https.ts";
import { clock, limited } from "./probe-step.ts";

/** RFC 8484 at Cloudflare's own resolver: a Worker asks it from inside the same network. */
const DOH_URL = "https://cloudflare-dns.com/dns-query";
const MESSAGE_MAX = 16_384;

const tcp: TcpConnect = {
  async connect(address, port, timeout, signal) {
    const began = clock.mono();
    const socket = connect({ hostname: address, port });
    socket.closed.catch(() => undefined);
    const opened = await limited("connect", timeout, signal, () => socket.opened);
    socket.close().catch(() => undefined);
    return opened.ok ? { ok: true, value: clock.mono() - began } : opened;
  },
};

/** Two bytes of length before each message (RFC 1035, 4.2.2), over TLS too (RFC 7858, 3.3). One time limit for all of it. */
const dnsOverTcp: DnsTransport = {
  async exchange(request, accept, signal) {
    const until = clock.mono() + request.timeout;
    const plainSocket = connect(
      { hostname: request.address, port: request.port },
      { secureTransport: request.tls === undefined ? "off" : "starttls", allowHalfOpen: false },
    );
    plainSocket.closed.catch(() => undefined);
    const secured =
      request.tls === undefined
        ? ({ ok: true, value: plainSocket } as const)
        : await secure(plainSocket, request.tls.serverName, request.timeout, signal);
    if (!secured.ok) {
      plainSocket.close().catch(() => undefined);
      return secured;
    }
    const socket = secured.value;
    const answer = await limited("connect", Math.max(1, until - clock.mono()), signal, async () => {
      const frame = new Uint8Array(2 + request.query.length);
      frame.set([request.query.length >> 8, request.query.length & 0xff]);
      frame.set(request.query, 2);
      const writer = socket.writable.getWriter();
      await writer.write(frame);
      return readFramed(socket.readable.getReader(), accept);
    });
    socket.close().catch(() => undefined);
    return answer;
  },
};

async function readFramed(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  accept: (message: Uint8Array) => boolean,
): Promise<Uint8Array> {
  let held = new Uint8Array();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) throw new Error("the connection was closed without an answer");
    const joined = new Uint8Array(held.length + value.length);
    joined.set(held);
    joined.set(value, held.length);
    held = joined;
    while (held.length >= 2) {
      const size = (held[0]! << 8) | held[1]!;
      // A longer one is handed over cut, and found malformed: nothing is gained by reading on.
      if (held.length < 2 + size && held.length <= MESSAGE_MAX) break;
      const message = held.slice(2, 2 + size);
      held = held.slice(2 + size);
      if (accept(message)) return message;
    }
  }
}

export function dnsOverHttps(url: string): DnsTransport {
  return {
    exchange: (request, accept, signal) =>
      limited("connect", request.timeout, signal, async () => {
        const reply = await fetch(url, {
          method: "POST",
          headers: { "content-type": "application/dns-message", accept: "application/dns-message" },
          body: request.query,
          redirect: "manual",
          signal,
        });
        if (reply.status !== 200) {
          await reply.body?.cancel();
          throw new Error(`the resolver answered HTTP ${reply.status}`);
        }
        const message = new Uint8Array(await reply.arrayBuffer());
        if (!accept(message)) throw new Error("the resolver answered something else than was asked");
        return message;
      }),
  };
}

/** A literal address: by socket, with the name in SNI. A name: by fetch, which also reaches what Cloudflare itself serves. */
const https: TlsHttp = {
  get: (request, signal) =>
    request.address === request.serverName ? overFetch(request, signal) : overSocket(request, signal),
};

export function outsidePorts(dohUrl: string | undefined): OutsidePorts {
  return {
    clock,
    chance: { uint16: () => crypto.getRandomValues(new Uint16Array(1))[0]! },
    tcp,
    https,
    dnsOverTcp,
    dnsOverHttps: dnsOverHttps(dohUrl ?? DOH_URL),
  };
}
