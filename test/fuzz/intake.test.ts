import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { observation } from "../../src/core/observation.ts";
import type { OidcCheck } from "../../src/core/plan.ts";
import { sign, verify } from "../../src/core/standard-webhooks.ts";
import { readJson } from "../../src/hooks/json.ts";
import { askOidc } from "../../src/probes/oidc.ts";
import { hmac } from "../../src/runtime/node/hmac.ts";
import { harness, round, secret } from "../support/hub.ts";
import { loopbackPorts } from "../support/probe-servers.ts";
import { bounded, hold, mutatedText } from "./settings.ts";

const OBSERVATION = JSON.stringify({
  type: "hairpin.observation.v1",
  aud: "home",
  vantage: "lan",
  boot_id: "boot1",
  seq: 1,
  observed_at: "2026-11-24T10:00:00.000Z",
  mono_ms: 5,
  control: { ok: true, gateway_ms: 0.4 },
  ...round(false),
});

test("whatever the text, the strict reader answers in bounded time, and never with what JSON.parse refuses", async (t) => {
  const hard = [
    "[".repeat(50_000),
    '{"a":'.repeat(20_000),
    `"${"\\u0041".repeat(40_000)}"`,
    `[${"1,".repeat(100_000)}1]`,
    "9".repeat(200_000),
  ];
  await hold(
    t,
    fc.oneof({ weight: 20, arbitrary: mutatedText([OBSERVATION]) }, { weight: 1, arbitrary: fc.constantFrom(...hard) }),
    (text) => {
      const read = bounded(() => readJson(text));
      if (read.ok) assert.doesNotThrow(() => JSON.parse(text));
      else assert.ok(read.message.length < 200);
    },
  );
});

test("whatever a signature's headers hold, the answer is yes or a reason; and yes only for the right key (fault 18)", async (t) => {
  const now = 1_800_000_000;
  const good = await sign([secret("lan")], "id_1", now, OBSERVATION, hmac);
  const header = (text: string) => mutatedText([text]);
  const headers = fc.record({
    id: header(good["webhook-id"]),
    time: header(good["webhook-timestamp"]),
    signature: header(good["webhook-signature"]),
  });
  await hold(t, headers, async ({ id, time, signature }) => {
    const sent: Record<string, string> = {
      "webhook-id": id,
      "webhook-timestamp": time,
      "webhook-signature": signature,
    };
    const get = (name: string) => sent[name] ?? null;
    const verified = await verify([secret("lan")], { get }, OBSERVATION, now, hmac);
    const isWhole = id === good["webhook-id"] && time === good["webhook-timestamp"];
    if (verified.ok) assert.ok(isWhole && signature.includes(good["webhook-signature"].slice(3)));
    assert.equal((await verify([secret("vm")], { get }, OBSERVATION, now, hmac)).ok, false);
  });
});

test("whatever a vantage with a key sends, the hub answers as it documents, and what it takes it can show (I25)", async (t) => {
  const made = harness();
  made.hub.start();
  await made.hand.pass(100);
  const documented = [200, 202, 401, 403, 409, 413, 422, 429];
  let count = 0;
  await hold(t, mutatedText([OBSERVATION]), async (text) => {
    count++;
    const answer = await made.report("lan", text, { id: `fuzz_${count}` });
    assert.ok(documented.includes(answer.status), `${answer.status}: ${await answer.text()}`);
    if (answer.status === 202) assert.equal((await made.app.request("/v1/status", {}, {})).status, 200);
    if (count % 20 === 0) await made.hand.pass(1_000);
  });
  assert.equal((await made.app.request("/", {}, {})).status, 200);
  made.hub.stop();
});

test("any value is an observation or a list of what is wrong with it", async (t) => {
  const value = fc.oneof(
    fc.jsonValue({ maxDepth: 8 }),
    fc.jsonValue().map((part) => ({ ...(JSON.parse(OBSERVATION) as object), checks: part })),
  );
  await hold(t, value, (input) => {
    const parsed = bounded(() => observation.safeParse(input));
    if (!parsed.success) assert.ok(parsed.error.issues.length > 0);
  });
});

const CHECK: OidcCheck = {
  kind: "oidc",
  id: "oidc",
  issuer: "https://auth.example.lan/o/ha/",
  port: 443,
  ca_pem: null,
} as OidcCheck;
const DISCOVERY = JSON.stringify({
  issuer: CHECK.issuer,
  authorization_endpoint: "https://auth.example.lan/a",
  token_endpoint: "https://auth.example.lan/t",
  jwks_uri: "https://auth.example.lan/jwks",
  response_types_supported: ["code"],
  subject_types_supported: ["public"],
  id_token_signing_alg_values_supported: ["RS256"],
});
const KEYS = JSON.stringify({ keys: [{ kty: "RSA", n: "AQAB", e: "AQAB", kid: "1" }] });

test("whatever a provider's document and keys hold, it is a finding, never an exception (I28)", async (t) => {
  const bodies = fc.tuple(mutatedText([DISCOVERY]), mutatedText([KEYS, "null", "[]", '{"keys":{}}']), fc.boolean());
  await hold(t, bodies, async ([document, keys, isRight]) => {
    let asked = 0;
    const ports = loopbackPorts();
    const https: typeof ports.https = {
      get: async () => {
        asked++;
        const body = asked > 1 ? keys : isRight ? DISCOVERY : document;
        const value = { status: 200, headers: {}, body, tooLarge: false };
        return { reply: { ok: true, value }, certificate: null, protocol: null, phases: {} } as never;
      },
    };
    const finding = await askOidc(CHECK, "127.0.0.1", { ...ports, https }, new AbortController().signal);
    assert.equal(finding.ok, finding.failure === null);
    assert.ok((finding.detail ?? "").length <= 512);
  });
});
