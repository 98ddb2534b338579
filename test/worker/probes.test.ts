import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { createServer } from "node:tls";
import type { OutsideCheck, OutsideObservation } from "../../src/core/edge/wire.ts";
import { makeAuthority } from "../../src/lab/certificates.ts";
import { dohServer } from "../edge/doh.ts";
import { House } from "../edge/driver.ts";
import { type Edge, workerdEdge } from "../edge/edges.ts";
import { discovery } from "../support/discovery.ts";
import { type Listening, listening, tcpServer } from "../support/probe-servers.ts";

/** TLS from the Worker: a fixed address with the name in SNI, by the real runtime's own sockets and its own trust. */
const HOST = "app.lab";
const ISSUER = `https://${HOST}/application/o/ha/`;
const authority = makeAuthority("Edge Test Root", Date.now());
const good = authority.issue([HOST]);
const stranger = makeAuthority("Stranger", Date.now()).issue([HOST]);

const directory = mkdtempSync(join(tmpdir(), "hairpin-edge-ca-"));
const open: { close(): void }[] = [];
let edge: Edge;
let house: House;

before(async () => {
  writeFileSync(join(directory, "ca.pem"), authority.certificate);
  // The local runtime trusts what this file says; it is read when it starts.
  process.env["SSL_CERT_FILE"] = join(directory, "ca.pem");
  const doh = await dohServer();
  open.push(doh);
  edge = await workerdEdge(doh.url);
  house = await new House(edge).add();
});
after(async () => {
  delete process.env["SSL_CERT_FILE"];
  await edge.stop();
  for (const one of open) one.close();
  rmSync(directory, { recursive: true });
});

const asked: { name: string | false; head: string }[] = [];

/** Speaks TLS with a certificate, and answers the first request with these very bytes; null: with nothing at all. */
async function page(answer: string | null, pair = good): Promise<Listening> {
  const sockets = new Set<Socket>();
  const server = createServer({ cert: pair.certificate, key: pair.key }, (socket) => {
    let head = "";
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      head += chunk.toString("latin1");
      if (!head.includes("\r\n\r\n")) return;
      asked.push({ name: socket.servername ?? false, head });
      head = "";
      if (answer !== null) socket.end(answer);
    });
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
  });
  server.on("tlsClientError", () => {});
  const started = await listening(server, sockets);
  open.push(started);
  return started;
}

const https = (id: string, port: number, host = HOST): OutsideCheck => ({
  kind: "https",
  id,
  host,
  path: "/ready",
  port,
  status: [200, 302],
  address: "127.0.0.1",
});

/** A site of its own for each question: the edge asks anew only once a minute. */
async function seen(checks: readonly OutsideCheck[]): Promise<readonly OutsideObservation[]> {
  house = await new House(edge).add();
  await house.answer({ checks });
  await house.until((status) => (status.json["outside"] as unknown[]).length === checks.length);
  return (await house.answer({ checks })).observations;
}

const words = (found: readonly OutsideObservation[]) =>
  found.map(
    ({ id, ok, failure, detail }) =>
      `${id}: ${ok ? "ok" : failure}${ok || failure !== "unclassified" ? "" : ` (${detail})`}`,
  );

test("a page at a fixed address is asked with the name in SNI and in Host", { timeout: 60_000 }, async () => {
  const { port } = await page("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
  const [found] = await seen([https("good", port)]);
  assert.deepEqual([found!.ok, found!.failure, found!.detail], [true, null, null]);
  const last = asked.at(-1)!;
  assert.equal(last.name, HOST);
  assert.match(last.head, new RegExp(`^GET /ready HTTP/1\\.1\\r\\nhost: ${HOST}:${port}\\r\\n`));
});

test("each way in which a page is broken has its word", { timeout: 60_000 }, async () => {
  const closed = await tcpServer(() => {});
  closed.close();
  const deaf = await tcpServer((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
  open.push(deaf);
  const chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
  const checks = [
    https("chunked", (await page(chunked)).port),
    https("redirect", (await page("HTTP/1.1 302 Found\r\nlocation: /login\r\ncontent-length: 0\r\n\r\n")).port),
    https("status", (await page("HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n")).port),
    https("wrong name", (await page("HTTP/1.1 200 OK\r\n\r\n")).port, "other.lab"),
    https("stranger", (await page("HTTP/1.1 200 OK\r\n\r\n", stranger)).port),
    https("no tls", deaf.port),
    https("no http", (await page("SSH-2.0-OpenSSH\r\n\r\n")).port),
    https("cut off", (await page("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort")).port),
    https("large", (await page(`HTTP/1.1 200 OK\r\n\r\n${"x".repeat(200_000)}`)).port),
    https("closed", closed.port),
  ];
  assert.deepEqual(words(await seen(checks)), [
    "chunked: ok",
    "redirect: ok",
    "status: http_status",
    "wrong name: tls_handshake",
    "stranger: tls_handshake",
    "no tls: tls_handshake",
    "no http: http_malformed",
    "cut off: http_malformed",
    "large: http_too_large",
    "closed: refused",
  ]);
});

test("the discovery of OpenID Connect and its keys are read from outside", { timeout: 60_000 }, async () => {
  const answer = (body: string) => `HTTP/1.1 200 OK\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
  const oidc = (id: string, port: number): OutsideCheck => ({
    kind: "oidc",
    id,
    issuer: ISSUER,
    port,
    address: "127.0.0.1",
  });
  const checks = [
    oidc("good", (await page(answer(discovery(ISSUER)))).port),
    oidc("html", (await page(answer("<!doctype html>"))).port),
    oidc("other issuer", (await page(answer(discovery("https://evil.example/")))).port),
  ];
  assert.deepEqual(words(await seen(checks)), [
    "good: ok",
    "html: oidc_not_json",
    "other issuer: oidc_issuer_mismatch",
  ]);
});
