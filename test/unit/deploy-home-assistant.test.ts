import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { parse, type ScalarTag } from "yaml";
import { configSchema, type MqttConfig } from "../../src/core/config/schema.ts";
import { HOME_ASSISTANT_EVENTS } from "../../src/core/event.ts";
import { componentsOf } from "../../src/core/mqtt/components.ts";
import { loadConfig } from "../../src/runtime/node/config-file.ts";

const root = new URL("../../", import.meta.url).pathname;
const folder = `${root}deploy/homeassistant`;
const { house } = loadConfig(`${root}hairpin.yaml`, { missingFiles: "warning" });
const read = (path: string) => readFileSync(`${folder}/${path}`, "utf8");
const tag = (name: string): ScalarTag => ({ tag: name, resolve: (text) => `${name} ${text}` });
const yaml = (path: string) => parse(read(path), { customTags: [tag("!secret"), tag("!input")] });
const packages = readdirSync(`${folder}/packages`);
const BLUEPRINT = "blueprints/automation/hairpin/hairpin_alert.yaml";

/** The settings of `notify: - mqtt:` where only the URL is given. */
function mqttDefaults(): MqttConfig {
  const plain = parse(readFileSync(`${root}hairpin.yaml`, "utf8")) as object;
  const { notify } = configSchema.parse({ ...plain, notify: [{ mqtt: { url: "mqtt://192.168.8.10" } }] });
  const [entry] = notify;
  assert.ok(entry !== undefined && "mqtt" in entry);
  return entry.mqtt;
}

/** Every key of a tree whose name is wanted, with its value. */
function found(tree: unknown, name: string): readonly unknown[] {
  if (typeof tree !== "object" || tree === null) return [];
  return Object.entries(tree).flatMap(([key, value]) => [...(key === name ? [value] : []), ...found(value, name)]);
}

test("every entity that the dashboard and the pages name is one that the shipped example's device has", () => {
  const settings = mqttDefaults();
  const known = Object.values(componentsOf(house, settings).components).map((one) => String(one["default_entity_id"]));
  for (const path of ["dashboards/hairpin.yaml", "README.md"]) {
    const named = read(path).match(/\b(?:binary_sensor|sensor|button|switch|event)\.hairpin_\w+/g) ?? [];
    assert.ok(named.length > 0, path);
    for (const entity of named) assert.ok(known.includes(entity), `${path}: ${entity} is none of ${known.join(", ")}`);
  }
});

test("the packages call the hub of the shipped example, and carry the token in a header only", () => {
  const routes = ["/v1/acks", "/v1/births", "/heal", "/v1/pause", "/v1/resume", "/v1/status"];
  for (const path of packages) {
    const tree = yaml(`packages/${path}`) as Record<string, unknown>;
    for (const url of [...found(tree, "url"), ...found(tree, "resource")])
      assert.ok(routes.map((route) => `${house.hub.url}${route}`).includes(String(url)), `${path}: ${url}`);
    for (const header of found(tree, "authorization")) assert.equal(header, "!secret hairpin_auth");
    for (const payload of found(tree, "payload")) assert.doesNotMatch(String(payload), /secret|token|Bearer/i);
    assert.match(path, /^[a-z_]+\.yaml$/, "Home Assistant takes a package's name from its file, as a slug");
  }
});

test("the REST sensors name targets and vantages of the shipped example, and are asked once a minute", () => {
  const [entry] = (yaml("packages/hairpin_status.yaml") as { rest: { scan_interval: number }[] }).rest;
  assert.equal(entry!.scan_interval, 60, "each question that fails is a line in the log");
  const text = read("packages/hairpin_status.yaml");
  const named = [...text.matchAll(/targets\['([^']+)'\]\.vantages\['([^']+)'\]/g)];
  assert.ok(named.length >= 4);
  for (const [, target, vantage] of named) {
    assert.ok(
      house.targets.some(({ name }) => name === target),
      target,
    );
    assert.ok(
      house.vantages.some(({ name }) => name === vantage),
      vantage,
    );
  }
});

test("the blueprint asks for its webhook id alone, and tells loud from quiet among the reports that it gets", () => {
  const { blueprint, variables } = yaml(BLUEPRINT) as {
    blueprint: { input: Record<string, { input?: Record<string, { default?: unknown }>; default?: unknown }> };
    variables: Record<string, unknown>;
  };
  const inputs = Object.entries(blueprint.input).flatMap(([name, one]) => Object.entries(one.input ?? { [name]: one }));
  const required = inputs.filter(([, one]) => one.default === undefined).map(([name]) => name);
  assert.deepEqual(required, ["webhook_id"]);
  for (const value of Object.values(variables))
    assert.doesNotMatch(
      String(value),
      /!input (?!use_)\w+_actions/,
      "Home Assistant would render the templates inside at every run",
    );
  const used = [...read(BLUEPRINT).matchAll(/!input (\w+)/g)].map(([, name]) => name);
  assert.deepEqual([...new Set(used)].sort(), inputs.map(([name]) => name).sort());
  const tones = [...read(BLUEPRINT).matchAll(/is_(?:loud|quiet): "\{\{ event in \[([^\]]+)\]/g)];
  assert.equal(tones.length, 2);
  for (const [, list] of tones)
    for (const kind of list!.match(/\w+/g)!)
      assert.ok((HOME_ASSISTANT_EVENTS as readonly string[]).includes(kind), kind);
});

test("what README.md gives the blueprint are inputs of it, and calls that the packages have", () => {
  const names = [...read("README.md").matchAll(/^ {6}(\w+):/gm)].map(([, name]) => name!);
  assert.ok(names.includes("webhook_id"));
  for (const name of names) assert.match(read(BLUEPRINT), new RegExp(`!input ${name}\\b`));
  const calls = [...read("README.md").matchAll(/action: (rest_command|script)\.(\w+)/g)];
  assert.ok(calls.length >= 2);
  const tree = yaml("packages/hairpin.yaml") as Record<string, Record<string, unknown>>;
  for (const [, domain, name] of calls) assert.ok(tree[domain!]![name!] !== undefined, `${domain}.${name}`);
});
