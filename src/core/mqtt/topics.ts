import { STEPS, type Step } from "../repair.ts";

/** What names a hub's device at a broker: the site of the configuration and the two prefixes of its `notify.mqtt`. */
export interface DeviceAddress {
  readonly site: string;
  /** What all of hairpin's own topics begin with. */
  readonly topic_prefix: string;
  /** Where Home Assistant looks for discovery. */
  readonly discovery_prefix: string;
}

/**
 * The device's id: the same for ever, whatever else changes, because Home Assistant knows entities by it. Two houses at one broker
 * differ by their site.
 */
export const deviceId = (site: string): string => `hairpin_${site}`;

/** The words that a command topic may carry between the base and `set`. */
export type CommandWord = "heal" | "auto_heal" | "maintenance" | StepWord;
export type StepWord = "ensure_link" | "announce" | "restart_speaker" | "recreate_link";

/** A step as a topic and an entity name it: Home Assistant's ids know no hyphen. */
export const stepWord = (step: Step): StepWord => step.replaceAll("-", "_") as StepWord;
export const stepOf = (word: string): Step | null => STEPS.find((step) => stepWord(step) === word) ?? null;

export type Topics = ReturnType<typeof topicsOf>;

/**
 * Every topic of one hub. Names of targets, vantages and links hold no `/`, `+` or `#` (the schema refuses them), so that they are
 * levels of their own. Attributes of a state lie one level below it.
 */
export function topicsOf(address: DeviceAddress) {
  const base = `${address.topic_prefix}/${address.site}`;
  return {
    base,
    discovery: `${address.discovery_prefix}/device/${deviceId(address.site)}/config`,
    availability: `${base}/availability`,
    status: `${base}/status`,
    problem: `${base}/problem`,
    cause: `${base}/cause`,
    heldBy: `${base}/held_by`,
    lastHeal: `${base}/last_heal`,
    lastHealOutcome: `${base}/last_heal_outcome`,
    autoHeal: `${base}/auto_heal`,
    maintenance: `${base}/maintenance`,
    event: `${base}/event`,
    seen: (target: string, vantage: string): string => `${base}/target/${target}/${vantage}`,
    latency: (target: string): string => `${base}/latency/${target}`,
    certificate: (target: string): string => `${base}/certificate/${target}`,
    link: (name: string): string => `${base}/link/${name}`,
    attributes: (state: string): string => `${state}/attributes`,
    command: (word: CommandWord): string => `${base}/${word}/set`,
    /** The one filter that takes in every command. */
    commands: `${base}/+/set`,
  };
}

/** The word of a command topic; null for any other topic. */
export function commandWordOf(topics: Topics, topic: string): string | null {
  const start = `${topics.base}/`;
  if (!topic.startsWith(start) || !topic.endsWith("/set")) return null;
  const word = topic.slice(start.length, -"/set".length);
  return /^[a-z_]{1,32}$/.test(word) ? word : null;
}
