import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { type Edge, workerdEdge } from "../edge/edges.ts";

/** Cloudflare Access in front, by the real runtime's WebCrypto: only an assertion that the team's key has signed opens a page. */
const AUDIENCE = "0123456789abcdef";
const team = generateKeyPairSync("rsa", { modulusLength: 2_048 });
const stranger = generateKeyPairSync("rsa", { modulusLength: 2_048 });
let fetched = 0;
let issuer = "";
let edge: Edge;

const certs = createServer((request, response) => {
  if (request.url !== "/cdn-cgi/access/certs") return response.writeHead(404).end();
  fetched++;
  const keys = [{ ...team.publicKey.export({ format: "jwk" }), kid: "team-1", alg: "RS256", use: "sig" }];
  return response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ keys }));
});

before(async () => {
  await new Promise<void>((resolve) => certs.listen(0, "127.0.0.1", resolve));
  issuer = `http://127.0.0.1:${(certs.address() as AddressInfo).port}`;
  edge = await workerdEdge("http://127.0.0.1:9/", { ACCESS_TEAM: issuer, ACCESS_AUD: AUDIENCE });
});
after(async () => {
  await edge.stop();
  certs.close();
  certs.closeAllConnections();
});

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");

function assertion(
  claims: Readonly<Record<string, unknown>> = {},
  key: KeyObject = team.privateKey,
  head = {},
): string {
  const now = Math.floor(Date.now() / 1_000);
  const body = { aud: [AUDIENCE], iss: issuer, iat: now, nbf: now, exp: now + 60, email: "me@example.com", ...claims };
  const text = `${part({ alg: "RS256", kid: "team-1", typ: "JWT", ...head })}.${part(body)}`;
  return `${text}.${sign("sha256", Buffer.from(text), key).toString("base64url")}`;
}

async function statusWith(jwt: string, path = "/"): Promise<number> {
  const reply = await fetch(`${edge.url}${path}`, { headers: { "cf-access-jwt-assertion": jwt } });
  await reply.arrayBuffer();
  return reply.status;
}

test("an assertion of the team for this application opens the list, and nothing of the administrator", {
  timeout: 60_000,
}, async () => {
  assert.equal(await statusWith(assertion()), 200);
  assert.equal(await statusWith(assertion(), "/v1/sites"), 200);
  const headers = { "cf-access-jwt-assertion": assertion() };
  const removed = await fetch(`${edge.url}/v1/sites/home`, { method: "DELETE", headers });
  assert.equal(removed.status, 401);
});

test("a header that is merely there opens nothing", { timeout: 60_000 }, async () => {
  const now = Math.floor(Date.now() / 1_000);
  const good = assertion();
  const bad: readonly [string, string][] = [
    ["signed by a stranger", assertion({}, stranger.privateKey)],
    ["of another application", assertion({ aud: ["another"] })],
    ["of another team", assertion({ iss: "https://evil.cloudflareaccess.com" })],
    ["over", assertion({ exp: now - 60 })],
    ["without an end", assertion({ exp: null })],
    ["not yet", assertion({ nbf: now + 120 })],
    ["without a signature", `${part({ alg: "none", kid: "team-1" })}.${good.split(".")[1]}.`],
    ["of an unknown key", assertion({}, stranger.privateKey, { kid: "nobody" })],
    ["changed", good.replace(/\.[^.]+\./, `.${part({ aud: AUDIENCE, iss: issuer, exp: now + 600 })}.`)],
    ["no assertion", "yes"],
    ["too long", `${good}${"x".repeat(9_000)}`],
  ];
  for (const [what, jwt] of bad) assert.equal(await statusWith(jwt), 401, what);
});

test("unknown keys do not make the edge ask the team again and again", { timeout: 60_000 }, async () => {
  const before = fetched;
  for (let more = 0; more < 5; more++) await statusWith(assertion({}, stranger.privateKey, { kid: `nobody-${more}` }));
  assert.equal(fetched, before);
});
