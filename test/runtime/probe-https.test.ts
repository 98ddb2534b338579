import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { Readable } from "node:stream";
import { after, test } from "node:test";
import { createServer, type TLSSocket } from "node:tls";
import { gzipSync } from "node:zlib";
import type { HttpsCheck, OidcCheck } from "../../src/core/plan.ts";
import { makeAuthority } from "../../src/lab/certificates.ts";
import { askHttps } from "../../src/probes/https.ts";
import { askOidc } from "../../src/probes/oidc.ts";
import { type Listening, LOOPBACK, listening, loopbackPorts, tcpServer } from "../support/probe-servers.ts";

const HOST = "auth.example.lan";
const authority = makeAuthority("test root", Date.now());
const stranger = makeAuthority("another root", Date.now());
const good = authority.issue([HOST]);
const never = new AbortController().signal;
/** The limits of production, an eighth to a fortieth of them: what is tested is that they hold. */
const LIMITS = { connect: 300, tls: 300, total: 900 };

type Serve = (socket: TLSSocket, head: string) => void;
const open: Listening[] = [];
after(() => {
  for (const server of open) server.close();
});

/** A TLS server that hands over the raw socket once a request's head has come: broken HTTP needs no HTTP server. */
async function tlsServer(
  serve: Serve,
  pair: { readonly certificate: string; readonly key: string } = good,
): Promise<Listening> {
  const sockets = new Set<Socket>();
  const server = createServer({ cert: pair.certificate, key: pair.key }, (socket) => {
    socket.on("error", () => {});
    let head = "";
    socket.on("data", (chunk) => {
      head += chunk.toString("latin1");
      if (head.endsWith("\r\n\r\n")) serve(socket, head);
    });
  });
  server.on("connection", (socket) => sockets.add(socket));
  server.on("tlsClientError", () => {});
  const made = await listening(server, sockets);
  open.push(made);
  return made;
}

const say =
  (status: number, body = "", headers = ""): Serve =>
  (socket) =>
    socket.end(`HTTP/1.1 ${status} X\r\ncontent-length: ${Buffer.byteLength(body)}\r\n${headers}\r\n${body}`);

const checkOf = (port: number, more: Partial<HttpsCheck> = {}): HttpsCheck => ({
  kind: "https",
  id: "https",
  host: HOST,
  path: "/",
  port,
  status: [200, 302],
  ca_pem: authority.certificate,
  cert_days_min: 14,
  ...more,
});
const ask = (port: number, more: Partial<HttpsCheck> = {}, view = {}) =>
  askHttps(checkOf(port, more), LOOPBACK, loopbackPorts(view), never, () => {}, LIMITS);

test("a good page is good, with its phases and its certificate, and its own name in SNI and Host", async () => {
  const heard: { head?: string; sni?: string | false | null } = {};
  const server = await tlsServer((socket, head) => {
    heard.head = head;
    heard.sni = socket.servername;
    say(200, "hello")(socket, head);
  });
  const finding = await ask(server.port);
  assert.equal(finding.failure, null, finding.detail ?? "");
  assert.equal(heard.sni, HOST);
  assert.match(heard.head!, new RegExp(`\r\nhost: ${HOST}:${server.port}\r\n`, "i"));
  assert.match(heard.head!, /\r\naccept-encoding: identity\r\n/i);
  const { connect, tls, first_byte, total } = finding.phases!;
  assert.ok(connect! <= tls! && tls! <= first_byte! && first_byte! <= total!);
  const certificate = finding.evidence.certificate!;
  assert.equal(certificate.trusted, true);
  assert.ok(certificate.days_left! >= 88);
  assert.deepEqual(certificate.names, [HOST]);
});

