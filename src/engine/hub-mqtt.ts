import type { House } from "../core/config/house.ts";
import type { HairpinEvent } from "../core/event.ts";
import type { HealAnswer, HealAsk } from "../core/hub-asks.ts";
import { activityOf } from "../core/mqtt/activity.ts";
import { commandOf, type Incoming } from "../core/mqtt/command.ts";
import { componentsOf } from "../core/mqtt/components.ts";
import { type DeviceView, statesOf } from "../core/mqtt/states.ts";
import { topicsOf } from "../core/mqtt/topics.ts";
import { type Millis, SECOND } from "../core/units.ts";
import { createCommands } from "./hub-mqtt-commands.ts";
import { createDiscovery } from "./hub-mqtt-discovery.ts";
import { createLine } from "./hub-mqtt-line.ts";
import type { Broker, Clock, Log, Publication } from "./hub-ports.ts";

/** Whoever says "online" more often than this is no Home Assistant that has started. */
const BIRTH_EVERY: Millis = 2 * SECOND;
/** News for a person: what the broker could not pass on in so many seconds is none any more. */
const EVENT_EXPIRY = 60;

/** What the device needs of the hub. */
export interface DeviceParts {
  readonly house: House;
  readonly version: string;
  readonly clock: Clock;
  readonly chance: () => number;
  readonly randomId: (length: number) => string;
  readonly log: Log;
  readonly view: () => Omit<DeviceView, "home_assistant_seen_at">;
  readonly ask: (ask: HealAsk) => HealAnswer;
  readonly pause: (forMillis: Millis, reason: string) => void;
  readonly resume: () => void;
  readonly disarm: (wanted: boolean) => void;
  /** Home Assistant has just started (`anew`), or is there again. */
  readonly homeAssistantIsBack: (anew: boolean) => void;
  readonly remembered: (key: string) => unknown;
  readonly remember: (key: string, value: unknown) => void;
}

/** The hub as one device in Home Assistant, over one broker: discovery, states, events, commands (docs/mqtt.md). */
export function createDevice(parts: DeviceParts, broker: Broker) {
  const { house, clock, log } = parts;
  const { settings } = broker;
  const topics = topicsOf({ ...settings, site: house.site });
  const birthTopic = settings.birth_topic ?? `${settings.discovery_prefix}/status`;
  const { components, left_out } = componentsOf(house, settings);
  const expiry = Math.round(settings.expire_after / SECOND);
  /** What the broker has, by the essence of each topic. */
  let published = new Map<string, string>();
  let isDue = false;
  let bornAt: Millis | null = null;
  const seenKey = `mqtt ${broker.name} seen`;
  let seenAt = parts.remembered(seenKey) as string | null;
  let wasOffline = false;
  let cancelRenewal = () => {};

  const retained = (topic: string, payload: string): Publication => ({ topic, payload, retain: true, expiry });
  const offline: Publication = { topic: topics.availability, payload: "offline", retain: true, expiry: null };
  const event = (payload: string): void =>
    line.event({ topic: topics.event, payload, retain: false, expiry: EVENT_EXPIRY });

  const line = createLine({
    broker,
    will: offline,
    filters: settings.commands ? [topics.commands, birthTopic] : [birthTopic],
    clock,
    chance: parts.chance,
    log,
    connected,
    message,
  });
  const discovery = createDiscovery(parts, broker, components, line.retain);
  const commands = createCommands(parts, broker, event);

  function connected(): void {
    published = new Map();
    wasOffline = false;
    discovery.announce(publishAll);
    parts.homeAssistantIsBack(false);
  }

  /** Everything anew: what is at the broker may be gone, or may never have been heard. */
  function publishAll(): void {
    published = new Map();
    line.retain(retained(topics.availability, "online"));
    flush();
    cancelRenewal();
    // Three times in the time after which Home Assistant holds a state for out of date.
    cancelRenewal = clock.after(settings.expire_after / 3, publishAll);
  }

  /** Sends what is news. Cheap when nothing is: it is called after every decision. */
  function flush(): void {
    isDue = false;
    if (!line.isConnected() || discovery.isBusy()) return;
    for (const { topic, payload, essence } of statesOf(house, settings, {
      ...parts.view(),
      home_assistant_seen_at: seenAt,
    })) {
      if (published.get(topic) === essence) continue;
      published.set(topic, essence);
      line.retain(retained(topic, payload));
    }
  }

  function message(incoming: Incoming): void {
    const command = commandOf(topics, birthTopic, incoming);
    if (command.kind === "birth") birth(command.online, command.retain);
    else if (commands.take(command, incoming)) {
      // Home Assistant waits for the switch's state, also where it stays as it was.
      published.delete(topics.autoHeal);
      published.delete(topics.maintenance);
      changed();
    }
  }

  function birth(isOnline: boolean, isOld: boolean): void {
    const now = clock.mono();
    if (!isOnline) {
      wasOffline = true;
      return;
    }
    // A retained one is from before this connection, on which everything has just been said.
    if (isOld || (bornAt !== null && now - bornAt < BIRTH_EVERY)) {
      changed();
      return;
    }
    bornAt = now;
    seenAt = new Date(clock.wall()).toISOString();
    parts.remember(seenKey, seenAt);
    log("info", { broker: broker.name, anew: wasOffline }, "Home Assistant says that it is there");
    discovery.repeat(publishAll);
    parts.homeAssistantIsBack(wasOffline);
    wasOffline = false;
  }

  /** Something may be news: looked at once the decision at hand is through, and never twice in the same turn. */
  function changed(): void {
    if (isDue) return;
    isDue = true;
    clock.after(0, flush);
  }

  return {
    name: broker.name,
    start(): void {
      if (left_out > 0)
        log("warn", { broker: broker.name, left_out }, "more entities than a device may have: the last are left out");
      line.start();
    },
    changed,
    happened: (happening: HairpinEvent): void => event(activityOf(happening)),
    isConnected: line.isConnected,
    async stop(): Promise<void> {
      cancelRenewal();
      discovery.stop();
      await line.stop(offline);
    },
  };
}
