import assert from "node:assert/strict";
import { test } from "node:test";
import { createServer } from "node:tls";
import { decode, encode } from "dns-packet";
import type { DnsCheck, HttpsCheck, OidcCheck } from "../../src/core/plan.ts";
import { makeAuthority } from "../../src/lab/certificates.ts";
import { askDns } from "../../src/probes/dns.ts";
import { askHttps } from "../../src/probes/https.ts";
import { askOidc } from "../../src/probes/oidc.ts";
import { signatureOf } from "../support/dns-signature.ts";
import { type Listening, LOOPBACK, listening, loopbackPorts, tcpServer, udpServer } from "../support/probe-servers.ts";

const never = new AbortController().signal;
const NAME = "auth.example.lan";
const check = (more: Partial<DnsCheck>): DnsCheck => ({
  kind: "dns",
  id: "dns",
  name: NAME,
  type: "A",
  expect: ["10.1.2.3"],
  transport: "udp",
  upstream: false,
  port: 53,
  ...more,
});

interface Said {
  readonly flags?: number;
  readonly name?: string;
  readonly answers?: readonly unknown[];
}
const ADDRESS = { name: NAME, type: "A", ttl: 60, data: "10.1.2.3" };

function reply(query: Buffer, said: Said = {}): Buffer {
  const asked = decode(query);
  const [question] = asked.questions;
  return Buffer.from(
    encode({
      type: "response",
      id: asked.id,
      flags: said.flags ?? 0,
      questions: [{ ...question!, name: said.name ?? question!.name }],
      answers: [...(said.answers ?? [ADDRESS])],
    }),
  );
}

const framed = (message: Buffer): Buffer => {
  const size = Buffer.alloc(2);
  size.writeUInt16BE(message.length);
  return Buffer.concat([size, message]);
};

async function using<T>(open: readonly Listening[], work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } finally {
    for (const server of open) server.close();
  }
}

test("the letters of a name go out in a case of chance, and never twice the same", async () => {
  const seen = new Set<string>();
  const server = await udpServer((query) => {
    seen.add(decode(query).questions[0]!.name);
    return [reply(query)];
  });
  await using([server], async () => {
    for (let count = 0; count < 5; count++)
      assert.equal((await askDns(check({ port: server.port }), LOOPBACK, loopbackPorts(), never)).failure, null);
  });
  assert.ok(seen.size > 1, [...seen].join());
  for (const name of seen) assert.equal(name.toLowerCase(), NAME);
});

test("an answer over UDP in other letters is not believed: TCP is asked, and its answer counts", async () => {
  const udp = await udpServer((query) => [
    reply(query, { name: NAME, answers: [{ ...ADDRESS, data: "203.0.113.7" }] }),
  ]);
  const tcp = await tcpServer((socket) => {
    socket.on("data", (data) => socket.write(framed(reply(data.subarray(2)))));
  }, udp.port);
  const finding = await using([udp, tcp], () =>
    askDns(check({ port: udp.port }), LOOPBACK, { ...loopbackPorts(), chance: { uint16: () => 0xffff } }, never),
  );
  assert.equal(finding.failure, null);
  assert.deepEqual(finding.evidence.records, ["10.1.2.3"]);
});

test("records of another name are no answer, and those behind CNAMEs in any order are", async () => {
  const elsewhere = { ...ADDRESS, name: "evil.example", data: "203.0.113.7" };
  const chain = [
    { name: "b.example.lan", type: "A", ttl: 60, data: "10.1.2.3" },
    { name: "a.example.lan", type: "CNAME", ttl: 60, data: "B.example.lan" },
    { name: NAME, type: "CNAME", ttl: 60, data: "a.example.lan" },
    elsewhere,
  ];
  const alone = await udpServer((query) => [reply(query, { answers: [elsewhere] })]);
  const behind = await udpServer((query) => [reply(query, { answers: chain })]);
  await using([alone, behind], async () => {
    const ask = (port: number) => askDns(check({ port }), LOOPBACK, loopbackPorts(), never);
    assert.equal((await ask(alone.port)).failure, "dns_empty");
    const good = await ask(behind.port);
    assert.equal(good.failure, null, good.detail ?? "");
    assert.deepEqual(good.evidence.records, ["10.1.2.3"]);
  });
});

