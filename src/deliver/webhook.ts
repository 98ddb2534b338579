import type { EventKind } from "../core/event.ts";
import { type Hmac, sign } from "../core/standard-webhooks.ts";
import type { Message, Receiver, Send } from "./outgoing.ts";
import { fillTemplate, templateValues } from "./template.ts";

export interface WebhookOptions {
  readonly name: string;
  readonly url: string;
  readonly events: readonly EventKind[] | null;
  /** Standard Webhooks secrets: several while a key is being changed; none: unsigned. */
  readonly secrets: readonly string[];
  /** A JSON template for receivers with a form of their own (Slack, Discord, Gotify …); null: the event as it is. */
  readonly template: string | null;
}

/** The event as every signed receiver gets it. The same text on each retry (I16). */
export function webhookBody({ id, event }: Message): string {
  return JSON.stringify({ type: event.type, timestamp: event.timestamp, data: { ...event.data, delivery_id: id } });
}

export function webhook(options: WebhookOptions, send: Send, hmac: Hmac): Receiver {
  return {
    name: options.name,
    events: options.events,
    confirms: false,
    async deliver(message, signal) {
      const { event, id } = message;
      const body =
        options.template === null
          ? webhookBody(message)
          : fillTemplate(options.template, templateValues(event.data, id, event.timestamp));
      const signature =
        options.secrets.length === 0
          ? { "webhook-id": id }
          : await sign(options.secrets, id, message.wallSeconds, body, hmac);
      return send(
        { method: "POST", url: options.url, headers: { "content-type": "application/json", ...signature }, body },
        signal,
      );
    },
  };
}
