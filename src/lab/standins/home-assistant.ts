import { request } from "node:http";
import { request as secureRequest } from "node:https";
import { serve } from "./channel.ts";
import { type Receiving, recorder } from "./recorder.ts";

/** The stand-in for Home Assistant: takes the webhook, and acknowledges what it showed, as the blueprint does. */
export interface HomeAssistantInit {
  readonly receiving: Receiving;
  readonly acknowledge: { readonly hub: string; readonly token: string } | null;
}

export interface HomeAssistantOrder {
  readonly up: boolean;
}

function acknowledge({ hub, token }: { hub: string; token: string }, deliveryId: string): void {
  const url = new URL("/v1/acks", hub);
  const body = JSON.stringify({ delivery_id: deliveryId });
  const send = url.protocol === "https:" ? secureRequest : request;
  const asked = send(url, {
    method: "POST",
    timeout: 3_000,
    headers: {
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
      "content-length": Buffer.byteLength(body),
    },
  });
  asked.on("response", (response) => response.resume());
  asked.on("error", () => {}); // The hub repeats what nobody confirmed.
  asked.end(body);
}

serve<HomeAssistantInit, HomeAssistantOrder>(async ({ receiving, acknowledge: ack }) => {
  const server = recorder(receiving, (event) => {
    const id = event["delivery_id"];
    if (ack !== null && typeof id === "string") acknowledge(ack, id);
  });
  await server.open();
  return (order) => (order.up ? server.open() : server.close());
});