test("AD and a signature are wanted only where the check says so, and named when they are missing", async () => {
  const rrsig = signatureOf(NAME, "example.lan");
  const bare = await udpServer((query) => [reply(query)]);
  const signed = await udpServer((query) => [reply(query, { flags: 0x20, answers: [ADDRESS, rrsig] })]);
  await using([bare, signed], async () => {
    const ask = (more: Partial<DnsCheck>) => askDns(check(more), LOOPBACK, loopbackPorts(), never);
    assert.equal((await ask({ port: bare.port })).failure, null);
    const unvouched = await ask({ port: bare.port, ad: true });
    assert.equal(unvouched.failure, "dns_wrong_answer");
    assert.match(unvouched.detail!, /no AD flag/);
    assert.match((await ask({ port: bare.port, rrsig: true })).detail!, /no signature/);
    const good = await ask({ port: signed.port, ad: true, rrsig: true });
    assert.equal(good.failure, null);
    assert.deepEqual([good.evidence.authenticated, good.evidence.signed], [true, true]);
  });
});

test("an HTTPS record is read as tools print it", async () => {
  const data = Buffer.from([
    0, 1, 0, 0, 1, 0, 6, 2, 0x68, 0x32, 2, 0x68, 0x33, 0, 3, 0, 2, 1, 0xbb, 0, 4, 0, 4, 10, 1, 2, 3,
  ]);
  const server = await udpServer((query) => [
    reply(query, { answers: [{ name: NAME, type: "UNKNOWN_65", ttl: 60, data }] }),
  ]);
  const finding = await using([server], () =>
    askDns(
      check({ port: server.port, type: "HTTPS", expect: ['1 . alpn="h2,h3" port=443 ipv4hint=10.1.2.3'] }),
      LOOPBACK,
      loopbackPorts(),
      never,
    ),
  );
  assert.equal(finding.failure, null, finding.detail ?? "");
});

const authority = makeAuthority("depth root", Date.now());

function dotServer(pair: { certificate: string; key: string }): Promise<Listening> {
  const server = createServer({ cert: pair.certificate, key: pair.key }, (socket) => {
    socket.on("error", () => {});
    socket.on("data", (data: Buffer) => socket.write(framed(reply(data.subarray(2)))));
  });
  server.on("tlsClientError", () => {});
  return listening(server, new Set());
}

test("DNS over TLS: the answer and the certificate are two facts", async () => {
  const good = await dotServer(authority.issue([NAME]));
  const expired = await dotServer(authority.issue([NAME], { from: -30, to: -2 }));
  await using([good, expired], async () => {
    const ask = (port: number, server_name: string) =>
      askDns(
        check({ port, transport: "tls", server_name, ca_pem: authority.certificate }),
        LOOPBACK,
        loopbackPorts(),
        never,
      );
    const fine = await ask(good.port, NAME);
    assert.equal(fine.failure, null, fine.detail ?? "");
    assert.equal(fine.evidence.certificate?.trusted, true);
    assert.equal((await ask(good.port, "other.example.lan")).failure, "tls_wrong_name");
    const late = await ask(expired.port, NAME);
    assert.equal(late.failure, "tls_expired");
    assert.equal(late.evidence.service_ok, true);
  });
});

interface Page {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string;
}

function webServer(pages: (path: string, port: () => number) => Page, served = NAME): Promise<Listening> {
  const pair = authority.issue([served]);
  let port = 0;
  const server = createServer({ cert: pair.certificate, key: pair.key }, (socket) => {
    socket.on("error", () => {});
    socket.once("data", (data: Buffer) => {
      const page = pages(data.toString("latin1").split(" ")[1] ?? "/", () => port);
      const headers = Object.entries(page.headers ?? {}).map(([name, value]) => `${name}: ${value}\r\n`);
      const head = `HTTP/1.1 ${page.status ?? 200} X\r\ncontent-length: ${Buffer.byteLength(page.body)}\r\nconnection: close\r\n`;
      socket.end(`${head}${headers.join("")}\r\n${page.body}`);
    });
  });
  server.on("tlsClientError", () => {});
  return listening(server, new Set()).then((listens) => {
    port = listens.port;
    return listens;
  });
}

test("body and headers are compared letter by letter, and what is missing is quoted", async () => {
  const server = await webServer(() => ({ body: "<title>Sign in</title>", headers: { "X-Served-By": "traefik" } }));
  const ask = (more: Partial<HttpsCheck>) =>
    askHttps(
      {
        kind: "https",
        id: "https",
        host: NAME,
        path: "/",
        port: server.port,
        status: [200],
        ca_pem: authority.certificate,
        cert_days_min: 14,
        ...more,
      },
      LOOPBACK,
      loopbackPorts(),
      never,
    );
  await using([server], async () => {
    assert.equal((await ask({ body: { contains: ["Sign in"], lacks: ["Bad Gateway"] } })).failure, null);
    const wrong = await ask({ body: { contains: ["(a+)+$"] } });
    assert.equal(wrong.failure, "http_body");
    assert.match(wrong.detail!, /does not contain .*Sign in/);
    assert.equal((await ask({ body: { lacks: ["Sign"] } })).failure, "http_body");
    assert.equal((await ask({ headers: { "X-Served-By": { equals: "traefik" } } })).failure, null);
    assert.equal((await ask({ headers: { server: { contains: ["nginx"] } } })).failure, "http_header");
    assert.equal((await ask({ headers: { server: { lacks: ["nginx"] } } })).failure, null);
  });
});

