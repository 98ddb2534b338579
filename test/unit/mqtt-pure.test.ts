import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import type { House } from "../../src/core/config/house.ts";
import type { MqttConfig } from "../../src/core/config/schema.ts";
import { EVENT_KINDS } from "../../src/core/event.ts";
import type { AskAnswer } from "../../src/core/group.ts";
import { pressAnswer } from "../../src/core/mqtt/activity.ts";
import { certificatesOf } from "../../src/core/mqtt/certificates.ts";
import { commandOf, fullAllowance, spendCommand } from "../../src/core/mqtt/command.ts";
import { COMPONENTS_MAX, componentsOf, EVENT_TYPES } from "../../src/core/mqtt/components.ts";
import { discoveryPayload, gone, removalOf } from "../../src/core/mqtt/discovery.ts";
import { slug, spoken } from "../../src/core/mqtt/names.ts";
import { attributesJson, statesOf } from "../../src/core/mqtt/states.ts";
import { topicsOf } from "../../src/core/mqtt/topics.ts";
import type { Observation } from "../../src/core/observation.ts";
import type { Broker, BrokerConnection } from "../../src/engine/hub-ports.ts";
import { harness, houseOf } from "../support/hub.ts";

const BROKER = { mqtt: { url: "mqtt://192.0.2.10" } };
const settingsOf = (house: House): MqttConfig =>
  house.notify.flatMap((entry) => ("mqtt" in entry ? [entry.mqtt] : []))[0]!;
const shippedLike = () =>
  houseOf({
    targets: {
      dns: { address: "192.168.8.53", checks: [{ dns: { name: "auth.example.lan" } }] },
      traefik: { address: "192.168.8.50", checks: [{ https: { host: "auth.example.lan" } }] },
    },
    vantages: {
      "ha-vm": { where: "vm", key_file: "a" },
      lan: { where: "lan", key_file: "b" },
      n5: { where: "host", key_file: "c" },
    },
    hub: { listen: "192.168.8.246:8787", url: "http://192.168.8.246:8787" },
    notify: [BROKER],
  });
const topics = topicsOf({ site: "home", topic_prefix: "hairpin", discovery_prefix: "homeassistant" });

test("the discovery of the shipped house is the one that was reviewed by eye", () => {
  const house = shippedLike();
  const { components } = componentsOf(house, settingsOf(house));
  const payload = JSON.parse(discoveryPayload(house, settingsOf(house), "0.1.0", components));
  const golden = JSON.parse(readFileSync(new URL("mqtt-discovery.json", import.meta.url), "utf8"));
  assert.deepEqual(payload, golden);
});

test("every entity has an id of its own, and the entity id that Home Assistant would derive itself", () => {
  // Names that fall together in an id, and one that falls together with an entity of the site.
  const names = ["a-b", "a_b", "last", "x"];
  const targets = Object.fromEntries(names.map((name, index) => [name, { address: `192.0.2.${index + 1}` }]));
  const vantages = Object.fromEntries(
    ["c", "b_c", "heal"].map((name) => [name, { where: "lan" as const, key_file: name }]),
  );
  const house = houseOf({ targets, vantages, notify: [{ mqtt: { ...BROKER.mqtt, device_name: "Hairpin Cottage" } }] });
  const { components } = componentsOf(house, settingsOf(house));
  const all = Object.values(components);
  assert.equal(new Set(all.map((one) => one["unique_id"])).size, all.length);
  for (const one of all)
    assert.equal(one["default_entity_id"], `${one.platform}.hairpin_cottage_${slug(String(one["name"]))}`);
});

test("names are written as a person would, and make the ids of Home Assistant", () => {
  assert.deepEqual(["ha-vm", "dns", "reverse_proxy", "lan", "n5", "--"].map(spoken), [
    "HA VM",
    "DNS",
    "Reverse proxy",
    "LAN",
    "N5",
    "--",
  ]);
  assert.equal(slug("Hairpin DNS from HA VM"), "hairpin_dns_from_ha_vm");
  assert.equal(slug("Link eth0.8"), "link_eth0_8");
});

