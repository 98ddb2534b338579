import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { createServer } from "node:tls";
import type { OutsideCheck } from "../../src/core/edge/wire.ts";
import { discovery } from "../support/discovery.ts";
import { type Listening, listening } from "../support/probe-servers.ts";
import type { Case } from "./case.ts";
import { DNS_WORDS, LABELS, name, seenBy, words } from "./cases-outside.ts";
import { dnsTlsServer } from "./doh.ts";
import { House } from "./driver.ts";
import { authority } from "./trust.ts";

const RESOLVER = "dns.lab";
const HOST = "app.lab";
const PORTAL = "<title>Sign in</title>";

/** One page over TLS, with a header of its own and a login's discovery document below /o/. */
async function portal(): Promise<Listening> {
  const pair = authority.issue([HOST]);
  const sockets = new Set<Socket>();
  const issuer = `https://${HOST}/o/`;
  const document = discovery(issuer);
  const server = createServer({ cert: pair.certificate, key: pair.key }, (socket) => {
    socket.on("error", () => {});
    socket.once("data", (data: Buffer) => {
      const body = data.toString("latin1").startsWith("GET /o/") ? document : PORTAL;
      socket.end(
        `HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\nX-Served-By: traefik\r\nconnection: close\r\n\r\n${body}`,
      );
    });
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
  });
  server.on("tlsClientError", () => {});
  return listening(server, sockets);
}

type Https = Extract<OutsideCheck, { kind: "https" }>;

/** What a check may want beside an answer: each is asked as at a vantage, and nothing of it is dropped. */
export const DEPTH: readonly Case[] = [
  {
    name: "names over TLS at a resolver with a certificate: the same words, and a wrong name is no resolver",
    async run(edge) {
      const server = await dnsTlsServer(authority.issue([RESOLVER]));
      try {
        const house = await new House(edge).add();
        const at = { server: `127.0.0.1:${server.port}`, transport: "tls", server_name: RESOLVER } as const;
        const seen = await seenBy(
          house,
          LABELS.map((label) => ({ ...name(label, null), ...at })),
        );
        assert.deepEqual(words(seen), DNS_WORDS);
        const other = await new House(edge).add();
        const [wrong] = await seenBy(other, [{ ...name("a", null), ...at, server_name: "else.lab" }]);
        assert.equal(wrong!.ok, false);
        assert.match(wrong!.failure!, /^tls_/);
      } finally {
        server.close();
      }
    },
  },
  {
    name: "a resolver that does not vouch, and an answer without a signature, are wrong answers where both are wanted",
    async run(edge) {
      const house = await new House(edge).add();
      const asking = (label: string, more: object): OutsideCheck => ({ ...name(label, null), ...more }) as OutsideCheck;
      const seen = await seenBy(house, [
        asking("ad", { ad: true }),
        asking("a", { ad: true }),
        asking("signed", { rrsig: true }),
        { ...asking("a", { rrsig: true }), id: "dns:unsigned" },
      ]);
      assert.deepEqual(words(seen), [
        "dns:ad ok",
        "dns:a dns_wrong_answer",
        "dns:signed ok",
        "dns:unsigned dns_wrong_answer",
      ]);
    },
  },
  {
    name: "a page is held to its body and its headers, letter by letter",
    async run(edge) {
      const server = await portal();
      try {
        const house = await new House(edge).add();
        const page = (id: string, more: Partial<Https>): OutsideCheck => ({
          kind: "https",
          id,
          host: HOST,
          path: "/",
          port: server.port,
          status: [200],
          address: "127.0.0.1",
          ...more,
        });
        const seen = await seenBy(house, [
          page("good", {
            body: { contains: ["Sign in"], lacks: ["Bad Gateway"] },
            headers: { "x-served-by": { equals: "traefik" } },
          }),
          page("body", { body: { contains: ["Welcome"] } }),
          page("header", { headers: { "X-Served-By": { lacks: ["traefik"] } } }),
          page("no header", { headers: { "strict-transport-security": { contains: ["max-age"] } } }),
        ]);
        assert.deepEqual(words(seen), ["good ok", "body http_body", "header http_header", "no header http_header"]);
        assert.match(seen[1]!.detail!, /Sign in/);
      } finally {
        server.close();
      }
    },
  },
  {
    name: "a login is held to the algorithm of its tokens",
    async run(edge) {
      const server = await portal();
      try {
        const house = await new House(edge).add();
        const login = (algorithm: string): OutsideCheck => ({
          kind: "oidc",
          id: algorithm,
          issuer: `https://${HOST}/o/`,
          port: server.port,
          address: "127.0.0.1",
          algorithm,
        });
        assert.deepEqual(words(await seenBy(house, [login("RS256"), login("ES256")])), [
          "RS256 ok",
          "ES256 oidc_invalid",
        ]);
      } finally {
        server.close();
      }
    },
  },
];
