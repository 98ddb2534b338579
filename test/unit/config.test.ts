import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { parse, stringify } from "yaml";
import { cronProblem } from "../../src/core/config/cron-fields.ts";
import { configSchema } from "../../src/core/config/schema.ts";
import { ConfigError, loadConfig, parseConfig } from "../../src/runtime/node/config-file.ts";
import { describedSchema } from "../../src/runtime/node/config-reference.ts";
import { effective, forHost, maskUrl, writeDuration } from "../../src/runtime/node/config-show.ts";

const root = new URL("../../", import.meta.url).pathname;

function load(text: string, env: Record<string, string> = {}) {
  return parseConfig(text, "x.yaml", { missingFiles: "warning", env });
}

const variable = (name: string) => `$\{${name}}`;

/** Every line that a broken configuration brings. */
function complaints(text: string, env: Record<string, string> = {}): readonly string[] {
  try {
    load(text, env);
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split("\n");
    throw error;
  }
  return [];
}

test("the shipped example is valid, names the house of the design, and is armed", () => {
  const { house, warnings } = loadConfig(`${root}hairpin.yaml`, { missingFiles: "warning" });
  assert.equal(house.heal.mode, "auto");
  assert.equal(house.links[0]?.mac, "f2:5a:5f:84:40:e8");
  assert.deepEqual(
    house.targets.flatMap((target) => target.addresses),
    ["192.168.8.53", "192.168.8.50"],
  );
  assert.ok(
    warnings.every((warning) => warning.message.endsWith("is not there")),
    "only files that a checkout lacks",
  );
});

test("a certificate authority that is missing refuses a start, and is a warning where a configuration is only checked", () => {
  assert.throws(
    () => loadConfig(`${root}hairpin.yaml`),
    /hairpin\.yaml:\d+:\d+: targets\.traefik\.checks\[0\]\.https\.ca_file: ca\.pem is not there/,
  );
});

test("an unknown key is told with its line, its column and the nearest known key", () => {
  const text = "site: home\ntargets:\n  dns:\n    adress: 192.0.2.53\n    address: 192.0.2.53\n";
  assert.deepEqual(complaints(text), ["x.yaml:4:5: targets.dns.adress: unknown key; did you mean address?"]);
});

test("an unknown key that resembles none is told with all that are known, the nearest first", () => {
  const [line] = complaints("site: home\nheal: { treshold: 3 }\n");
  assert.match(line!, /^x\.yaml:2:9: heal\.treshold: unknown key; known here: .*quorum/);
  try {
    load("site: home\nheal: { treshold: 3 }\n");
  } catch (error) {
    assert.notEqual((error as ConfigError).problems[0]!.nearest, null);
  }
});

test("all problems of a file are told at once, in the order of their lines", () => {
  const text = "site: a b\nheal:\n  mode: atuo\n  confirm: 60\nvantages:\n  lan: { where: lna, key_file: k }\n";
  assert.deepEqual(complaints(text), [
    "x.yaml:1:1: site: letters, digits, - and _ only, at most 64 is wanted",
    "x.yaml:3:3: heal.mode: one of observe, auto, off is wanted; did you mean auto?",
    "x.yaml:4:3: heal.confirm: a duration with a unit is wanted, such as 30s, 2m or 1h",
    "x.yaml:6:10: vantages.lan.where: one of vm, lan, routed, host is wanted; did you mean lan?",
  ]);
});

test("a key that is written twice is told: the first one would be lost silently", () => {
  const text = "site: home\nvantages:\n  lan: { where: lan, key_file: a }\n  lan: { where: vm, key_file: b }\n";
  assert.deepEqual(complaints(text), ["x.yaml:4:3: lan is written twice"]);
});

test("a wrong subscriber or check is told as what it was meant to be", () => {
  const text = [
    "site: home",
    "targets: { a: { address: 192.0.2.1, checks: [{ htps: { host: b } }, { tcp: { port: 99999 } }, { dns: { name: x }, tcp: { port: 1 } }] } }",
    "notify: [{ webhook: { url: 'ftp://x' } }, { ntfy: {} }, {}]",
  ].join("\n");
  assert.deepEqual(
    complaints(text).map((line) => line.replace(/^x\.yaml:\d+:\d+: /, "")),
    [
      "targets.a.checks[0].htps: unknown key; did you mean https?",
      "targets.a.checks[1].tcp.port: at most 65535 is allowed",
      "targets.a.checks[2]: exactly one of dns, https, oidc, tcp is wanted",
      "notify[0].webhook.url: an http:// or https:// URL is wanted",
      "notify[1].ntfy.url: missing; an http:// or https:// URL is wanted",
      "notify[2]: exactly one of home_assistant, mqtt, webhook, ntfy, heartbeat is wanted",
    ],
  );
});

test("a variable of the environment is filled in, and one that is missing is told once", () => {
  const text = `site: ${variable("SITE")}\nnotify: [{ ntfy: { url: "https://ntfy.sh/${variable("TOPIC")}" } }]\n`;
  assert.equal(load(text, { SITE: "home", TOPIC: "t0p1c" }).house.site, "home");
  assert.deepEqual(complaints(text, { TOPIC: "t0p1c" }), ["x.yaml:1:1: site: the environment has no SITE"]);
  assert.equal(
    load(`site: home\ntargets: { a: { address: 192.0.2.1, checks: [{ dns: { name: "$\${X}" } }] } }`).config.targets[
      "a"
    ]!.checks.length,
    1,
  );
});

