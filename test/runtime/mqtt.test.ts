import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, test } from "node:test";
import type { House } from "../../src/core/config/house.ts";
import type { ConfigInput } from "../../src/core/config/schema.ts";
import type { Message } from "../../src/engine/hub-ports.ts";
import type { SqlPort } from "../../src/engine/store.ts";
import { lookAtBrokers } from "../../src/runtime/node/doctor-mqtt.ts";
import { createResolver } from "../../src/runtime/node/hub-resolver.ts";
import { brokersOf } from "../../src/runtime/node/mqtt-client.ts";
import { openSqlite } from "../../src/runtime/node/store-sqlite.ts";
import { fakeHost, type handClock, harness, houseOf, round } from "../support/hub.ts";
import { freePort, type Heard, listener, NO_MOSQUITTO, type RealBroker, realBroker } from "../support/mosquitto.ts";

const BASE = "hairpin/home";
const closing: (() => Promise<unknown>)[] = [];
after(async () => {
  for (const close of closing.reverse()) await close();
});

/** A clock that runs, so many times as fast as time, in the place of the one that tests move by hand. */
const clockOf = (speed: number) =>
  ({
    clock: {
      mono: () => performance.now() * speed,
      wall: Date.now,
      after(millis: number, run: () => void) {
        const timer = setTimeout(run, millis / speed);
        return () => clearTimeout(timer);
      },
    },
  }) as unknown as ReturnType<typeof handClock>;
const resolver = createResolver([], { get: () => null, set: () => {} });

const houseAt = (broker: RealBroker, extra: Partial<ConfigInput> = {}, mqtt: object = {}): House =>
  houseOf({ notify: [{ mqtt: { url: `mqtt://127.0.0.1:${broker.port}`, ...mqtt } }], ...extra });

/** A hub as it is, with a host that answers what the test lays out, at a real Mosquitto. */
function hubAt(
  house: House,
  options: { sql?: SqlPort; speed?: number; subscribers?: Parameters<typeof harness>[0] } = {},
) {
  const made = harness({
    house,
    hand: clockOf(options.speed ?? 1),
    brokers: brokersOf(house, "/", resolver),
    host: fakeHost(),
    ...(options.sql === undefined ? {} : { sql: options.sql }),
    ...(options.subscribers ?? {}),
  });
  made.hub.start();
  let stopped: Promise<void> | null = null;
  const stop = () => (stopped ??= made.hub.stop());
  closing.push(stop);
  let seq = 0;
  const boot = `boot${randomBytes(4).toString("hex")}`;
  /** One round from every vantage, good or bad. */
  const rounds = async (ok: boolean, count = 1) => {
    for (let done = 0; done < count; done++) {
      seq++;
      for (const { name } of house.vantages) {
        const body = made.observation(name, seq, { ...round(ok), boot_id: boot });
        assert.equal((await made.report(name, body, { id: `${boot}_${seq}` })).status, 202);
      }
    }
  };
  return { ...made, stop, rounds };
}

async function brokerHere(users: Record<string, string> = {}): Promise<RealBroker> {
  const broker = await realBroker(users);
  closing.push(() => broker.stop());
  return broker;
}

async function earsAt(broker: RealBroker, ...rest: [filter?: string, options?: object]) {
  const ears = await listener(broker.port, ...rest);
  closing.push(() => ears.close());
  return ears;
}

const typeOf = ({ payload }: Heard): string => (JSON.parse(payload) as { event_type: string }).event_type;
const options = { skip: NO_MOSQUITTO, timeout: 30_000 };

