import assert from "node:assert/strict";
import { test } from "node:test";
import type { MqttConfig } from "../../src/core/config/schema.ts";
import type { Broker, BrokerConnection, BrokerEars, Publication, Subscriber } from "../../src/engine/hub-ports.ts";
import { handClock, harness, houseOf, round } from "../support/hub.ts";

/** A broker that does what a test says with each publication. */
function brokerOf(settings: MqttConfig, publish: (publication: Publication) => Promise<string | null>) {
  const made = {
    connects: [] as number[],
    published: [] as Publication[],
    ears: null as BrokerEars | null,
    refuses: false,
    subscribes: async (): Promise<null> => null,
    drops: 0,
  };
  const hand = handClock();
  const connection: BrokerConnection = {
    inFlightMax: 20,
    publish(publication) {
      made.published.push(publication);
      return publish(publication);
    },
    subscribe: () => made.subscribes(),
    close: async () => {},
    drop: () => {
      made.drops++;
    },
  };
  const broker: Broker = {
    name: "mqtt",
    settings,
    async connect(_will, ears) {
      made.connects.push(hand.clock.mono());
      if (made.refuses) throw new Error("ECONNREFUSED");
      made.ears = ears;
      return connection;
    },
  };
  return { ...made, hand, broker, made };
}

const house = houseOf({ notify: [{ mqtt: { url: "mqtt://192.0.2.10" } }] });
const settings = house.notify.flatMap((entry) => ("mqtt" in entry ? [entry.mqtt] : []))[0]!;

test("a broker that acknowledges nothing delays nothing, is sent ten messages, and is given up after 20 s", async () => {
  const { made, hand, broker } = brokerOf(settings, () => new Promise(() => {}));
  const { hub, report, observation } = harness({ house, hand, brokers: [broker] });
  hub.start();
  await hand.pass(100);
  assert.equal(made.published.length, 10);
  for (let seq = 1; seq <= 19; seq++) {
    for (const vantage of ["lan", "vm"])
      assert.equal((await report(vantage, observation(vantage, seq, round(seq > 12)))).status, 202);
    await hand.pass(1_000);
  }
  assert.equal(made.published.length, 10, "what waits is replaced by what is current, not sent");
  await hand.pass(2_500);
  assert.equal(made.connects.length, 2);
  assert.ok(hub.events(-1, 100).some(({ data }) => data.event === "failing"));
  const stopped = hub.stop();
  await hand.pass(5_000);
  await stopped;
});

test("a broker that takes the login and then says nothing more is given up, and asked again", async () => {
  const { made, hand, broker } = brokerOf(settings, async () => null);
  made.subscribes = () => new Promise(() => {});
  const { hub, lines } = harness({ house, hand, brokers: [broker] });
  hub.start();
  await hand.pass(11_500);
  assert.equal(made.connects.length, 2);
  assert.ok(made.drops > 0);
  assert.ok(lines.some(({ fields }) => fields["detail"] === "no answer of a broker in 10 s"));
  made.subscribes = async () => null;
  await hand.pass(13_000);
  assert.ok(made.published.some(({ payload }) => payload === "online"));
  const stopped = hub.stop();
  await hand.pass(5_000);
  await stopped;
});

test("a broker that is away is asked again after 1, 2, 5, 10 and then every 15 s, and told of once", async () => {
  const { made, hand, broker } = brokerOf(settings, async () => null);
  made.refuses = true;
  const { hub, lines } = harness({ house, hand, brokers: [broker] });
  hub.start();
  await hand.pass(200_000);
  const pauses = made.connects.map((at, index) => Math.round((at - (made.connects[index - 1] ?? at)) / 1_000));
  assert.deepEqual(pauses.slice(0, 7), [0, 1, 2, 5, 10, 15, 15]);
  assert.equal(lines.filter(({ message }) => message.startsWith("the broker is not connected")).length, 1);
  made.refuses = false;
  await hand.pass(16_000);
  const said = new Map(made.published.map(({ topic, payload }) => [topic, payload]));
  assert.deepEqual(hub.metrics().find(({ name }) => name === "hairpin_broker_connected")?.samples, [
    { labels: { broker: "mqtt" }, value: 1 },
  ]);
  assert.equal(said.get("hairpin/home/availability"), "online");
  assert.equal(said.get("hairpin/home/problem"), "OFF");
  const stopped = hub.stop();
  await hand.pass(5_000);
  await stopped;
});

