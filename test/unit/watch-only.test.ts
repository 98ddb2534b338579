import assert from "node:assert/strict";
import { test } from "node:test";
import type { Attempt } from "../../src/core/delivery.ts";
import { adviceFor } from "../../src/core/diagnosis/advice.ts";
import type { Message, Subscriber } from "../../src/engine/hub-ports.ts";
import { harness, houseOf, TOKEN } from "../support/hub.ts";

const heal = (body: object): RequestInit => ({
  method: "POST",
  body: JSON.stringify(body),
  headers: { "content-type": "application/json", authorization: `Bearer ${TOKEN}` },
});

function listening() {
  const got: Message[] = [];
  const answer: Attempt = { kind: "answered", status: 200, retryAfter: null };
  const subscriber: Subscriber = {
    name: "rec",
    events: null,
    confirms: false,
    deliver: async (message) => {
      got.push(message);
      return answer;
    },
  };
  return { got, subscriber };
}

test("a dry run at a hub that only watches says what is missing; a real request is still refused", async () => {
  const made = harness({ house: houseOf({ link: undefined, host: undefined, heal: { mode: "observe" } }) });
  made.hub.start();
  const looked = await made.app.request("/heal", heal({ dry_run: true }), {});
  const answer = (await looked.json()) as { state: string; detail: string; id: string | null };
  assert.deepEqual([looked.status, answer.state, answer.id], [200, "dry_run", null]);
  assert.match(answer.detail, /no host process is configured.*link, speaker and host in hairpin\.yaml/);
  const asked = await made.app.request("/heal", heal({}), {});
  assert.deepEqual([asked.status, ((await asked.json()) as { state: string }).state], [409, "not_configured"]);
});

test("a pause of a house with several links is one event of the site, and so is its end", async () => {
  const { got, subscriber } = listening();
  const link = { parent: "br0", mac: "02:00:00:00:00:01" };
  const house = houseOf({
    link: undefined,
    links: { lb0: link, lb1: { ...link, mac: "02:00:00:00:00:02" }, lb2: { ...link, mac: "02:00:00:00:00:03" } },
    targets: {
      a: { address: "192.0.2.1", link: "lb0" },
      b: { address: "192.0.2.2", link: "lb1" },
      c: { address: "192.0.2.3", link: "lb2" },
    },
  });
  const made = harness({ house, subscribers: [subscriber] });
  made.hub.start();
  made.hub.pause(60_000, "the roof");
  await made.hand.pass(2_000);
  made.hub.resume();
  await made.hand.pass(2_000);
  assert.deepEqual(
    got
      .map(({ event }) => [event.data.event, event.data.target])
      .filter(([kind]) => kind === "paused" || kind === "resumed"),
    [
      ["paused", "all"],
      ["resumed", "all"],
    ],
  );
  assert.match(got[0]!.event.data.message, /the roof/);
});

test("advice for a target without its Service can be typed as it stands", () => {
  const target = { name: "web", addresses: ["192.0.2.80"], service: null };
  const scene = { group: { link: null, speaker: null }, facts: null, targets: [target] };
  for (const cause of ["no_endpoints", "service_down", "answer_wrong"] as const) {
    const advice = adviceFor(cause, scene as never, ["web"]) ?? "";
    assert.match(advice, /^kubectl get services -A -o wide \| grep -Fw 192\.0\.2\.80 /, cause);
    assert.doesNotMatch(advice, /NAMESPACE|SERVICE/);
  }
});
