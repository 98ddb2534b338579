import { CAUSES } from "../cause.ts";
import type { House, Target } from "../config/house.ts";
import type { MqttConfig } from "../config/schema.ts";
import { EVENT_KINDS } from "../event.ts";
import { GATES } from "../group.ts";
import { STEPS } from "../repair.ts";
import { STATES } from "../status.ts";
import { slug, spoken } from "./names.ts";
import { deviceId, stepWord, type Topics, topicsOf } from "./topics.ts";

/** One entity as Home Assistant's discovery names it. Plain JSON. */
export type Component = Readonly<Record<string, unknown>> & { readonly platform: string };
export type Components = Readonly<Record<string, Component>>;

/**
 * More entities than any house needs; what is beyond is left out, and said. The discovery then stays below half a megabyte, which
 * every broker takes.
 */
export const COMPONENTS_MAX = 500;

/** What can be said of the last repair. */
export const HEAL_OUTCOMES = [
  "verified",
  "ineffective",
  "unverified",
  "refused",
  "done",
  "failed",
  "interrupted",
  "pending",
] as const;
/** An answer to a press that is no event of the hub: there was nothing to heal. */
export const NOTHING_TO_DO = "nothing_to_do";
export const EVENT_TYPES: readonly string[] = [...EVENT_KINDS, NOTHING_TO_DO];

export const hasCertificate = (target: Target): boolean =>
  target.checks.some((check) => check.kind === "https" || check.kind === "oidc");

