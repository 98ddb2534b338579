import assert from "node:assert/strict";
import { test } from "node:test";
import { decode, encode } from "dns-packet";
import type { ConfigInput } from "../../src/core/config/schema.ts";
import { checkResult } from "../../src/core/observation.ts";
import type { OidcCheck } from "../../src/core/plan.ts";
import { planOf } from "../../src/engine/hub-plan.ts";
import { parsePlan } from "../../src/engine/vantage-plan.ts";
import { askOidc } from "../../src/probes/oidc.ts";
import type { HttpsRequest, ProbePorts } from "../../src/probes/port.ts";
import { runRound } from "../../src/probes/round.ts";
import { DNS, houseOf, WEB } from "../support/house.ts";
import { loopbackPorts } from "../support/probe-servers.ts";

const HOST = "auth.attic.lan";
const ISSUER = `https://${HOST}/ha/`;
const KEY = { kty: "RSA", n: "AQAB".repeat(40), e: "AQAB", kid: "1", use: "sig" };
const never = new AbortController().signal;

/** A house with a login, whose token endpoint may be at a second declared host. */
const withLogin = (config: ConfigInput): ConfigInput => ({
  ...config,
  targets: {
    ...config.targets,
    proxy: {
      address: WEB,
      checks: [{ https: { host: HOST } }, { https: { host: "token.attic.lan" } }, { oidc: { issuer: ISSUER } }],
    },
  },
});

function loginOf(change: (config: ConfigInput) => ConfigInput = (config) => config): OidcCheck {
  const house = houseOf((config) => change(withLogin(config)));
  // As it comes to a vantage: through the wire, and through the vantage's own reading of it.
  const plan = parsePlan(JSON.parse(JSON.stringify(planOf(house, house.vantages[0]!))));
  if (typeof plan === "string") throw new Error(plan);
  return plan.targets.flatMap(({ checks }) => checks).find((check) => check.kind === "oidc")!;
}

/** A resolver by the records it gives for a name (null: it does not answer), and a login by its document. */
function world(
  records: Readonly<Record<string, readonly string[] | null>>,
  change: Readonly<Record<string, unknown>> = {},
) {
  const dialled: string[] = [];
  const resolved: string[] = [];
  const document = {
    issuer: ISSUER,
    authorization_endpoint: `${ISSUER}authorize`,
    token_endpoint: `${ISSUER}token`,
    jwks_uri: `${ISSUER}keys`,
    response_types_supported: ["code"],
    subject_types_supported: ["public"],
    id_token_signing_alg_values_supported: ["RS256"],
    ...change,
  };
  const ports: ProbePorts = {
    ...loopbackPorts(),
    https: {
      get: async ({ serverName, path }: HttpsRequest) => {
        dialled.push(serverName);
        const body = new TextEncoder().encode(JSON.stringify(path.endsWith("keys") ? { keys: [KEY] } : document));
        const value = { status: 200, headers: {}, body, tooLarge: false };
        const phases = { connect: 1, tls: 1, first_byte: 1, total: 1 };
        return { phases, certificate: null, protocol: "TLSv1.3", reply: { ok: true, value } };
      },
    },
    dns: {
      exchange: async ({ address, query }, accept) => {
        const { id, questions } = decode(Buffer.from(query));
        const { name, type } = questions[0]!;
        resolved.push(`${name.toLowerCase()} ${type} @${address}`);
        const found = records[name.toLowerCase()];
        const silent = { stage: "connect", timedOut: true, errno: null, message: "no answer" } as const;
        if (found === null) return { ok: false, fault: silent };
        const answers = (found ?? []).map((data) => ({ name, type, ttl: 60, data }));
        const flags = found === undefined ? 3 : 0;
        const message = new Uint8Array(encode({ type: "response", id, flags, questions, answers } as never));
        assert.ok(accept(message));
        return { ok: true, value: message };
      },
    },
  };
  return { ports, dialled, resolved };
}

async function asked(check: OidcCheck, ...given: Parameters<typeof world>) {
  const { ports, dialled, resolved } = world(...given);
  return { finding: await askOidc(check, WEB, ports, never), dialled, resolved };
}

test("the host of the endpoints is resolved once at the guarded resolver, and what it answered is evidence", async () => {
  const { finding, resolved } = await asked(loginOf(), { [HOST]: [WEB] });
  assert.equal(finding.failure, null, finding.detail ?? "");
  assert.equal(finding.detail, null);
  assert.deepEqual(resolved, [`${HOST} A @${DNS}`]);
  assert.deepEqual(finding.evidence.names, [{ host: HOST, resolver: DNS, records: [WEB], failure: null }]);
  const wire = { target: "proxy", check: "oidc", ok: true, evidence: finding.evidence };
  assert.deepEqual(checkResult.parse(wire).evidence?.names, finding.evidence.names);
});

