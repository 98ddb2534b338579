import type { Socket } from "node:net";
import { createServer, type TLSSocket, type TlsOptions } from "node:tls";
import { type Answer, decode, encode } from "dns-packet";
import { makeAuthority } from "../../src/lab/certificates.ts";
import { signatureOf } from "./dns-signature.ts";
import { type Listening, listening, tcpServer, udpAndTcpServer } from "./probe-servers.ts";

/** Real servers on loopback for the cases in which hairpin must say what dig, curl and openssl say. */
export const ZONE = "example.lan";
export const HOST = `auth.${ZONE}`;

const RCODES = { SERVFAIL: 2, NXDOMAIN: 3, NOTIMP: 4, REFUSED: 5 } as const;
const TRUNCATED = 0x0200;
const AUTHENTIC = 0x0020;

interface Said {
  readonly rcode?: keyof typeof RCODES;
  readonly answers?: readonly Answer[];
  readonly flags?: number;
  /** `tc`: cut off over UDP; `closed`: and over TCP hung up on. */
  readonly over?: "tc" | "closed";
  /** What comes besides, or instead, of the right answer. */
  readonly odd?: "silent" | "wrong-id" | "wrong-id-first" | "other-question-first" | "loop" | "upper-case";
}

const a = (name: string, data: string): Answer => ({ name: `${name}.${ZONE}`, type: "A", ttl: 60, data });
export const MANY = Array.from({ length: 60 }, (_, index) => `10.1.3.${index + 1}`);

/** What the resolver says of each name, without the zone; every other name does not exist. */
const SAID: Readonly<Record<string, Said>> = {
  one: { answers: [a("one", "10.1.2.3")] },
  several: { answers: [a("several", "10.1.2.5"), a("several", "10.1.2.3"), a("several", "10.1.2.4")] },
  six: { answers: [{ name: `six.${ZONE}`, type: "AAAA", ttl: 60, data: "fd00:0:0:0:0:0:0:1" }] },
  chain: {
    answers: [
      { name: `chain.${ZONE}`, type: "CNAME", ttl: 60, data: `link.${ZONE}` },
      { name: `link.${ZONE}`, type: "CNAME", ttl: 60, data: `end.${ZONE}` },
      a("end", "10.1.2.9"),
    ],
  },
  text: { answers: [{ name: `text.${ZONE}`, type: "TXT", ttl: 60, data: ["v=spf1 ", "-all"] }] },
  mail: {
    answers: [
      { name: `mail.${ZONE}`, type: "MX", ttl: 60, data: { preference: 10, exchange: `mx1.${ZONE}` } },
      { name: `mail.${ZONE}`, type: "MX", ttl: 60, data: { preference: 20, exchange: `mx2.${ZONE}` } },
    ],
  },
  service: {
    answers: [
      { name: `service.${ZONE}`, type: "SRV", ttl: 60, data: { priority: 1, weight: 5, port: 443, target: HOST } },
    ],
  },
  beside: { answers: [a("beside", "10.1.2.3"), a("evil", "203.0.113.7")] },
  // SvcPriority 1, the name itself, alpn h2 and h3, port 8443 (RFC 9460, 2.2).
  binding: {
    answers: [
      {
        name: `binding.${ZONE}`,
        type: "UNKNOWN_65",
        ttl: 60,
        data: Buffer.from([0, 1, 0, 0, 1, 0, 6, 2, 0x68, 0x32, 2, 0x68, 0x33, 0, 3, 0, 2, 0x20, 0xfb]),
      },
    ],
  },
  issuers: {
    answers: [{ name: `issuers.${ZONE}`, type: "CAA", ttl: 60, data: { flags: 0, tag: "issue", value: "ca.example" } }],
  },
  start: {
    answers: [
      {
        name: `start.${ZONE}`,
        type: "SOA",
        ttl: 60,
        data: {
          mname: `ns.${ZONE}`,
          rname: `hostmaster.${ZONE}`,
          serial: 7,
          refresh: 3_600,
          retry: 600,
          expire: 86_400,
          minimum: 60,
        },
      },
    ],
  },
  vouched: { flags: AUTHENTIC, answers: [a("vouched", "10.1.2.3")] },
  signed: { answers: [a("signed", "10.1.2.3"), signatureOf(`signed.${ZONE}`, ZONE)] },
  servfail: { rcode: "SERVFAIL" },
  refused: { rcode: "REFUSED" },
  notimp: { rcode: "NOTIMP" },
  empty: {},
  "only-cname": { answers: [{ name: `only-cname.${ZONE}`, type: "CNAME", ttl: 60, data: `nowhere.${ZONE}` }] },
  many: { over: "tc", answers: MANY.map((address) => a("many", address)) },
  cut: { over: "closed", answers: [a("cut", "10.1.2.3")] },
  silent: { odd: "silent" },
  forged: { odd: "wrong-id", answers: [a("forged", "10.1.2.3")] },
  "forged-first": { odd: "wrong-id-first", answers: [a("forged-first", "10.1.2.3")] },
  "other-first": { odd: "other-question-first", answers: [a("other-first", "10.1.2.3")] },
  loop: { odd: "loop", answers: [a("loop", "10.1.2.3")] },
};

