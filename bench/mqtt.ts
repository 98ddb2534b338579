import { createResolver } from "../src/runtime/node/hub-resolver.ts";
import { brokersOf } from "../src/runtime/node/mqtt-client.ts";
import { type handClock, harness, houseOf } from "../test/support/hub.ts";
import { listener, MOSQUITTO, realBroker } from "../test/support/mosquitto.ts";

/**
 * How long a decision of the hub takes to a client of the broker: its event, and the state that follows from it. A real Mosquitto on
 * loopback, MQTT 5, QoS 1. The wanted bound is 50 ms.
 */
const ROUNDS = 100;
if (MOSQUITTO === null) {
  console.error("mosquitto is not installed: apt-get install mosquitto");
  process.exit(3);
}
const clock = {
  mono: () => performance.now(),
  wall: Date.now,
  after(millis: number, run: () => void) {
    const timer = setTimeout(run, millis);
    return () => clearTimeout(timer);
  },
};
const broker = await realBroker();
const house = houseOf({ notify: [{ mqtt: { url: `mqtt://127.0.0.1:${broker.port}` } }] });
const resolver = createResolver([], { get: () => null, set: () => {} });
const { hub } = harness({
  house,
  hand: { clock } as unknown as ReturnType<typeof handClock>,
  brokers: brokersOf(house, "/", resolver),
});
const ears = await listener(broker.port, "hairpin/home/+");
hub.start();
await ears.says("hairpin/home/maintenance", "OFF");
let decided = 0;
hub.subscribe(() => {
  decided = performance.now();
});
const events: number[] = [];
const states: number[] = [];
for (let round = 0; round < ROUNDS; round++) {
  const before = ears.heard.length;
  if (round % 2 === 0) hub.pause(60_000, "bench");
  else hub.resume();
  const [event, state] = await Promise.all([
    ears.until(({ topic }) => topic === "hairpin/home/event", before),
    ears.until(({ topic }) => topic === "hairpin/home/maintenance", before),
  ]);
  events.push(event.at - decided);
  states.push(state.at - decided);
}
const said = (name: string, times: number[]) => {
  const sorted = [...times].sort((a, b) => a - b);
  const at = (share: number) =>
    `${sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!.toFixed(1)} ms`;
  console.log(`${name}: median ${at(0.5)}, p95 ${at(0.95)}, slowest ${at(1)} of ${sorted.length}`);
};
said("event at the broker's client", events);
said("state at the broker's client", states);
await hub.stop();
await ears.close();
await broker.stop();