test("discovery, availability and every state are retained, and states expire at the broker", options, async () => {
  const broker = await brokerHere();
  const house = houseAt(broker);
  const { stop } = hubAt(house);
  const first = await earsAt(broker);
  await first.says(`${BASE}/availability`, "online");
  await first.until(({ topic }) => topic === `${BASE}/latency/dns/attributes`);
  const late = await earsAt(broker);
  await late.until(({ topic }) => topic === `${BASE}/latency/dns/attributes`);
  await late.says(`${BASE}/availability`, "online");
  assert.ok(late.heard.every(({ retain }) => retain));
  const config = await late.until(({ topic }) => topic === "homeassistant/device/hairpin_home/config");
  const { components } = JSON.parse(config.payload) as { components: Record<string, Record<string, string>> };
  const wanted = Object.values(components).flatMap((one) => one["state_topic"] ?? []);
  for (const topic of wanted.filter((one) => one !== `${BASE}/event`))
    await late.until((heard) => heard.topic === topic);
  for (const { topic, expiry } of late.heard)
    if (topic !== config.topic) assert.ok(expiry !== null && expiry > 170 && expiry <= 180, `${topic} ${expiry}`);
  await stop();
  await late.says(`${BASE}/availability`, "offline");
});

test("an incident is told in states and events, and a press is answered by the hub's own events", options, async () => {
  const broker = await brokerHere();
  const { rounds, host, stop } = hubAt(houseAt(broker));
  const ears = await earsAt(broker);
  await ears.says(`${BASE}/availability`, "online");
  await rounds(true, 4);
  await ears.says(`${BASE}/target/dns/lan`, "ON");
  await ears.says(`${BASE}/status`, "ok");
  await rounds(false, 4);
  await ears.says(`${BASE}/target/dns/lan`, "OFF");
  await ears.says(`${BASE}/problem`, "ON");
  await ears.says(`${BASE}/cause`, "not_announced");
  await ears.until((heard) => heard.topic === `${BASE}/event` && typeOf(heard) === "failing");
  const attributes = JSON.parse(
    (await ears.until(({ topic, payload }) => topic === `${BASE}/target/dns/lan/attributes` && /no_/.test(payload)))
      .payload,
  );
  assert.equal(attributes.failure, "no_neighbour");
  assert.equal(attributes.cause, "not_announced");
  assert.ok(attributes.since !== null);
  await ears.publish(`${BASE}/heal/set`, "PRESS 1732442400.5");
  await ears.says(`${BASE}/status`, "healing");
  await ears.until((heard) => heard.topic === `${BASE}/event` && typeOf(heard) === "heal_started");
  assert.equal(host.asked.length, 1);
  const before = ears.heard.length;
  await ears.publish(`${BASE}/heal/set`, "PRESS 1732442400.5");
  await ears.publish(`${BASE}/heal/set`, "PRESS");
  const answer = await ears.until((heard) => heard.topic === `${BASE}/event` && typeOf(heard) === "held", before);
  assert.equal(JSON.parse(answer.payload).reason, "in_flight");
  assert.equal(
    ears.heard.slice(before).filter((heard) => heard.topic === `${BASE}/event`).length,
    1,
    "the same press twice is one",
  );
  const [id] = [host.asked[0]!.id];
  host.reports.set(id, { ...host.reports.get(id)!, state: "done", ms: 5 });
  await ears.until(({ topic, payload }) => topic === `${BASE}/last_heal_outcome` && payload === "done");
  await rounds(true, 3);
  await ears.until((heard) => heard.topic === `${BASE}/event` && typeOf(heard) === "heal_succeeded", before);
  await ears.says(`${BASE}/problem`, "OFF", before);
  await ears.says(`${BASE}/last_heal_outcome`, "verified");
  await stop();
});

