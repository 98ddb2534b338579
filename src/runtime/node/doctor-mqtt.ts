import { randomBytes } from "node:crypto";
import { isIP } from "node:net";
import type { House } from "../../core/config/house.ts";
import type { MqttConfig } from "../../core/config/schema.ts";
import type { BrokerSight } from "../../core/doctor/examination.ts";
import { topicsOf } from "../../core/mqtt/topics.ts";
import { createResolver } from "./hub-resolver.ts";
import { accessOf, type BrokerAccess, connectBroker } from "./mqtt-client.ts";
import { SecretError } from "./secret-file.ts";

const PATIENCE_MS = 4_000;
/** What is retained comes at once after the subscription. */
const RETAINED_MS = 500;

/** Asks each broker of `notify` with the hub's own login, and reads what is retained there. It publishes nothing. */
export async function lookAtBrokers(house: House, dir: string): Promise<readonly BrokerSight[]> {
  const entries = house.notify.flatMap((entry) => ("mqtt" in entry ? [entry.mqtt] : []));
  return await Promise.all(entries.map((settings) => lookAt(house, settings, dir)));
}

async function lookAt(house: House, settings: MqttConfig, dir: string): Promise<BrokerSight> {
  const origin = settings.url.replace(/^(\w+:\/\/)[^@/]*@/, "$1").replace(/\/$/, "");
  const nothing: BrokerSight = {
    origin,
    isNamed: isIP(/^\w+:\/\/\[?([^\]]*?)\]?(?::\d+)?$/.exec(origin)?.[1] ?? "") === 0,
    isConnected: false,
    detail: null,
    isRefused: false,
    isDiscovered: false,
    isOnline: null,
    homeAssistantSeenAt: null,
    birthTopic: settings.birth_topic ?? `${settings.discovery_prefix}/status`,
    discoveryTopic: topicsOf({ ...settings, site: house.site }).discovery,
  };
  let access: BrokerAccess;
  try {
    access = accessOf(settings, dir);
  } catch (error) {
    if (!(error instanceof SecretError)) throw error;
    return { ...nothing, detail: error.message };
  }
  try {
    return { ...nothing, ...(await retainedAt(house, settings, access)), isConnected: true };
  } catch (error) {
    const detail = (error as Error).message;
    return { ...nothing, detail, isRefused: /login|no MQTT 5/.test(detail) };
  }
}

async function retainedAt(
  house: House,
  settings: MqttConfig,
  access: BrokerAccess,
): Promise<Pick<BrokerSight, "isDiscovered" | "isOnline" | "homeAssistantSeenAt" | "detail">> {
  const topics = topicsOf({ ...settings, site: house.site });
  const about = topics.attributes(topics.status);
  const heard = new Map<string, string>();
  const connection = await connectBroker(access, createResolver(house.hub.resolvers, { get: () => null, set() {} }), {
    clientId: `hairpin_doctor_${randomBytes(4).toString("hex")}`,
    packetMax: 1_048_576,
    ears: { message: ({ topic, payload }) => void heard.set(topic, payload), closed() {} },
    signal: AbortSignal.timeout(PATIENCE_MS),
  });
  const refused = await connection.subscribe([topics.discovery, topics.availability, about]);
  await new Promise((resolve) => setTimeout(resolve, RETAINED_MS));
  await connection.close();
  const online = heard.get(topics.availability);
  return {
    isDiscovered: heard.has(topics.discovery),
    isOnline: online === undefined ? null : online === "online",
    homeAssistantSeenAt: seenAt(heard.get(about)),
    detail: refused,
  };
}

function seenAt(attributes: string | undefined): string | null {
  try {
    const seen = (JSON.parse(attributes ?? "{}") as { home_assistant_seen_at?: unknown }).home_assistant_seen_at;
    return typeof seen === "string" ? seen.slice(0, 32) : null;
  } catch {
    return null;
  }
}