test("what crosses keys is told at the key that is wrong", () => {
  const text = [
    "site: home",
    "targets: { dns: { address: 192.0.2.53 } }",
    "hub: { url: 'http://hub.example:8787', resolvers: [192.0.2.1, 192.0.2.53] }",
    "hosts: { n5: { listen: '192.0.2.5:9' } }",
  ].join("\n");
  const said = complaints(text);
  assert.match(said[0]!, /^x\.yaml:3:8: hub\.url: an IP literal is wanted/);
  assert.match(said[1]!, /^x\.yaml:3:63: hub\.resolvers\[1\]: 192\.0\.2\.53 is the guarded address of target dns/);
  assert.match(said[2]!, /^x\.yaml:4:1: hosts: wanted when the host listens on an address|key_file/);
});

test("automatic heals refuse a schedule with a gap over 60 s, observing allows it", () => {
  const text = (mode: string) => `site: home\nschedule: "0 */5 * * * *"\nheal: { mode: ${mode} }\n`;
  assert.match(complaints(text("auto"))[0]!, /^x\.yaml:2:1: schedule: .*over 60 s/);
  assert.deepEqual(complaints(text("observe")), []);
});

test("cron fields out of range are named, day and month names are known", () => {
  assert.equal(cronProblem("*/10 * * * * *"), null);
  assert.equal(cronProblem("0 0 3 * jan-mar MON,5"), null);
  assert.match(cronProblem("0 99 * * * *")!, /minute: "99"/);
  assert.match(cronProblem("*/0 * * * * *")!, /second/);
  assert.match(cronProblem("* * * * *")!, /six fields/);
});

test("an empty house runs, heals nothing, and says so", () => {
  const { warnings } = load("site: home\ntargets:\nspeaker: { selector: '', node: n5, kubeconfig_file: k }\n");
  const said = warnings.map((warning) => `${warning.path}: ${warning.message}`).join("\n");
  assert.match(said, /targets: none/);
  assert.match(said, /vantages: none/);
  assert.match(said, /speaker\.selector: empty/);
});

test("one address in two targets, one key for two vantages, and a quorum out of reach are warned of", () => {
  const text = [
    "site: home",
    "targets: { a: { address: 192.0.2.1 }, b: { address: [192.0.2.1] } }",
    "vantages: { x: { where: lan, key_file: k }, y: { where: vm, key_file: k } }",
    "heal: { mode: auto, quorum: 4 }",
  ].join("\n");
  const said = load(text)
    .warnings.map((warning) => warning.message)
    .join("\n");
  assert.match(said, /192\.0\.2\.1 is also the address of a/);
  assert.match(said, /the same key as x/);
  assert.match(said, /4 votes are wanted and at most 2 can come/);
});

test("the effective configuration, as printed, is valid and means the same", () => {
  const loaded = loadConfig(`${root}hairpin.yaml`, { missingFiles: "warning" });
  assert.deepEqual(configSchema.parse(parse(stringify(effective(loaded)))), loaded.config);
  const host = load(stringify(forHost(loaded)));
  assert.deepEqual(host.house.links, loaded.house.links);
  assert.deepEqual(host.house.speakers, loaded.house.speakers);
  assert.deepEqual(host.house.hosts, loaded.house.hosts);
});

test("what is printed carries no secret", () => {
  const text = [
    "site: home",
    `hub: { data: "/x/${variable("PLACE")}" }`,
    "notify:",
    "  - ntfy: { url: https://ntfy.sh/s3cr3t-topic }",
    '  - webhook: { url: "https://u:s3cr3t@chat.example/hook/s3cr3t" }',
    "  - heartbeat: { url: https://hc.example/s3cr3t }",
    '  - mqtt: { url: "mqtt://u:s3cr3t@192.0.2.9" }',
  ].join("\n");
  const shown = stringify(effective(load(text, { PLACE: "s3cr3t" })));
  assert.doesNotMatch(shown, /s3cr3t/);
  assert.match(shown, /https:\/\/chat\.example\/\*\*\*/);
  assert.match(shown, /\$\{PLACE\}/);
  assert.equal(maskUrl("https://ntfy.sh", true), "https://ntfy.sh");
});

test("durations are written exactly, in the largest unit that divides them", () => {
  assert.deepEqual([0, 1_500, 60_000, 90_000, 7_200_000, 86_400_000].map(writeDuration), [
    "0ms",
    "1500ms",
    "1m",
    "90s",
    "2h",
    "1d",
  ]);
});

test("the committed JSON Schema is the one that the program knows", () => {
  assert.deepEqual(
    JSON.parse(readFileSync(`${root}hairpin.schema.json`, "utf8")),
    JSON.parse(JSON.stringify(describedSchema())),
  );
});

test("no text that is fed to the loader makes it throw anything but a ConfigError", () => {
  const texts = [
    "",
    "\0",
    "- 1",
    "a: &a [*a]",
    "site: !!binary x",
    "&x a: *x",
    "? [a]\n: b",
    "site: home\n__proto__: { a: 1 }",
    `${"[".repeat(500)}`,
    "site: home\ntargets: { __proto__: { address: 192.0.2.1 } }",
    "%YAML 9.9\n---\n",
    "a: b\n---\nc: d\n",
    "x: <<: *y",
  ];
  for (const text of texts) assert.doesNotThrow(() => complaints(text), JSON.stringify(text));
});