test("a retained press is ignored and said, a malformed one too, and neither asks the host", options, async () => {
  const broker = await brokerHere();
  const ears = await earsAt(broker, `${BASE}/#`);
  await ears.publish(`${BASE}/heal/set`, "PRESS", true);
  const { rounds, host, lines, stop } = hubAt(houseAt(broker));
  await ears.says(`${BASE}/availability`, "online");
  await rounds(false, 4);
  await ears.says(`${BASE}/problem`, "ON");
  const ignored = () => lines.filter(({ message }) => message === "a message by MQTT was ignored");
  assert.match(String(ignored()[0]?.fields["why"]), /retain flag/);
  // A live publish with the flag set, too: the broker passes the flag on as it was published.
  await ears.publish(`${BASE}/heal/set`, "PRESS live", true);
  await ears.publish(`${BASE}/heal/set`, "\u0000\u001b[31m");
  await ears.publish(`${BASE}/heal/set`, "x".repeat(100_000));
  await ears.publish(`${BASE}/maintenance/set`, "ON");
  await ears.says(`${BASE}/maintenance`, "ON");
  assert.equal(host.asked.length, 0);
  assert.equal(ignored().length, 1, "the log is not filled by whoever may publish");
  await stop();
});

test("a press in a pause is held with its reason, and with all green there is nothing to do", options, async () => {
  const broker = await brokerHere();
  const { rounds, host, hub, stop } = hubAt(houseAt(broker));
  const ears = await earsAt(broker, `${BASE}/#`);
  await ears.says(`${BASE}/availability`, "online");
  await rounds(true, 4);
  await ears.says(`${BASE}/status`, "ok");
  await ears.publish(`${BASE}/heal/set`, "PRESS");
  await ears.until((heard) => heard.topic === `${BASE}/event` && typeOf(heard) === "nothing_to_do");
  await ears.publish(`${BASE}/maintenance/set`, "ON");
  await ears.says(`${BASE}/maintenance`, "ON");
  assert.ok(hub.status().heal.paused_until !== null);
  await rounds(false, 4);
  await ears.publish(`${BASE}/announce/set`, "PRESS");
  const held = await ears.until((heard) => heard.topic === `${BASE}/event` && typeOf(heard) === "held");
  assert.equal(JSON.parse(held.payload).reason, "paused");
  await ears.publish(`${BASE}/maintenance/set`, "OFF");
  await ears.until((heard) => heard.topic === `${BASE}/event` && typeOf(heard) === "resumed");
  assert.equal(hub.status().heal.paused_until, null);
  assert.equal(host.asked.length, 0);
  await stop();
});

test(
  "the switch for automatic repairs holds them across a restart, and never arms what the file does not",
  options,
  async () => {
    const broker = await brokerHere();
    const sql = openSqlite(":memory:");
    const house = houseAt(broker, { heal: { mode: "auto", confirm: "1s" } });
    const ears = await earsAt(broker, `${BASE}/#`);
    const first = hubAt(house, { sql });
    await ears.says(`${BASE}/auto_heal`, "ON");
    await ears.publish(`${BASE}/auto_heal/set`, "OFF");
    await ears.says(`${BASE}/auto_heal`, "OFF");
    await first.stop();
    const second = hubAt(house, { sql });
    await ears.says(`${BASE}/availability`, "online", ears.heard.length);
    await second.rounds(false, 6);
    await ears.says(`${BASE}/held_by`, "not_armed");
    assert.equal(second.hub.status().heal.held_by, "not_armed");
    assert.equal(second.hub.status().heal.auto_heal, false);
    assert.equal((second.hub.explain(null) as { disarmed: boolean }).disarmed, true);
    assert.equal(second.host.asked.length, 0);
    const before = ears.heard.length;
    await ears.publish(`${BASE}/auto_heal/set`, "ON");
    await ears.says(`${BASE}/auto_heal`, "ON", before);
    await second.stop();
    const watching = hubAt(houseAt(broker, { heal: { mode: "observe" } }), { sql });
    const then = ears.heard.length;
    await ears.says(`${BASE}/auto_heal`, "OFF", then);
    await ears.publish(`${BASE}/auto_heal/set`, "ON");
    const held = await ears.until((heard) => heard.topic === `${BASE}/event` && typeOf(heard) === "held", then);
    assert.equal(JSON.parse(held.payload).reason, "not_armed");
    assert.equal(watching.hub.status().heal.mode, "observe");
    await watching.stop();
  },
);

