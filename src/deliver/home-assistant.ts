import { type EventData, type EventKind, HOME_ASSISTANT_EVENTS } from "../core/event.ts";
import type { Receiver, Send } from "./outgoing.ts";

export interface HomeAssistantOptions {
  readonly name: string;
  readonly url: string;
  /** The webhook id is the only secret there is on this way. */
  readonly webhookId: string;
  readonly events: readonly EventKind[] | null;
}

/** Home Assistant's templates get the whole body; more than this is a mistake of ours. */
const BODY_MAX = 8_192;

/**
 * The flat data of an event under 8 KiB: what the blueprint's templates read. Should it be too long, the message is cut rather
 * than the event lost. A UTF-16 unit takes at most 3 bytes of UTF-8.
 */
export function homeAssistantBody(data: EventData, deliveryId: string): string {
  const whole = JSON.stringify({ ...data, delivery_id: deliveryId });
  if (whole.length * 3 < BODY_MAX) return whole;
  const cut = (text: string | null | undefined, max: number) => (text == null ? null : text.slice(0, max));
  return JSON.stringify({
    ...data,
    title: data.title.slice(0, 100),
    message: data.message.slice(0, 600),
    advice: cut(data.advice, 300),
    vantages_failing: data.vantages_failing.slice(0, 8),
    delivery_id: deliveryId,
  });
}

/**
 * POST {url}/api/webhook/{id}. Home Assistant answers 200 even for an id that it does not know and in its boot window, so a 200 is
 * `accepted` and only the blueprint's acknowledgement of `delivery_id` confirms it (I20).
 */
export function homeAssistant(options: HomeAssistantOptions, send: Send): Receiver {
  const url = `${options.url.replace(/\/+$/, "")}/api/webhook/${encodeURIComponent(options.webhookId)}`;
  return {
    name: options.name,
    events: options.events ?? HOME_ASSISTANT_EVENTS,
    confirms: true,
    deliver: ({ id, event }, signal) =>
      send(
        {
          method: "POST",
          url,
          headers: { "content-type": "application/json" },
          body: homeAssistantBody(event.data, id),
        },
        signal,
      ),
  };
}