const certificates = [
  ["an expired certificate", authority.issue([HOST], { from: -30, to: -2 }), "tls_expired"],
  ["one that is not yet valid", authority.issue([HOST], { from: 2, to: 30 }), "tls_not_yet_valid"],
  ["one for another name", authority.issue(["other.example.lan"]), "tls_wrong_name"],
  ["one of an unknown authority", stranger.issue([HOST]), "tls_untrusted"],
  ["a self-signed one", stranger, "tls_untrusted"],
  ["Traefik's default", stranger.issue(["TRAEFIK DEFAULT CERT"]), "tls_default_certificate"],
] as const;
for (const [what, pair, failure] of certificates) {
  test(`${what} is ${failure}, and the service behind it is a second fact`, async () => {
    const fine = await ask((await tlsServer(say(200), pair)).port);
    assert.equal(fine.failure, failure, fine.detail ?? "");
    assert.equal(fine.evidence.service_ok, true);
    assert.equal(fine.evidence.certificate?.trusted, false);
    const broken = await ask((await tlsServer(say(503), pair)).port);
    assert.equal(broken.failure, failure);
    assert.equal(broken.evidence.service_ok, false);
    assert.equal(broken.evidence.status, 503);
  });
}

test("another status is http_status, and a redirect is never followed", async () => {
  assert.equal((await ask((await tlsServer(say(503))).port)).failure, "http_status");
  let requests = 0;
  const server = await tlsServer((socket, head) => {
    requests++;
    say(302, "", "location: https://169.254.169.254/\r\n")(socket, head);
  });
  assert.equal((await ask(server.port)).failure, null);
  const strict = await ask(server.port, { status: [200] });
  assert.equal(strict.failure, "http_status");
  assert.match(strict.detail!, /302 to https:\/\/169\.254\.169\.254/);
  assert.equal(requests, 2);
});

test("an encoding that was not asked for is http_encoding, and nothing of it is read", async () => {
  for (const encoding of ["gzip", "gzip, gzip, br"]) {
    const bomb = gzipSync(Buffer.alloc(4_000_000)).toString("latin1");
    const finding = await ask((await tlsServer(say(200, bomb, `content-encoding: ${encoding}\r\n`))).port);
    assert.equal(finding.failure, "http_encoding");
  }
});

test("a body without end is http_too_large, and is not read to its end", async () => {
  const server = await tlsServer((socket) => {
    socket.write("HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n");
    const endless = new Readable({ read: (size) => void endless.push(Buffer.alloc(size)) });
    endless.pipe(socket);
    socket.on("close", () => endless.destroy());
  });
  assert.equal((await ask(server.port)).failure, "http_too_large");
});

test("headers without end are http_too_large when they come fast, and http_timeout when they come slowly", async () => {
  const fast = await tlsServer((socket) => {
    socket.write("HTTP/1.1 200 OK\r\n");
    for (let index = 0; index < 400; index++) socket.write(`x-${index}: ${"y".repeat(100)}\r\n`);
  });
  assert.equal((await ask(fast.port)).failure, "http_too_large");
  const slow = await tlsServer((socket) => {
    socket.write("HTTP/1.1 200 OK\r\n");
    const timer = setInterval(() => socket.write("x: y\r\n"), 50);
    socket.on("close", () => clearInterval(timer));
  });
  const finding = await ask(slow.port);
  assert.equal(finding.failure, "http_timeout");
  assert.ok(finding.ms! < LIMITS.total + 300);
});

test("a body that drips byte by byte does not outlast the total limit", async () => {
  const server = await tlsServer((socket) => {
    socket.write("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n");
    const timer = setInterval(() => socket.write("x"), 100);
    socket.on("close", () => clearInterval(timer));
  });
  const finding = await ask(server.port);
  assert.equal(finding.failure, "http_timeout");
  assert.ok(finding.ms! >= LIMITS.total - 20 && finding.ms! < LIMITS.total + 300);
});

