import { isIP } from "node:net";
import type { House } from "../../core/config/house.ts";
import type { Delivery, SubscriberState } from "../../core/delivery.ts";
import type { HomeAssistantSight, ReportsSight } from "../../core/doctor/examination.ts";
import { createResolver } from "./hub-resolver.ts";
import { createSend } from "./hub-send.ts";

const PATIENCE_MS = 4_000;

/**
 * Asks each Home Assistant of `notify` for /manifest.json, which is open to everybody, over the way that the hub sends on. Never
 * /api/: a refused login there counts towards a ban of the asker. The webhook itself is not posted to.
 */
export async function lookAtHomeAssistants(house: House): Promise<readonly HomeAssistantSight[]> {
  const send = createSend(createResolver(house.hub.resolvers, { get: () => null, set: () => {} }));
  const entries = house.notify.flatMap((entry) => ("home_assistant" in entry ? [entry.home_assistant] : []));
  return await Promise.all(
    entries.map(async ({ name, url }) => {
      const { origin, hostname } = new URL(url);
      const answer = await send(
        { method: "GET", url: `${origin}/manifest.json`, headers: {}, body: null },
        AbortSignal.timeout(PATIENCE_MS),
      );
      return {
        name: name ?? "home-assistant",
        origin,
        isNamed: isIP(hostname.replace(/^\[|\]$/g, "")) === 0,
        status: answer.kind === "answered" ? answer.status : null,
        detail: answer.kind === "answered" ? null : answer.detail,
      };
    }),
  );
}

/** What a hub's list of deliveries says of each Home Assistant: the newest report, and when one was last confirmed. */
export function reportsOf(list: {
  readonly deliveries: readonly Delivery[];
  readonly subscribers: readonly SubscriberState[];
}): (name: string) => ReportsSight {
  return (name) => ({
    confirmed_at: list.subscribers.find((known) => known.name === name)?.confirmed_at ?? null,
    latest: list.deliveries
      .filter((row) => row.subscriber === name && row.state !== "superseded")
      .reduce<Delivery | null>(
        (newest, row) => (newest === null || row.event_seq > newest.event_seq ? row : newest),
        null,
      ),
  });
}