test("a host that leads elsewhere than a dns check of the house says is a wrong answer, with the field's name", async () => {
  const { finding } = await asked(loginOf(), { [HOST]: ["203.0.113.7"] });
  assert.equal(finding.failure, "dns_wrong_answer");
  assert.equal(finding.detail, `authorization_endpoint ${HOST} resolves to 203.0.113.7 at ${DNS}, not ${WEB}`);
  assert.deepEqual(finding.evidence.names?.[0]?.records, ["203.0.113.7"]);
  const nowhere = await asked(loginOf(), {});
  assert.equal(nowhere.finding.failure, "dns_nxdomain");
  assert.match(nowhere.finding.detail!, /resolves to nothing/);
});

test("a resolver that does not answer is the dns check's finding, and none of the login's", async () => {
  const { finding } = await asked(loginOf(), { [HOST]: null });
  assert.equal(finding.failure, null);
  assert.equal(finding.detail, null);
  assert.deepEqual(finding.evidence.names, [{ host: HOST, resolver: DNS, records: null, failure: "no_reply" }]);
});

test("split DNS is no fault: where no dns check says what is right, the difference is told and fails nothing", async () => {
  const document = { token_endpoint: "https://token.attic.lan/token" };
  for (const answer of [["198.51.100.9"], undefined]) {
    const { finding } = await asked(
      loginOf(),
      { [HOST]: [WEB], ...(answer && { "token.attic.lan": answer }) },
      document,
    );
    assert.equal(finding.failure, null);
    const told = `token_endpoint token.attic.lan resolves to 198.51.100.9 at ${DNS}, it is declared at ${WEB}`;
    assert.equal(finding.detail, answer === undefined ? null : told);
    assert.equal(finding.evidence.names?.length, 2);
  }
  const same = await asked(loginOf(), { [HOST]: [WEB], "token.attic.lan": ["198.51.100.9", WEB] }, document);
  assert.equal(same.finding.detail, null);
});

test("a host that nobody declared is neither resolved nor dialled: it is named", async () => {
  const fields = ["token_endpoint", "userinfo_endpoint", "end_session_endpoint", "authorization_endpoint", "jwks_uri"];
  const document = Object.fromEntries(fields.map((field) => [field, `https://10.0.0.1.evil.example/${field}`]));
  const { finding, dialled, resolved } = await asked(loginOf(), { [HOST]: [WEB] }, document);
  assert.equal(finding.failure, null);
  assert.match(finding.detail!, /10\.0\.0\.1\.evil\.example/);
  assert.deepEqual([...new Set(dialled)], [HOST]);
  assert.deepEqual(resolved, []);
});

test("what the dns check of the same round tells is not told again as the web server's failure", async () => {
  const house = houseOf(withLogin);
  const plan = planOf(house, house.vantages[0]!);
  const { ports } = world({ [HOST]: ["203.0.113.7"], "example.org": ["203.0.113.9"] });
  const round = async (kinds: readonly string[]) => {
    const due = (_target: string, check: { readonly kind: string }) => kinds.includes(check.kind);
    const { checks } = await runRound({ plan, due, tries: () => 1 }, ports, never);
    return Object.fromEntries(checks.map(({ id, failure, detail }) => [id, [failure, detail]]));
  };
  const said = `authorization_endpoint ${HOST} resolves to 203.0.113.7 at ${DNS}, not ${WEB}`;
  const both = await round(["dns", "oidc"]);
  assert.equal(both[`dns:${HOST}`]?.[0], "dns_wrong_answer");
  assert.deepEqual(both["oidc"], [null, said]);
  assert.deepEqual(
    (await round(["oidc"]))["oidc"],
    ["dns_wrong_answer", said],
    "the dns check is not due: it is the first",
  );
});

test("without a guarded resolver nothing is asked, and an issuer at an address has no name", async () => {
  const alone = loginOf((config) => ({ ...config, targets: { proxy: config.targets!["proxy"]! } }));
  assert.equal(alone.names, undefined);
  const literal = loginOf((config) => ({
    ...config,
    targets: { ...config.targets, proxy: { address: WEB, checks: [{ oidc: { issuer: `https://${WEB}/ha/` } }] } },
  }));
  assert.equal(literal.names, undefined);
});

test("a dual-stack host is asked for both kinds of address, each as its own dns check says", () => {
  const check = loginOf((config) => ({
    ...config,
    targets: {
      ...config.targets,
      resolver: {
        address: DNS,
        checks: [
          { dns: { name: `${HOST}.`, expect: [WEB] } },
          { dns: { name: HOST, type: "AAAA", expect: ["fd00::50"], transport: "tcp" } },
        ],
      },
    },
  }));
  const own = check.names!.filter(({ host }) => host === HOST);
  assert.deepEqual(
    own.map(({ type, expect, transport }) => [type, expect, transport]),
    [
      ["A", [WEB], "udp"],
      ["AAAA", ["fd00::50"], "tcp"],
    ],
  );
});
