import { freshFacts } from "../core/history.ts";
import type { HealAnswer, HealAsk } from "../core/hub-asks.ts";
import { certificatesOf } from "../core/mqtt/certificates.ts";
import type { DeviceView } from "../core/mqtt/states.ts";
import type { Observation } from "../core/observation.ts";
import type { Status } from "../core/status.ts";
import type { Millis } from "../core/units.ts";
import type { createDeliveries } from "./hub-deliveries.ts";
import type { Ledger } from "./hub-ledger.ts";
import type { Loop } from "./hub-loop.ts";
import type { Metric } from "./hub-metrics.ts";
import { createDevice } from "./hub-mqtt.ts";
import type { HubPorts } from "./hub-ports.ts";

interface Parts {
  readonly loop: Loop;
  readonly ledger: Ledger;
  readonly deliveries: ReturnType<typeof createDeliveries>;
  readonly intake: { readonly latest: ReadonlyMap<string, Observation> };
  readonly status: () => Status;
  readonly ask: (ask: HealAsk) => HealAnswer;
  readonly pause: (forMillis: Millis, reason: string) => void;
  readonly resume: () => void;
}

/** The hub's devices in Home Assistant, one for each broker of the configuration; usually one, often none. */
export function createDevices(ports: HubPorts, parts: Parts) {
  const { house, store } = ports;
  const { loop, ledger } = parts;

  function view(): Omit<DeviceView, "home_assistant_seen_at"> {
    const now = ledger.now();
    const links = house.groups.flatMap((group) =>
      group.link === null ? [] : [[group.link.name, freshFacts(loop.view(), group, now.mono)?.link ?? null] as const],
    );
    const certificates = certificatesOf(parts.intake.latest.values(), now.wall);
    return { status: parts.status(), certificates, links: Object.fromEntries(links) };
  }

  /** Durable when it returns; what is decided from then on knows it. */
  function disarm(wanted: boolean): void {
    loop.disarm(wanted);
    loop.quietly(() => void loop.advance({}));
  }

  const devices = (ports.brokers ?? []).map((broker) =>
    createDevice(
      {
        ...ports,
        view,
        ask: parts.ask,
        pause: parts.pause,
        resume: parts.resume,
        disarm,
        homeAssistantIsBack: parts.deliveries.receiversAreBack,
        remembered: (key) => store.meta(key),
        remember: (key, value) => loop.quietly(() => loop.durable(() => store.setMeta(key, value))),
      },
      broker,
    ),
  );
  return {
    start(): void {
      // The switch that could turn it on again has left the configuration: then the file alone says what is armed.
      if (!(ports.brokers ?? []).some(({ settings }) => settings.commands) && loop.isDisarmed()) {
        ports.log("info", {}, "there is no switch for automatic repairs any more: heal.mode counts");
        loop.quietly(() => disarm(false));
      }
      for (const device of devices) device.start();
    },
    changed(): void {
      for (const device of devices) device.changed();
    },
    happened: devices.map((device) => device.happened),
    /** None without a broker, so that a house without one has no series that never moves. */
    metrics(): readonly Metric[] {
      if (devices.length === 0) return [];
      const samples = devices.map((device) => ({
        labels: { broker: device.name },
        value: device.isConnected() ? 1 : 0,
      }));
      const help = "Whether a broker is connected.";
      return [{ name: "hairpin_broker_connected", help, type: "gauge", samples }];
    },
    stop: async (): Promise<void> => void (await Promise.all(devices.map((device) => device.stop()))),
  };
}