const KEY = { kty: "RSA", n: "AQAB".repeat(40), e: "AQAB", kid: "1", use: "sig" };

async function oidc(
  change: (document: Record<string, unknown>) => Record<string, unknown>,
  keys: readonly unknown[] = [KEY],
  more: Partial<OidcCheck> = {},
  headers: Readonly<Record<string, string>> = {},
) {
  const server = await webServer((path, port) => {
    const issuer = `https://${NAME}:${port()}/ha/`;
    if (path.endsWith("/keys")) return { body: JSON.stringify({ keys }) };
    const document = {
      issuer,
      authorization_endpoint: `${issuer}authorize`,
      token_endpoint: `${issuer}token`,
      jwks_uri: `${issuer}keys`,
      response_types_supported: ["code"],
      subject_types_supported: ["public"],
      id_token_signing_alg_values_supported: ["RS256"],
    };
    return { body: JSON.stringify(change(document)), headers };
  });
  const issuer = `https://${NAME}:${server.port}/ha/`;
  const plan: OidcCheck = {
    kind: "oidc",
    id: "oidc",
    issuer,
    port: server.port,
    ca_pem: authority.certificate,
    ...more,
  };
  return using([server], () => askOidc(plan, LOOPBACK, loopbackPorts(), never));
}

test("a document that does not offer what Home Assistant's login needs is invalid, with the field's name", async () => {
  assert.equal((await oidc((document) => document)).failure, null);
  const changes: readonly (readonly [Record<string, unknown>, RegExp])[] = [
    [{ response_modes_supported: ["form_post"] }, /response_modes_supported does not offer query/],
    [{ grant_types_supported: ["implicit"] }, /grant_types_supported/],
    [{ code_challenge_methods_supported: ["plain"] }, /S256/],
    [{ token_endpoint: "not a URL" }, /token_endpoint is no URL/],
    [{ userinfo_endpoint: "ftp://x/" }, /userinfo_endpoint is no URL/],
  ];
  for (const [change, words] of changes) {
    const finding = await oidc((document) => ({ ...document, ...change }));
    assert.equal(finding.failure, "oidc_invalid");
    assert.match(finding.detail!, words);
  }
  assert.match((await oidc((document) => document, [KEY], { algorithm: "ES256" })).detail!, /does not offer ES256/);
});

test("keys that cannot be imported or are for encryption do not count", async () => {
  const bad = [
    { ...KEY, use: "enc" },
    { kty: "EC", crv: "P-256", x: "AAAA", y: "AAAA" },
    { kty: "oct", k: "AAAA" },
  ];
  assert.equal((await oidc((document) => document, bad)).failure, "oidc_jwks_invalid");
  assert.match((await oidc((document) => document, [{ ...KEY, kid: undefined }])).detail!, /no kid/);
});

test("a server's clock that is away is said, since tokens would be refused", async () => {
  const date = new Date(Date.now() + 120_000).toUTCString();
  const finding = await oidc((document) => document, [KEY], {}, { date });
  assert.equal(finding.failure, null);
  assert.match(finding.detail!, /clock is 1(19|20) s ahead/);
});

test("an endpoint at another host is asked only where the house declares that host", async () => {
  const other = await webServer(() => ({ body: "x" }), "elsewhere.example.lan");
  const right = await webServer(() => ({ status: 404, body: "x" }), "login.example.lan");
  await using([other, right], async () => {
    const document = (found: Record<string, unknown>) => ({
      ...found,
      token_endpoint: `https://login.example.lan:${other.port}/token`,
    });
    const undeclared = await oidc(document);
    assert.equal(undeclared.failure, null);
    assert.match(undeclared.detail!, /not declared, so not asked: token_endpoint at https:\/\/login\.example\.lan/);
    const peers = [{ host: "login.example.lan", address: LOOPBACK, port: 443, ca_pem: authority.certificate }];
    const declared = await oidc(document, [KEY], { peers });
    assert.equal(declared.failure, "tls_wrong_name");
    assert.match(declared.detail!, /token_endpoint at login\.example\.lan/);
    const token_endpoint = `https://login.example.lan:${right.port}/token`;
    assert.equal((await oidc((found) => ({ ...found, token_endpoint }), [KEY], { peers })).failure, null);
  });
});