interface Wanted {
  readonly key: string;
  readonly platform: string;
  readonly name: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Every entity of a house, by its key. The key ends the unique id, by which Home Assistant knows the entity for ever. */
export function componentsOf(house: House, settings: MqttConfig): { components: Components; left_out: number } {
  const topics = topicsOf({ ...settings, site: house.site });
  const all = [
    ...siteSensors(topics),
    ...(settings.commands ? controls(topics) : []),
    activity(topics),
    ...house.links.map((link) => linkSensor(topics, link.name)),
    ...house.targets.flatMap((target) => targetSensors(topics, house, target)),
  ];
  const components: Record<string, Component> = {};
  for (const wanted of all.slice(0, COMPONENTS_MAX)) {
    // Names that differ only in what an id cannot hold still get ids of their own.
    let key = wanted.key;
    for (let count = 2; Object.hasOwn(components, key); count++) key = `${wanted.key}_${count}`;
    components[key] = {
      platform: wanted.platform,
      name: wanted.name,
      unique_id: `${deviceId(house.site)}_${key}`,
      default_entity_id: `${wanted.platform}.${slug(`${settings.device_name} ${wanted.name}`)}`,
      ...wanted.fields,
      ...(wanted.platform === "sensor" || wanted.platform === "binary_sensor"
        ? { expire_after: Math.round(settings.expire_after / 1_000) }
        : {}),
    };
  }
  return { components, left_out: Math.max(0, all.length - COMPONENTS_MAX) };
}

const withAttributes = (topics: Topics, topic: string) => ({
  state_topic: topic,
  json_attributes_topic: topics.attributes(topic),
});
const enumOf = (options: readonly string[]) => ({ device_class: "enum", options: [...options] });
const DIAGNOSTIC = { entity_category: "diagnostic" } as const;

function siteSensors(topics: Topics): Wanted[] {
  const sensor = (key: string, name: string, fields: Wanted["fields"]): Wanted => ({
    key,
    platform: "sensor",
    name,
    fields,
  });
  return [
    {
      key: "problem",
      platform: "binary_sensor",
      name: "Problem",
      fields: { device_class: "problem", ...withAttributes(topics, topics.problem) },
    },
    sensor("status", "Status", {
      ...enumOf(STATES),
      icon: "mdi:lan-check",
      ...withAttributes(topics, topics.status),
    }),
    sensor("cause", "Cause", {
      ...enumOf(["none", ...CAUSES]),
      icon: "mdi:lan-disconnect",
      ...withAttributes(topics, topics.cause),
    }),
    sensor("held_by", "Held by", {
      ...enumOf(["none", ...GATES, "unverified"]),
      icon: "mdi:gate",
      ...DIAGNOSTIC,
      state_topic: topics.heldBy,
    }),
    sensor("last_heal", "Last heal", {
      device_class: "timestamp",
      ...DIAGNOSTIC,
      ...withAttributes(topics, topics.lastHeal),
    }),
    sensor("last_heal_outcome", "Last heal outcome", {
      ...enumOf(HEAL_OUTCOMES),
      icon: "mdi:bandage",
      ...DIAGNOSTIC,
      state_topic: topics.lastHealOutcome,
    }),
  ];
}

/** A press carries the time, so that a repeat of it on its way is known for one; see `PRESS <id>` in docs/mqtt.md. */
const PRESS = { payload_press: "PRESS", command_template: "{{ value }} {{ now().timestamp() }}" } as const;

function controls(topics: Topics): Wanted[] {
  const steps = STEPS.map((step): Wanted => {
    const name = spoken(step);
    const fields = {
      ...DIAGNOSTIC,
      enabled_by_default: false,
      icon: "mdi:wrench",
      command_topic: topics.command(stepWord(step)),
      ...PRESS,
    };
    return { key: stepWord(step), platform: "button", name, fields };
  });
  const button = { icon: "mdi:bandage", command_topic: topics.command("heal"), ...PRESS };
  const configured = (icon: string) => ({ entity_category: "config", icon });
  return [
    { key: "heal", platform: "button", name: "Heal now", fields: button },
    ...steps,
    {
      key: "auto_heal",
      platform: "switch",
      name: "Auto heal",
      fields: {
        ...configured("mdi:auto-fix"),
        state_topic: topics.autoHeal,
        command_topic: topics.command("auto_heal"),
      },
    },
    {
      key: "maintenance",
      platform: "switch",
      name: "Maintenance",
      fields: {
        ...configured("mdi:wrench-clock"),
        state_topic: topics.maintenance,
        command_topic: topics.command("maintenance"),
      },
    },
  ];
}

function activity(topics: Topics): Wanted {
  const fields = { icon: "mdi:timeline-text", event_types: [...EVENT_TYPES], state_topic: topics.event };
  return { key: "activity", platform: "event", name: "Activity", fields };
}

function linkSensor(topics: Topics, link: string): Wanted {
  const fields = { device_class: "connectivity", ...DIAGNOSTIC, ...withAttributes(topics, topics.link(link)) };
  return { key: `link_${slug(link)}`, platform: "binary_sensor", name: `Link ${link}`, fields };
}

function targetSensors(topics: Topics, house: House, target: Target): Wanted[] {
  const name = spoken(target.name);
  const seen = house.vantages.map((vantage): Wanted => {
    const topic = topics.seen(target.name, vantage.name);
    // A vantage on the Kubernetes host never votes: its own probes stay green when ARP is dead.
    const aside = vantage.where === "host" || vantage.muted ? DIAGNOSTIC : {};
    return {
      key: `${target.name}_${vantage.name}`,
      platform: "binary_sensor",
      name: `${name} from ${spoken(vantage.name)}`,
      fields: { device_class: "connectivity", ...aside, ...withAttributes(topics, topic) },
    };
  });
  const measured = { device_class: "duration", state_class: "measurement", ...DIAGNOSTIC };
  const latency: Wanted = {
    key: `${target.name}_latency`,
    platform: "sensor",
    name: `${name} latency`,
    fields: {
      ...measured,
      unit_of_measurement: "ms",
      suggested_display_precision: 1,
      ...withAttributes(topics, topics.latency(target.name)),
    },
  };
  const certificate: Wanted = {
    key: `${target.name}_certificate`,
    platform: "sensor",
    name: `${name} certificate`,
    fields: {
      ...measured,
      unit_of_measurement: "d",
      suggested_display_precision: 0,
      icon: "mdi:certificate",
      ...withAttributes(topics, topics.certificate(target.name)),
    },
  };
  return [...seen, latency, ...(hasCertificate(target) ? [certificate] : [])];
}