test("every state that is published belongs to an entity of the discovery, in a word that it knows", async () => {
  const house = shippedLike();
  const settings = settingsOf(house);
  const made = harness({ house });
  made.hub.start();
  await made.hand.pass(100);
  const { components } = componentsOf(house, settings);
  const states = statesOf(house, settings, {
    status: made.hub.status(),
    certificates: {},
    links: {},
    home_assistant_seen_at: null,
  });
  const known = new Map<string, Record<string, unknown>>();
  for (const one of Object.values(components)) {
    known.set(String(one["state_topic"]), one);
    if (one["json_attributes_topic"] !== undefined) known.set(String(one["json_attributes_topic"]), one);
  }
  for (const { topic, payload } of states) {
    const entity = known.get(topic);
    assert.ok(entity !== undefined, topic);
    if (topic === entity["json_attributes_topic"]) assert.ok(JSON.parse(payload));
    else if (entity["options"] !== undefined && payload !== "None")
      assert.ok((entity["options"] as string[]).includes(payload), `${topic} ${payload}`);
    else if (entity["platform"] === "binary_sensor") assert.match(payload, /^(ON|OFF|None)$/);
    else if (entity["platform"] === "switch") assert.match(payload, /^(ON|OFF)$/);
  }
  const silent = Object.values(components)
    .map((one) => one["state_topic"])
    .filter((topic) => topic !== undefined && !states.some((state) => state.topic === topic));
  assert.deepEqual(silent, [topics.event], "only events have no state");
  await made.hub.stop();
});

test("a round that found the same is no news: milliseconds and times of observations wait for the renewal", async () => {
  const house = shippedLike();
  const made = harness({ house });
  made.hub.start();
  const status = made.hub.status();
  const view = { status, certificates: {}, links: {}, home_assistant_seen_at: null };
  const target = status.targets["dns"]!;
  const seen = { ...target.vantages["lan"]!, state: "ok" as const, mac: "f2:5a:5f:84:40:e8" };
  const withRound = (rtt_ms: number, observed_at: string) => {
    const vantages = { ...target.vantages, lan: { ...seen, rtt_ms, observed_at } };
    const targets = { ...status.targets, dns: { ...target, vantages } };
    return statesOf(house, settingsOf(house), { ...view, status: { ...status, targets } });
  };
  const [first, second] = [withRound(0.44, "2026-11-24T10:00:00Z"), withRound(7.06, "2026-11-24T10:00:10Z")];
  assert.deepEqual(
    first.map(({ essence }) => essence),
    second.map(({ essence }) => essence),
  );
  assert.equal(second.find(({ topic }) => topic === "hairpin/home/latency/dns")?.payload, "7.1");
  await made.hub.stop();
});

test("more entities than a device may have are left out, and counted", () => {
  const targets = Object.fromEntries(
    Array.from({ length: 300 }, (_, index) => [`t${index}`, { address: `10.0.${index >> 8}.${index & 255}` }]),
  );
  const house = houseOf({ targets, notify: [BROKER] });
  const { components, left_out } = componentsOf(house, settingsOf(house));
  assert.equal(Object.keys(components).length, COMPONENTS_MAX);
  assert.ok(left_out > 0);
});

test("without commands the broker can only listen: no buttons, no switches, and nothing is subscribed to but the birth", async () => {
  const house = houseOf({ notify: [{ mqtt: { ...BROKER.mqtt, commands: false } }] });
  const { components } = componentsOf(house, settingsOf(house));
  assert.ok(Object.values(components).every((one) => one["command_topic"] === undefined));
  assert.ok(Object.values(components).some((one) => one.platform === "event"));
  let filters: readonly string[] = [];
  const connection: BrokerConnection = {
    inFlightMax: 20,
    publish: async () => null,
    subscribe: async (wanted) => {
      filters = wanted;
      return null;
    },
    close: async () => {},
    drop: () => {},
  };
  const broker: Broker = { name: "mqtt", settings: settingsOf(house), connect: async () => connection };
  const { hub, hand } = harness({ house, brokers: [broker] });
  hub.start();
  await hand.pass(100);
  assert.deepEqual(filters, ["homeassistant/status"]);
  const stopped = hub.stop();
  await hand.pass(5_000);
  await stopped;
});

test("only what was published to this very broker and topic is taken back", () => {
  const a = { platform: "sensor", name: "A" };
  const b = { platform: "button", name: "B" };
  const before = { broker: "mqtt://x", topic: "t", components: { a, b }, removed: {} };
  assert.deepEqual(removalOf(null, "mqtt://x", "t", { a }), { removed: {}, leftTopic: null });
  assert.deepEqual(removalOf(before, "mqtt://other", "t", { a }), { removed: {}, leftTopic: null });
  assert.deepEqual(removalOf(before, "mqtt://x", "t", { a }), { removed: { b }, leftTopic: null });
  assert.deepEqual(removalOf(before, "mqtt://x", "u", { a }), { removed: {}, leftTopic: "t" });
  const later = { ...before, components: { a }, removed: { b } };
  assert.deepEqual(removalOf(later, "mqtt://x", "t", { a }).removed, { b }, "until Home Assistant has started once");
  assert.deepEqual(removalOf(later, "mqtt://x", "t", { a, b }).removed, {}, "it came back");
  assert.deepEqual(gone({ b }), { b: { platform: "button" } });
});

