import type { House } from "../config/house.ts";
import type { MqttConfig } from "../config/schema.ts";
import type { Component, Components } from "./components.ts";
import { deviceId, topicsOf } from "./topics.ts";

/** What was published to a broker, kept across restarts of the hub: the only things that may ever be removed there. */
export interface Published {
  readonly broker: string;
  readonly topic: string;
  readonly components: Components;
  /**
   * What has left the configuration and may still be known to a Home Assistant that was away then: it is taken back once more after
   * its next start.
   */
  readonly removed: Components;
}

/** The retained payload of the whole device. `removed` comes first: Home Assistant drops the rest of a message behind an entity that it is still setting up. */
export function discoveryPayload(
  house: House,
  settings: MqttConfig,
  version: string,
  components: Components,
  removed: Components = {},
): string {
  const topics = topicsOf({ ...settings, site: house.site });
  const url = house.hub.url === undefined ? {} : { configuration_url: `${house.hub.url.replace(/\/+$/, "")}/` };
  return JSON.stringify({
    device: {
      identifiers: [deviceId(house.site)],
      name: settings.device_name,
      manufacturer: "hairpin",
      model: "Network path guard",
      sw_version: version,
      ...url,
    },
    origin: { name: "hairpin", sw_version: version },
    availability: [{ topic: topics.availability }],
    qos: 1,
    components: { ...removed, ...components },
  });
}

/** An entity that is to go: once as its platform alone (facts/home-assistant.md, 3.5). */
export const gone = (components: Components): Components =>
  Object.fromEntries(Object.entries(components).map(([key, { platform }]): [string, Component] => [key, { platform }]));

export interface Removal {
  /** Components of the same discovery topic that are not wanted any more. */
  readonly removed: Components;
  /** A discovery topic of this broker that is not used any more; its retained payload is emptied. */
  readonly leftTopic: string | null;
}

/** What has to be taken back: only what this hub remembers to have published to this very broker, never blindly. */
export function removalOf(before: Published | null, broker: string, topic: string, components: Components): Removal {
  if (before === null || before.broker !== broker) return { removed: {}, leftTopic: null };
  if (before.topic !== topic) return { removed: {}, leftTopic: before.topic };
  const known = { ...before.removed, ...before.components };
  const removed = Object.entries(known).filter(
    // The same key with another platform is another entity for Home Assistant; ours never change platform.
    ([key]) => !Object.hasOwn(components, key),
  );
  return { removed: Object.fromEntries(removed), leftTopic: null };
}
