import assert from "node:assert/strict";
import { test } from "node:test";
import { safe } from "../../src/cli/hub-client.ts";
import { homeAssistantBody } from "../../src/deliver/home-assistant.ts";
import { headerText } from "../../src/deliver/ntfy.ts";
import type { Message } from "../../src/engine/hub-ports.ts";
import { harness, round } from "../support/hub.ts";

const NASTY = "\u001b[31mred\u202egnp\r\nInjected: yes</td><script>alert(1)</script>";
/** What would move a cursor, end a line, or turn text around. */
const RAW = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;

test("fault 17: text of the network moves no cursor, ends no line and runs nowhere, in page, events, Home Assistant, headers and terminal", async () => {
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
  const made = harness({ subscribers: [subscriber] });
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
  const page = await (await made.app.request("/", {}, {})).text();
  assert.doesNotMatch(page, /<script>alert/);
  assert.doesNotMatch(page, /[\u001b\u202e]/);
  const status = await (await made.app.request("/v1/status", {}, {})).text();
  assert.doesNotMatch(status, /[\u0000-\u001f\u202e]/);
  const metrics = await (await made.app.request("/metrics", {}, {})).text();
  assert.doesNotMatch(metrics, /\u001b|Injected/);
  for (const { message, fields } of made.lines) assert.doesNotMatch(message + JSON.stringify(fields), /[\u001b\r]/);
});
