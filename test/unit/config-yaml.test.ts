import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { outsideCheck } from "../../src/core/edge/wire.ts";
import { outsideChecks } from "../../src/core/outside.ts";
import { ConfigError, parseConfig } from "../../src/runtime/node/config-file.ts";
import { runHairpin } from "../support/command.ts";

/** What a person sees of a text that is not YAML. */
function said(text: string): string {
  try {
    parseConfig(text, "x.yaml");
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return "valid";
}

test("mistakes of indentation are told once, at their own line, with where the line should begin", () => {
  const dns = "site: home\ntargets:\n  dns:\n    address: 192.0.2.1\n";
  const table: readonly (readonly [string, string])[] = [
    [
      `${dns}     checks: []\n`,
      "x.yaml:5:6: indented deeper than line 4, which has its value already: begin it with 4 spaces",
    ],
    [
      `${dns}   checks: []\n`,
      "x.yaml:5:4: indented by 3 spaces, not like what it belongs to: begin it with 4 spaces, under its neighbours",
    ],
    ["site: home\ntargets:\n\tdns: {}\n", "x.yaml:3:1: a tab: YAML is indented with spaces alone, two for each level"],
    [
      "site: home\nhub: { data: /x\nheal: {}\n",
      "x.yaml:3:1: the { above is not closed: a } is missing before this line",
    ],
    [
      "site: home\nhub:\n  listen: [::1\n  data: /x\n",
      "x.yaml:4:3: the [ above is not closed: a ] is missing before this line",
    ],
    ['site: "home\nhub: {}\n', "x.yaml:3:1: a quote that was opened above is not closed"],
    ["site:home\nhub: {}\n", "x.yaml:1:1: a space is missing after the colon"],
    [
      "site: home\ntargets:\n  dns: address: 192.0.2.1\n",
      "x.yaml:3:8: two keys on one line: put the second on the next line, indented by two spaces more",
    ],
    [
      " site: home\nhub: {}\n",
      "x.yaml:2:1: indented by no space, not like what it belongs to: begin it with 1 space, under its neighbours",
    ],
    [
      "site: home\nnotify:\n- a: 1\n - b: 2\n",
      "x.yaml:4:2: indented by 1 space, deeper than what it belongs to: begin it with no space, under its neighbours",
    ],
    ["site: home\nsite: away\n", "x.yaml:2:1: site is written twice"],
  ];
  for (const [text, wanted] of table) assert.equal(said(text), wanted);
});

test("config check reads the secrets that are there: a bad one is a mistake at its line, and --no-secrets leaves them alone", async () => {
  const dir = mkdtempSync(join(tmpdir(), "hairpin-secrets-"));
  try {
    const file = join(dir, "hairpin.yaml");
    const good = `whsec_${randomBytes(32).toString("base64")}`;
    writeFileSync(join(dir, "good"), good, { mode: 0o600 });
    writeFileSync(join(dir, "open"), `whsec_${randomBytes(32).toString("base64")}`, { mode: 0o644 });
    writeFileSync(join(dir, "known"), "whsec_changemechangemechangeme", { mode: 0o600 });
    writeFileSync(join(dir, "plain"), randomBytes(32).toString("hex"), { mode: 0o600 });
    writeFileSync(
      file,
      [
        "site: home",
        "vantages:",
        ...["good", "open", "known", "plain", "gone"].map((name) => `  ${name}: { where: lan, key_file: ${name} }`),
        "",
      ].join("\n"),
    );
    const run = await runHairpin(["config", "check", file]);
    assert.equal(run.code, 2);
    const lines = run.err.trim().split("\n");
    assert.match(lines[0]!, /:4:\d+: vantages\.open\.key_file: .*mode 0644.*chmod 600/);
    assert.match(lines[1]!, /:5:\d+: vantages\.known\.key_file: .*well-known default/);
    assert.match(lines[2]!, /:6:\d+: vantages\.plain\.key_file: .*whsec_/);
    assert.equal(lines.length, 3);
    assert.ok(!run.err.includes(good));
    const skipped = await runHairpin(["config", "check", "--config", file, "--no-secrets"]);
    assert.equal(skipped.code, 0, skipped.err);
    assert.match(skipped.out, /vantages\.gone\.key_file: gone is not there \(warning\)/);
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test("wrong usage of token says what to type, with a vantage of the configuration", async () => {
  const dir = mkdtempSync(join(tmpdir(), "hairpin-token-"));
  try {
    writeFileSync(join(dir, "hairpin.yaml"), "site: home\nvantages: { attic: { where: lan, key_file: k } }\n");
    for (const [args, wanted] of [
      [[], "Type: hairpin token vantage attic"],
      [["attic"], "Type: hairpin token vantage attic"],
      [["rotate"], "which vantage? There: attic. Type: hairpin token rotate attic"],
      [["show", "attic"], "Type: hairpin token vantage attic"],
    ] as const) {
      const run = await runHairpin(["token", ...args], { cwd: dir });
      assert.deepEqual([run.code, run.err.includes(wanted)], [2, true], run.err);
    }
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test("keys of a dns check that only go together say what is missing beside them", () => {
  const target = (check: string) =>
    `site: home\ntargets:\n  dns: { address: 192.0.2.1, checks: [{ dns: { name: a, ${check} } }] }\n`;
  const at = "targets.dns.checks[0].dns";
  assert.equal(said(target("as_system: true, type: AAAA")), "valid");
  assert.match(said(target("as_system: true, type: TXT")), /as_system: type A or AAAA beside it is wanted/);
  assert.ok(said(target("server_name: b")).includes(`${at}.server_name: transport: tls beside it is wanted`));
  assert.ok(said(target("ca_file: b.pem")).includes(`${at}.ca_file: transport: tls beside it is wanted`));
});

test("what a Worker cannot do is refused at its place, with the reason and the way out", () => {
  const url = "https://edge.example.net";
  const edge = (check: string) => said(`site: home\nedge: { url: "${url}", key_file: k, checks: [{ ${check} }] }\n`);
  const refused: readonly (readonly [check: string, words: RegExp])[] = [
    ["dns: { name: a, as_system: true }", /dns\.as_system: a Worker has no resolver .* at a vantage/],
    ["dns: { name: a, upstream: true }", /dns\.upstream: .*leave it out/],
    ["dns: { name: a, port: 5353 }", /dns\.port: .*server: ADDRESS:PORT/],
    ["dns: { name: a, transport: udp }", /dns\.transport: a Worker has no UDP/],
    ["dns: { name: a, transport: tcp }", /dns\.transport: server: ADDRESS or ADDRESS:PORT beside it/],
    ["dns: { name: a, transport: tls, server: 192.0.2.1 }", /dns\.transport: server_name beside it/],
    ["dns: { name: a, server_name: b, server: 192.0.2.1 }", /dns\.server_name: transport: tls beside it/],
    ["dns: { name: a, server: dns.example.net }", /dns\.server: ADDRESS or ADDRESS:PORT is wanted/],
    ["dns: { name: a, server: '192.0.2.1:99999' }", /dns\.server: ADDRESS or ADDRESS:PORT is wanted/],
    ["https: { host: a, ca_file: c.pem }", /https\.ca_file: the edge trusts public authorities alone/],
    ["https: { host: a, cert_days_min: 7 }", /https\.cert_days_min: a Worker is shown no certificate/],
    ["https: { host: a, schedule: '* * * * * *' }", /https\.schedule: the edge asks about once a minute/],
    ["oidc: { issuer: 'https://a/', ca_file: c.pem }", /oidc\.ca_file: the edge trusts/],
    ["tcp: { host: a, port: 1, schedule: '* * * * * *' }", /tcp\.schedule: the edge asks/],
    ["https: { host: a, hosts: b }", /hosts: unknown key/],
  ];
  for (const [check, words] of refused) assert.match(edge(check), words, check);
  const texts = JSON.stringify(Array.from({ length: 16 }, () => "x".repeat(1_024)));
  const long = `https: { host: a, body: { contains: ${texts} }, headers: { a: { contains: ${texts} } } }`;
  assert.match(edge(long), /edge\.checks: \d+ characters .* at most 32768/);
});

test("what a Worker can do is taken: TLS at a resolver, DNSSEC, texts and algorithms", () => {
  const text = `site: home
edge:
  url: "https://edge.example.net"
  key_file: k
  checks:
    - dns: { name: a, server: "192.0.2.1", transport: tls, server_name: dns.example.net, ad: true, rrsig: true }
    - dns: { name: b, ad: true }
    - https: { host: c, body: { contains: [x] }, headers: { server: { lacks: [nginx] } } }
    - oidc: { issuer: "https://d/", algorithm: RS256 }
`;
  const { config } = parseConfig(text, "x.yaml", { missingFiles: "warning" });
  const [tls, doh, page, login] = outsideChecks(config.edge!.checks);
  assert.deepEqual(tls, {
    kind: "dns",
    id: "dns:a",
    name: "a",
    type: "A",
    expect: null,
    server: "192.0.2.1",
    transport: "tls",
    server_name: "dns.example.net",
    ad: true,
    rrsig: true,
  });
  assert.deepEqual(doh, { kind: "dns", id: "dns:b", name: "b", type: "A", expect: null, server: null, ad: true });
  assert.ok(page?.kind === "https" && login?.kind === "oidc");
  assert.deepEqual(page.body, { contains: ["x"] });
  assert.deepEqual(page.headers, { server: { lacks: ["nginx"] } });
  assert.equal(login.algorithm, "RS256");
  for (const check of [tls, doh, page, login]) assert.deepEqual(outsideCheck.parse(check), check);
});

test("a star that is meant as text is told where it stands, and never ends the program", () => {
  assert.equal(
    said("site: *home\n"),
    "x.yaml:1:7: *home leads nowhere: no &home stands before it; put a text that begins with a star in quotes",
  );
  assert.match(said("site: home\nhub: { data: *a }\nheal: &a {}\n"), /2:14: \*a leads nowhere/);
});