test("what is no HTTP is http_malformed, and a connection cut off is reset", async () => {
  assert.equal(
    (await ask((await tlsServer((socket) => socket.end("SSH-2.0-x\r\n\r\n"))).port)).failure,
    "http_malformed",
  );
  const cut = await tlsServer((socket) => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nabc"));
  assert.ok(["http_malformed", "reset"].includes((await ask(cut.port)).failure!));
  assert.equal((await ask((await tlsServer((socket) => socket.destroy())).port)).failure, "reset");
});

test("a service that accepts and stays silent in the handshake is tls_handshake", async () => {
  const silent = await tcpServer(() => {});
  open.push(silent);
  assert.equal((await ask(silent.port)).failure, "tls_handshake");
  const plain = await tcpServer((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
  open.push(plain);
  assert.equal((await ask(plain.port)).failure, "tls_handshake");
});

test("a closed port is refused", async () => {
  const server = await tcpServer(() => {});
  server.close();
  assert.equal((await ask(server.port)).failure, "refused");
});

test("text of the network is made harmless before it is reported", async () => {
  const server = await tlsServer(say(302, "", "location: /\u001b[31m\u009b<script>\r\n"));
  const finding = await ask(server.port, { status: [200] });
  assert.doesNotMatch(finding.detail!, /[\u0000-\u001f\u007f-\u009f]/);
});

const JWK = { kty: "RSA", n: "AQAB".repeat(40), e: "AQAB" };
interface Provider {
  readonly document?: (port: number) => unknown;
  readonly keys?: unknown;
  readonly keysStatus?: number;
}

async function provider({ document, keys, keysStatus }: Provider) {
  const made: { port: number } = { port: 0 };
  const server = await tlsServer((socket, head) => {
    const isKeys = head.startsWith("GET /keys");
    const issuer = `https://${HOST}:${made.port}/o/ha/`;
    const standard = {
      issuer,
      authorization_endpoint: `${issuer}authorize`,
      token_endpoint: `${issuer}token`,
      jwks_uri: `https://${HOST}:${made.port}/keys`,
      response_types_supported: ["code"],
      subject_types_supported: ["public"],
      id_token_signing_alg_values_supported: ["RS256"],
    };
    const changed = document?.(made.port);
    const body = isKeys
      ? (keys ?? { keys: [JWK] })
      : typeof changed === "string"
        ? changed
        : { ...standard, ...(changed as object) };
    const path = head.split(" ")[1];
    if (!isKeys && path !== "/o/ha/.well-known/openid-configuration") return say(404)(socket, head);
    say(isKeys ? (keysStatus ?? 200) : 200, typeof body === "string" ? body : JSON.stringify(body))(socket, head);
  });
  made.port = server.port;
  return server.port;
}

async function askProvider(about: Provider) {
  const port = await provider(about);
  const check: OidcCheck = {
    kind: "oidc",
    id: "oidc",
    issuer: `https://${HOST}:${port}/o/ha/`,
    port,
    ca_pem: authority.certificate,
  };
  return askOidc(check, LOOPBACK, loopbackPorts(), never, () => {}, LIMITS);
}

test("a provider with its document and its keys is good", async () => {
  const finding = await askProvider({});
  assert.equal(finding.failure, null, finding.detail ?? "");
});

test("keys on another host are not fetched, and that is said", async () => {
  const finding = await askProvider({ document: () => ({ jwks_uri: "https://keys.example.org/keys" }) });
  assert.equal(finding.ok, true);
  assert.match(finding.detail!, /keys\.example\.org/);
});

const oidc: readonly (readonly [string, Provider, string])[] = [
  ["a page of HTML behind a 200", { document: () => "<html>" }, "oidc_not_json"],
  ["another issuer", { document: () => ({ issuer: `https://${HOST}/other/` }) }, "oidc_issuer_mismatch"],
  [
    "the issuer without its last slash",
    { document: (port) => ({ issuer: `https://${HOST}:${port}/o/ha` }) },
    "oidc_issuer_mismatch",
  ],
  ["a document without a token endpoint", { document: () => ({ token_endpoint: undefined }) }, "oidc_invalid"],
  ["a document without an issuer", { document: () => ({ issuer: undefined }) }, "oidc_invalid"],
  ["an empty key set", { keys: { keys: [] } }, "oidc_jwks_invalid"],
  [
    "keys that nobody can import",
    { keys: { keys: [{ kty: "RSA", n: "x" }, { kty: "oct", k: "x" }, null] } },
    "oidc_jwks_invalid",
  ],
  ["a key set that is no JSON", { keys: "<html>" }, "oidc_jwks_invalid"],
  ["keys behind a 500", { keysStatus: 500 }, "oidc_jwks_invalid"],
];
for (const [what, about, failure] of oidc) {
  test(`${what}: ${failure}`, async () => {
    const finding = await askProvider(about);
    assert.equal(finding.failure, failure, finding.detail ?? "");
  });
}