test("a broker that comes back without anything it knew gets everything again", options, async () => {
  const broker = await brokerHere();
  const { stop, rounds } = hubAt(houseAt(broker));
  const ears = await earsAt(broker, "#");
  await ears.says(`${BASE}/availability`, "online");
  await rounds(true, 4);
  await ears.says(`${BASE}/status`, "ok");
  await broker.kill();
  await rounds(false, 4);
  await broker.start();
  const late = await earsAt(broker, "#");
  await late.says(`${BASE}/availability`, "online");
  await late.says(`${BASE}/problem`, "ON");
  await late.says(`${BASE}/auto_heal`, "ON");
  await late.until(({ topic }) => topic === "homeassistant/device/hairpin_home/config");
  await stop();
});

test(
  "what left the configuration is taken back once, across a restart of the hub, and once more after Home Assistant's next start",
  options,
  async () => {
    const broker = await brokerHere();
    const sql = openSqlite(":memory:");
    const two = {
      dns: { address: "192.0.2.53", checks: [{ dns: { name: "a.example" } }] },
      web: { address: "192.0.2.50", checks: [] },
    };
    const ears = await earsAt(broker, "homeassistant/device/#");
    const components = ({ payload }: Heard) =>
      (JSON.parse(payload) as { components: Record<string, Record<string, unknown>> }).components;
    const first = hubAt(houseAt(broker, { targets: two }), { sql, speed: 8 });
    const whole = await ears.until((heard) => components(heard)["web_lan"] !== undefined);
    await first.stop();
    const second = hubAt(houseAt(broker, { targets: { dns: two.dns } }), { sql, speed: 8 });
    const tombstone = { platform: "binary_sensor" };
    const taken = await ears.until(
      (heard) =>
        Object.keys(components(heard)["web_lan"] ?? { none: 1 }).length === 1 &&
        components(heard)["web_lan"] !== undefined,
    );
    assert.deepEqual(components(taken)["web_lan"], tombstone);
    assert.deepEqual(components(taken)["web_latency"], { platform: "sensor" });
    await ears.until((heard) => components(heard)["web_lan"] === undefined);
    const before = ears.heard.length;
    await ears.publish("homeassistant/status", "online");
    const again = await ears.until(() => true, before);
    assert.deepEqual(components(again)["web_lan"], components(whole)["web_lan"], "as it was, so that it is known");
    const removed = await ears.until((heard) => heard !== again, before);
    assert.deepEqual(components(removed)["web_lan"], tombstone);
    await ears.until((heard) => components(heard)["web_lan"] === undefined, before);
    await second.stop();
    const third = hubAt(houseAt(broker, { targets: { dns: two.dns } }), { sql, speed: 8 });
    const calm = ears.heard.length;
    const last = await ears.until(() => true, calm);
    assert.equal(components(last)["web_lan"], undefined, "then it is forgotten");
    await third.stop();
  },
);

