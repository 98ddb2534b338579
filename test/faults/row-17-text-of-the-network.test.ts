import assert from "node:assert/strict";
import { test } from "node:test";
import { safe } from "../../src/cli/hub-client.ts";
import { homeAssistantBody } from "../../src/deliver/home-assistant.ts";
import { headerText } from "../../src/deliver/ntfy.ts";
import type { Broker, Message, Publication } from "../../src/engine/hub-ports.ts";
import { harness, houseOf, round } from "../support/hub.ts";

const NASTY = "\u001b[31mred\u202egnp\r\nInjected: yes</td><script>alert(1)</script>";
/** What would move a cursor, end a line, or turn text around. */
const RAW = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;

/** Every text of a document, however deep. */
function strings(value: unknown): readonly string[] {
  if (typeof value === "string") return [value];
  return value !== null && typeof value === "object" ? Object.values(value).flatMap(strings) : [];
}

test("fault 17: text of the network moves no cursor, ends no line and runs nowhere, in page, events, Home Assistant, MQTT, headers and terminal", async () => {
  const got: Message[] = [];
  const subscriber = {
    name: "rec",
    events: null,
    confirms: false,
    deliver: async (message: Message) => {
      got.push(message);
      return { kind: "answered" as const, status: 200, retryAfter: null };
    },
  };
  const house = houseOf({ notify: [{ mqtt: { url: "mqtt://192.0.2.10" } }] });
  const published: Publication[] = [];
  const broker: Broker = {
    name: "mqtt",
    settings: house.notify.flatMap((entry) => ("mqtt" in entry ? [entry.mqtt] : []))[0]!,
    connect: async () => ({
      inFlightMax: 20,
      publish: async (publication) => {
        published.push(publication);
        return null;
      },
      subscribe: async () => null,
      close: async () => {},
      drop: () => {},
    }),
  };
  const made = harness({ house, subscribers: [subscriber], brokers: [broker] });
  made.hub.start();
  await made.hand.pass(100);
  for (let seq = 1; seq <= 6; seq++) {
    // A lying vantage does not escape what it heard.
    const checks = round(false).checks.map((check) => ({ ...check, detail: NASTY }));
    for (const vantage of ["lan", "vm"])
      assert.equal((await made.report(vantage, made.observation(vantage, seq, { checks }))).status, 202);
    await made.hand.pass(2_000);
  }
  assert.ok(got.some(({ event }) => event.data.event === "failing"));
  for (const { event, id } of got) {
    const flat = homeAssistantBody(event.data, id);
    assert.doesNotMatch(flat, RAW, "Home Assistant gets JSON without raw control characters");
    for (const text of [event.data.title, event.data.message, event.data.advice ?? ""]) {
      assert.doesNotMatch(text, RAW, "an event is plain text");
      assert.doesNotMatch(headerText(text), /[\r\n]/);
      assert.doesNotMatch(safe(text), RAW, "a terminal");
    }
  }
  assert.ok(published.some(({ topic, payload }) => topic.endsWith("/attributes") && payload.includes("Injected")));
  assert.ok(published.some(({ topic }) => topic === "hairpin/home/event"));
  for (const { topic, payload } of published) {
    assert.doesNotMatch(topic + payload, RAW, "MQTT");
    assert.doesNotMatch(payload, /[\r\n]|<script/, "MQTT: nothing that is taken for markup by whoever shows it");
    for (const text of payload.startsWith("{") ? strings(JSON.parse(payload)) : [payload])
      assert.doesNotMatch(text, RAW, "MQTT: an attribute is plain text once it is parsed, too");
  }
  const page = await (await made.app.request("/", {}, {})).text();
  assert.doesNotMatch(page, /<script>alert/);
  assert.doesNotMatch(page, /[\u001b\u202e]/);
  const status = await (await made.app.request("/v1/status", {}, {})).text();
  assert.doesNotMatch(status, /[\u0000-\u001f\u202e]/);
  const metrics = await (await made.app.request("/metrics", {}, {})).text();
  assert.doesNotMatch(metrics, /\u001b|Injected/);
  for (const { message, fields } of made.lines) assert.doesNotMatch(message + JSON.stringify(fields), /[\u001b\r]/);
});