function replies(query: Buffer, overTcp: boolean): readonly Buffer[] {
  const asked = decode(query);
  const question = asked.questions[0]!;
  const label = question.name.toLowerCase().replace(`.${ZONE}`, "");
  const said: Said = SAID[label] ?? { rcode: "NXDOMAIN" };
  const cut = said.over !== undefined && !overTcp;
  const make = (more: { id?: number; name?: string } = {}) =>
    Buffer.from(
      encode({
        type: "response",
        id: more.id ?? asked.id,
        // Recursion was asked for and is there: dig warns otherwise.
        flags: 0x0180 | (said.flags ?? 0) | (said.rcode === undefined ? 0 : RCODES[said.rcode]) | (cut ? TRUNCATED : 0),
        questions: [{ name: more.name ?? question.name, type: question.type, class: "IN" }],
        answers: cut ? [] : (said.answers ?? []).map((answer) => ({ ...answer })),
      }),
    );
  const other = (asked.id + 1) & 0xffff;
  switch (said.odd) {
    case "silent":
      return [];
    case "wrong-id":
      return [make({ id: other })];
    case "wrong-id-first":
      return [make({ id: other }), make()];
    case "other-question-first":
      return [make({ name: `evil.${ZONE}` }), make()];
    case "loop": {
      const message = make();
      // The answer's name becomes a pointer to itself: it stands right behind the question.
      const at = query.indexOf(0, 12) + 5;
      return [
        Buffer.concat([
          message.subarray(0, at),
          Buffer.from([0xc0 | (at >> 8), at & 0xff, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 1, 2, 3]),
        ]),
      ];
    }
    default:
      return [make()];
  }
}

function overStream(socket: Socket): void {
  let held = Buffer.alloc(0);
  socket.on("data", (chunk) => {
    held = Buffer.concat([held, chunk]);
    if (held.length < 2 || held.length < 2 + held.readUInt16BE(0)) return;
    const query = Buffer.from(held.subarray(2, 2 + held.readUInt16BE(0)));
    held = Buffer.alloc(0);
    const label = decode(query).questions[0]!.name.toLowerCase().split(".")[0]!;
    if (SAID[label]?.over === "closed") return void socket.destroy();
    for (const message of replies(query, true)) {
      const size = Buffer.alloc(2);
      size.writeUInt16BE(message.length);
      socket.write(Buffer.concat([size, message]));
    }
  });
}

/** A resolver over UDP and TCP on one port. */
export function resolverOnLoopback(): Promise<Listening> {
  return udpAndTcpServer((query) => replies(query, false), overStream);
}

type Pair = { readonly certificate: string; readonly key: string };
export const authority = makeAuthority("agreement root", Date.now());
const stranger = makeAuthority("another root", Date.now());
const KEY = { kty: "RSA", n: "AQAB".repeat(40), e: "AQAB", kid: "1", alg: "RS256", use: "sig" };