test("Home Assistant's birth brings everything again, and an unconfirmed failing at once", options, async () => {
  const broker = await brokerHere();
  const got: Message[] = [];
  let wake = () => {};
  const assistant = {
    name: "home-assistant",
    events: null,
    confirms: true,
    deliver: async (message: Message) => {
      got.push(message);
      wake();
      return { kind: "answered" as const, status: 200, retryAfter: null };
    },
  };
  const told = async (count: number) => {
    while (got.filter(({ event }) => event.data.event === "failing").length < count)
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
  };
  const { stop, rounds, hub } = hubAt(houseAt(broker), { speed: 8, subscribers: { subscribers: [assistant] } });
  const ears = await earsAt(broker, "#");
  await ears.says(`${BASE}/availability`, "online");
  await rounds(false, 4);
  await told(1);
  const before = ears.heard.length;
  await ears.publish("homeassistant/status", "online");
  await told(2);
  await ears.says(`${BASE}/availability`, "online", before);
  await ears.says(`${BASE}/problem`, "ON", before);
  await ears.until(({ topic }) => topic === "homeassistant/device/hairpin_home/config", before);
  // Confirmed: only a Home Assistant that has really been away has lost its bell.
  const [delivery] = hub.deliveries(false).deliveries.filter(({ kind }) => kind === "failing");
  hub.acknowledge(delivery!.id);
  // Whoever says online twice within two seconds has not started twice: said until it counts.
  let isTold = false;
  void told(3).then(() => {
    isTold = true;
  });
  while (!isTold) {
    await ears.publish("homeassistant/status", "offline");
    await ears.publish("homeassistant/status", "online");
  }
  assert.equal(
    new Set(got.map(({ id }) => id)).size,
    got.filter(({ event }) => event.data.event !== "failing").length + 1,
    "a repeat keeps its id",
  );
  await stop();
});

test("a login that the broker refuses is said in words, and the right one works", options, async () => {
  const broker = await brokerHere({ hairpin: "s3cr3t" });
  const { lines, stop } = hubAt(houseAt(broker, {}, { url: `mqtt://hairpin:wrong@127.0.0.1:${broker.port}` }));
  const told = () => lines.find(({ message }) => message.startsWith("the broker is not connected"));
  while (told() === undefined) await new Promise((resolve) => setTimeout(resolve, 20));
  assert.match(String(told()!.fields["detail"]), /refuses the login/);
  assert.doesNotMatch(JSON.stringify(lines), /wrong|s3cr3t/);
  await stop();
  const login = { username: "hairpin", password: "s3cr3t" };
  const ears = await earsAt(broker, `${BASE}/#`, login);
  const right = hubAt(
    houseAt(broker, {}, { url: `mqtt://hairpin:s3cr3t@127.0.0.1:${broker.port}`, protocol: "3.1.1" }),
  );
  await ears.says(`${BASE}/availability`, "online");
  await right.stop();
});

test("the doctor sees the broker, its login, the hub's device and Home Assistant's birth", options, async () => {
  const broker = await brokerHere({ hairpin: "s3cr3t" });
  const house = houseAt(broker, {}, { url: `mqtt://hairpin:s3cr3t@127.0.0.1:${broker.port}` });
  const wrong = houseAt(broker, {}, { url: `mqtt://hairpin:nonsense@127.0.0.1:${broker.port}` });
  const closed = houseOf({ notify: [{ mqtt: { url: `mqtt://127.0.0.1:${await freePort()}` } }] });
  const [before] = await lookAtBrokers(house, "/");
  assert.deepEqual([before?.isConnected, before?.isOnline, before?.isDiscovered], [true, null, false]);
  assert.equal(before?.origin, `mqtt://127.0.0.1:${broker.port}`);
  const [refused] = await lookAtBrokers(wrong, "/");
  assert.deepEqual([refused?.isConnected, refused?.isRefused], [false, true]);
  const [away] = await lookAtBrokers(closed, "/");
  assert.deepEqual([away?.isConnected, away?.isRefused], [false, false]);
  assert.match(String(away?.detail), /ECONNREFUSED/);
  const { stop } = hubAt(house);
  const ears = await earsAt(broker, `${BASE}/#`, { username: "hairpin", password: "s3cr3t" });
  await ears.says(`${BASE}/availability`, "online");
  await ears.publish("homeassistant/status", "online");
  await ears.until(({ topic, payload }) => topic === `${BASE}/status/attributes` && /seen_at":"2/.test(payload));
  const [sight] = await lookAtBrokers(house, "/");
  assert.deepEqual([sight?.isConnected, sight?.isOnline, sight?.isDiscovered], [true, true, true]);
  assert.ok(sight?.homeAssistantSeenAt !== null);
  await stop();
});
