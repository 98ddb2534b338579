import type { House } from "../core/config/house.ts";

/** A subscriber or another place outside that the hub calls. */
export interface Receiver {
  readonly kind: "home_assistant" | "webhook" | "ntfy" | "heartbeat" | "mqtt" | "edge";
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
}

function receiver(kind: Receiver["kind"], name: string, url: string): Receiver {
  const match = /^([a-z]+):\/\/(?:[^@/]*@)?(\[[^\]]+\]|[^/:?#]+)(?::(\d+))?/.exec(url);
  const scheme = match?.[1] ?? "http";
  const tls = scheme === "https" || scheme === "mqtts";
  const standard = { https: 443, http: 80, mqtt: 1883, mqtts: 8883 }[scheme] ?? 80;
  return { kind, name, host: (match?.[2] ?? "").replace(/^\[|\]$/g, ""), port: Number(match?.[3] ?? standard), tls };
}

/** Everything that the configuration sends to, in its order. */
export function receiversOf(house: House): readonly Receiver[] {
  const subscribers = house.notify.map((entry): Receiver => {
    if ("home_assistant" in entry) return receiver("home_assistant", "Home Assistant", entry.home_assistant.url);
    if ("webhook" in entry) return receiver("webhook", entry.webhook.name ?? "webhook", entry.webhook.url);
    if ("ntfy" in entry) return receiver("ntfy", entry.ntfy.name ?? "ntfy", entry.ntfy.url);
    if ("heartbeat" in entry) return receiver("heartbeat", entry.heartbeat.name ?? "heartbeat", entry.heartbeat.url);
    return receiver("mqtt", entry.mqtt.name ?? "mqtt", entry.mqtt.url);
  });
  return house.edge === undefined ? subscribers : [...subscribers, receiver("edge", "edge", house.edge.url)];
}