test("commands are understood, and everything else is ignored with a reason", () => {
  const birth = "homeassistant/status";
  const take = (topic: string, payload: string, retain = false) => commandOf(topics, birth, { topic, payload, retain });
  assert.deepEqual(take("hairpin/home/heal/set", "PRESS"), { kind: "press", step: null, id: null, word: "heal" });
  assert.deepEqual(take("hairpin/home/restart_speaker/set", "PRESS 17.5"), {
    kind: "press",
    step: "restart-speaker",
    id: "17.5",
    word: "restart_speaker",
  });
  assert.deepEqual(take("hairpin/home/auto_heal/set", "OFF"), { kind: "auto_heal", on: false });
  assert.deepEqual(take("hairpin/home/maintenance/set", "ON"), { kind: "maintenance", on: true });
  assert.deepEqual(take(birth, "online", true), { kind: "birth", online: true, retain: true });
  for (const [topic, payload, retain] of [
    ["hairpin/home/heal/set", "PRESS", true],
    ["hairpin/home/heal/set", "press"],
    ["hairpin/home/heal/set", "PRESS a b"],
    ["hairpin/home/heal/set", ""],
    ["hairpin/home/auto_heal/set", "on"],
    ["hairpin/home/delete_everything/set", "PRESS"],
    ["hairpin/other/heal/set", "PRESS"],
    ["hairpin/home/target/heal/set", "PRESS"],
    [birth, "hello"],
  ] as const) {
    const command = take(topic, payload, retain ?? false);
    assert.equal(command.kind, "ignored", `${topic} ${payload}`);
  }
});

test("whatever comes by MQTT is a value, and only the five forms of the table are commands", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: "binary" }),
      fc.string({ unit: "binary" }),
      fc.boolean(),
      (topic, payload, retain) => {
        const near = [topic, `hairpin/home/${topic}/set`, "hairpin/home/heal/set", "homeassistant/status"];
        for (const one of near) {
          const command = commandOf(topics, "homeassistant/status", { topic: one, payload, retain });
          if (command.kind === "press") assert.match(payload, /^PRESS( [\x21-\x7e]{1,64})?$/);
        }
      },
    ),
  );
});

test("six commands at once, then one in ten seconds", () => {
  let allowance = fullAllowance(0);
  for (let count = 0; count < 6; count++) allowance = spendCommand(allowance, 0)!;
  assert.equal(spendCommand(allowance, 9_900), null);
  assert.ok(spendCommand(allowance, 10_000) !== null);
  assert.equal(spendCommand(spendCommand(allowance, 10_000)!, 10_001), null);
});

test("a press that starts nothing is answered in a word that the event entity knows", () => {
  const states: AskAnswer["state"][] = ["nothing_to_do", "in_flight", "paused", "breaker_open", "off", "budget"];
  for (const state of [...states, "not_configured" as const]) {
    const answer: AskAnswer = {
      status: 423,
      state,
      id: null,
      step: null,
      detail: "because",
      retryAfterMillis: null,
      gates: [],
    };
    const given = pressAnswer({ kind: "answer", answer, advice: null })!;
    assert.ok(EVENT_TYPES.includes(given.event_type));
    assert.equal(given.reason, state === "nothing_to_do" ? null : state);
  }
  assert.ok(EVENT_KINDS.every((kind) => EVENT_TYPES.includes(kind)));
});

test("attributes are JSON without raw markup, and mean what they meant", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.string({ unit: "binary" })), (value) => {
      const text = attributesJson(value);
      assert.doesNotMatch(text, /</);
      assert.deepEqual(JSON.parse(text), JSON.parse(JSON.stringify(value)));
    }),
  );
});

test("of a target's certificates the one that ends first counts, in whole days", () => {
  const seen = (vantage: string, valid_to: string) =>
    ({
      vantage,
      checks: [{ target: "web", evidence: { certificate: { valid_to, subject: "CN=a", issuer: null } } }],
    }) as unknown as Observation;
  const wall = Date.parse("2026-11-24T00:00:00Z");
  const found = certificatesOf(
    [seen("lan", "2026-12-24T12:00:00Z"), seen("vm", "2026-11-26T12:00:00Z"), seen("n5", "never")],
    wall,
  );
  assert.deepEqual([found["web"]?.days_left, found["web"]?.vantage], [2, "vm"]);
});