test("with nothing failing only the renewals are published: three in the time after which states are out of date", async () => {
  const { made, hand, broker } = brokerOf(settings, async () => null);
  const { hub, report, observation } = harness({ house, hand, brokers: [broker] });
  hub.start();
  const step = async (from: number, to: number) => {
    for (let seq = from; seq <= to; seq++) {
      for (const vantage of ["lan", "vm"])
        assert.equal((await report(vantage, observation(vantage, seq, round(true)))).status, 202);
      await hand.pass(10_000);
    }
  };
  await step(1, 24);
  const before = made.published.length;
  const topics = new Set(made.published.map(({ topic }) => topic)).size;
  await step(25, 42);
  const renewals = 3;
  const count = made.published.length - before;
  assert.ok(count <= (renewals + 1) * topics, `${count} messages in 180 s, for ${topics} topics`);
  assert.ok(count >= (renewals - 1) * (topics - 1));
  const stopped = hub.stop();
  await hand.pass(5_000);
  await stopped;
});

test("with Home Assistant away for five minutes everything arrives at once after its birth, in order, once", async () => {
  const { made, hand, broker } = brokerOf(settings, async () => null);
  const got: string[] = [];
  let isAway = true;
  const assistant: Subscriber = {
    name: "home-assistant",
    events: null,
    confirms: true,
    async deliver({ event }) {
      if (isAway) return { kind: "failed", detail: "ECONNREFUSED" };
      got.push(`${event.seq} ${event.data.event}`);
      return { kind: "answered", status: 200, retryAfter: null };
    },
  };
  const { hub, report, observation } = harness({ house, hand, brokers: [broker], subscribers: [assistant] });
  hub.start();
  await hand.pass(1_000);
  for (let seq = 1; seq <= 150; seq++) {
    for (const vantage of ["lan", "vm"])
      assert.equal((await report(vantage, observation(vantage, seq, round(seq <= 4)))).status, 202);
    if (seq === 30) hub.pause(60_000, "a test");
    if (seq === 40) hub.resume();
    await hand.pass(2_000);
  }
  assert.deepEqual(got, []);
  const waiting = hub.events(-1, 200).map(({ seq, data }) => `${seq} ${data.event}`);
  assert.ok(waiting.length >= 3, waiting.join());
  isAway = false;
  made.ears!.message({ topic: "homeassistant/status", payload: "offline", retain: false });
  made.ears!.message({ topic: "homeassistant/status", payload: "online", retain: false });
  await hand.pass(100);
  assert.deepEqual(got, waiting);
  const stopped = hub.stop();
  await hand.pass(5_000);
  await stopped;
});

test("a topic that the broker's access rules refuse is said once, and the rest goes on", async () => {
  const { made, hand, broker } = brokerOf(settings, async ({ topic }) =>
    topic.startsWith("homeassistant/") || topic.endsWith("attributes") ? "Not authorized" : null,
  );
  const { hub, lines } = harness({ house, hand, brokers: [broker] });
  hub.start();
  await hand.pass(1_000);
  assert.equal(lines.filter(({ message }) => message.startsWith("the broker refuses a topic")).length, 1);
  assert.equal(made.connects.length, 1);
  assert.ok(made.published.some(({ topic }) => topic === "hairpin/home/maintenance"));
  const stopped = hub.stop();
  await hand.pass(5_000);
  await stopped;
});
