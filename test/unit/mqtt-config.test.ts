import assert from "node:assert/strict";
import { test } from "node:test";
import { resolveHouse } from "../../src/core/config/house.ts";
import { configSchema } from "../../src/core/config/schema.ts";
import { warningsOf } from "../../src/core/config/warnings.ts";
import { brokerFindings } from "../../src/core/doctor/broker.ts";
import type { BrokerSight } from "../../src/core/doctor/examination.ts";

const parse = (mqtt: object) =>
  configSchema.safeParse({
    site: "home",
    targets: {
      traefik: { address: ["192.0.2.50", "2001:db8::50"], checks: [{ https: { host: "auth.example.lan" } }] },
    },
    notify: [{ mqtt }],
  });
const resolved = (mqtt: object) => resolveHouse(parse(mqtt).data!, () => null);

test("a broker behind a guarded address is an error, and behind a guarded name a warning", () => {
  for (const url of ["mqtt://192.0.2.50", "mqtts://u:p@192.0.2.50:8883", "mqtt://[2001:db8::50]:1883/"]) {
    const { problems } = resolved({ url });
    assert.deepEqual(
      problems.map(({ path }) => path),
      [["notify", 0, "mqtt", "url"]],
      url,
    );
    assert.match(problems[0]!.message, /guarded address of target traefik/);
  }
  const named = resolved({ url: "mqtts://AUTH.example.lan" });
  assert.deepEqual(named.problems, []);
  assert.ok(warningsOf(named.house).some(({ message }) => /served by traefik, which is guarded/.test(message)));
  const good = resolved({ url: "mqtt://192.0.2.10" });
  assert.deepEqual(good.problems, []);
  assert.ok(!warningsOf(good.house).some(({ path }) => path.includes("mqtt")));
});

test("an entry with an address alone is complete, and what cannot be meant is refused", () => {
  const { mqtt } = parse({ url: "mqtt://192.0.2.10" }).data!.notify[0] as { mqtt: Record<string, unknown> };
  assert.deepEqual(mqtt, {
    url: "mqtt://192.0.2.10",
    discovery_prefix: "homeassistant",
    topic_prefix: "hairpin",
    device_name: "Hairpin",
    commands: true,
    maintenance: 3_600_000,
    expire_after: 180_000,
    protocol: "5",
  });
  for (const bad of [
    { url: "http://192.0.2.10" },
    { url: "mqtt://" },
    { url: "mqtt://192.0.2.10/topic" },
    { url: "mqtt://192.0.2.10", topic_prefix: "a/#" },
    { url: "mqtt://192.0.2.10", discovery_prefix: "" },
    { url: "mqtt://192.0.2.10", device_name: "<script>" },
    { url: "mqtt://192.0.2.10", maintenance: "25h" },
    { url: "mqtt://192.0.2.10", expire_after: "1s" },
    { url: "mqtt://192.0.2.10", protocol: "4" },
    { url: "mqtt://192.0.2.10", ca_file: "ca.pem" },
    { url: "mqtt://192.0.2.10", server_name: "broker.example.lan" },
    { url: "mqtts://192.0.2.10", server_name: "no name" },
    { url: "mqtt://192.0.2.10", retain: true },
  ])
    assert.equal(parse(bad).success, false, JSON.stringify(bad));
});

test("the doctor says of a broker what is wrong, from the connection up to Home Assistant's birth", () => {
  const { house } = resolved({ url: "mqtt://192.0.2.10" });
  const sight: BrokerSight = {
    origin: "mqtt://192.0.2.10",
    isNamed: false,
    isConnected: true,
    detail: null,
    isRefused: false,
    isDiscovered: true,
    isOnline: true,
    homeAssistantSeenAt: "2026-11-24T10:00:00.000Z",
    birthTopic: "homeassistant/status",
    discoveryTopic: "homeassistant/device/hairpin_home/config",
  };
  const states = (change: Partial<BrokerSight>, isHub: boolean | null = true) =>
    brokerFindings({ ...sight, ...change }, house, isHub).map(({ state }) => state);
  assert.deepEqual(states({}), ["good", "good"]);
  assert.deepEqual(states({ homeAssistantSeenAt: null }), ["good", "unknown"]);
  assert.deepEqual(states({ isOnline: null }), ["warning"]);
  assert.deepEqual(states({ isOnline: false }), ["warning"]);
  assert.deepEqual(states({ isDiscovered: false }), ["bad"]);
  assert.deepEqual(states({ detail: "Not authorized" }), ["bad"]);
  assert.deepEqual(states({ isConnected: false, detail: "ECONNREFUSED" }), ["bad"]);
  assert.deepEqual(states({ isConnected: false, detail: "ECONNREFUSED" }, false), ["warning"]);
  assert.deepEqual(states({ isNamed: true }), ["good", "good", "warning"]);
});