/** What every web server here answers, by path. */
function page(path: string, port: number): string | null {
  const say = (status: number, body = "", headers = "") =>
    `HTTP/1.1 ${status} X\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n${headers}\r\n${body}`;
  const status = /^\/status\/(\d{3})$/.exec(path)?.[1];
  if (status !== undefined)
    return say(Number(status), "", status === "302" ? "location: https://127.0.0.1:1/\r\n" : "");
  const size = /^\/size\/(\d{1,7})$/.exec(path)?.[1];
  if (size !== undefined) return say(200, "x".repeat(Number(size)));
  const document = /^(\/(?:good|wrong|html)\/)\.well-known\/openid-configuration$/.exec(path)?.[1];
  const issuer = `https://${HOST}:${port}${document ?? ""}`;
  if (document === "/html/") return say(200, "<html>");
  if (document !== undefined)
    return say(
      200,
      JSON.stringify({
        issuer: document === "/wrong/" ? "https://elsewhere.example/" : issuer,
        authorization_endpoint: `${issuer}authorize`,
        token_endpoint: `${issuer}token`,
        jwks_uri: `https://${HOST}:${port}/keys`,
        response_types_supported: ["code"],
        subject_types_supported: ["public"],
        id_token_signing_alg_values_supported: ["RS256"],
      }),
      "content-type: application/json\r\n",
    );
  if (path === "/keys") return say(200, JSON.stringify({ keys: [KEY] }), "content-type: application/json\r\n");
  if (path === "/hang") return null;
  return say(200, "hello");
}

/** DNS over TLS, by kind of certificate. */
export async function tlsResolversOnLoopback(): Promise<Readonly<Record<"good" | "wrongName" | "expired", Listening>>> {
  const serve = (pair: Pair) => {
    const sockets = new Set<Socket>();
    const server = createServer({ cert: pair.certificate, key: pair.key }, (socket) => {
      socket.on("error", () => {});
      overStream(socket);
    });
    server.on("connection", (socket) => sockets.add(socket));
    server.on("tlsClientError", () => {});
    return listening(server, sockets);
  };
  return {
    good: await serve(authority.issue([HOST])),
    wrongName: await serve(authority.issue([`other.${ZONE}`])),
    expired: await serve(authority.issue([HOST], { from: -30, to: -2 })),
  };
}

async function webServer(pair: Pair | null, options: TlsOptions = {}): Promise<Listening> {
  const sockets = new Set<Socket>();
  const made: { port: number } = { port: 0 };
  const own = pair === null ? {} : { cert: pair.certificate, key: pair.key };
  const server = createServer({ ...own, ...options }, (socket: TLSSocket) => {
    socket.on("error", () => {});
    let head = "";
    socket.on("data", (chunk) => {
      head += chunk.toString("latin1");
      if (!head.endsWith("\r\n\r\n")) return;
      const path = head.split(" ")[1] ?? "/";
      if (path === "/reset") return void socket.destroy();
      const answer = page(path, made.port);
      if (answer !== null) socket.end(answer);
    });
  });
  server.on("connection", (socket) => sockets.add(socket));
  server.on("tlsClientError", () => {});
  const listens = await listening(server, sockets);
  made.port = listens.port;
  return listens;
}

export type Web =
  | "good"
  | "expired"
  | "notYet"
  | "wrongName"
  | "untrusted"
  | "selfSigned"
  | "defaultCertificate"
  | "tls12"
  | "noCertificate"
  | "plainHttp"
  | "mute"
  | "closed";

/** Every kind of web server that the cases name, each on a port of its own. */
export async function websOnLoopback(selfSigned: Pair = stranger): Promise<Readonly<Record<Web, Listening>>> {
  const closed = await tcpServer(() => {});
  closed.close();
  return {
    good: await webServer(authority.issue([HOST])),
    expired: await webServer(authority.issue([HOST], { from: -30, to: -2 })),
    notYet: await webServer(authority.issue([HOST], { from: 2, to: 30 })),
    wrongName: await webServer(authority.issue([`other.${ZONE}`])),
    untrusted: await webServer(stranger.issue([HOST])),
    selfSigned: await webServer(selfSigned),
    defaultCertificate: await webServer(stranger.issue(["TRAEFIK DEFAULT CERT"])),
    tls12: await webServer(authority.issue([HOST]), { maxVersion: "TLSv1.2" }),
    noCertificate: await webServer(null),
    plainHttp: await tcpServer((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n")),
    mute: await tcpServer(() => {}),
    closed: { port: closed.port, close: () => {} },
  };
}
