import type { Attempt } from "../../src/core/delivery.ts";
import { HOME_ASSISTANT_EVENTS } from "../../src/core/event.ts";
import type { Subscriber } from "../../src/engine/hub-ports.ts";
import type { HubProcess } from "./hub-process.ts";
import type { Life } from "./life.ts";
import type { Site } from "./site.ts";

export type Manner = "ok" | "500" | "404" | "410" | "429" | "hangs" | "resets" | "answer lost";

/** Somebody who gets events. What it does with a try can change at any time. */
export interface Receiver {
  readonly name: string;
  readonly confirms: boolean;
  manner: Manner;
  /** Whether it acknowledges what it got; only one that confirms does. */
  acknowledges: boolean;
  subscriber(hub: HubProcess, life: Life): Subscriber;
}

export function createReceiver(site: Site, name: string, confirms: boolean): Receiver {
  const luck = site.chance.fork(`receiver ${name}`);
  const receiver: Receiver = {
    name,
    confirms,
    manner: "ok",
    acknowledges: true,
    subscriber: (hub, life) => ({
      name,
      events: confirms ? HOME_ASSISTANT_EVENTS : null,
      confirms,
      async deliver({ id, event }): Promise<Attempt> {
        if (!life.touch()) return new Promise(() => {});
        const { manner } = receiver;
        await life.exactly(luck.between(2, 30));
        const answer = (status: number, retryAfter: number | null = null) =>
          life.answer<Attempt>({ kind: "answered", status, retryAfter });
        if (manner !== "ok") site.witness.count(`tries answered by ${manner}`);
        switch (manner) {
          case "hangs":
            return new Promise(() => {});
          case "resets":
            return life.answer({ kind: "failed", detail: "ECONNRESET" });
          case "429":
            return answer(429, luck.int(1, 7_200) * 1_000);
          case "500":
          case "404":
          case "410":
            return answer(Number(manner));
          case "answer lost":
          case "ok":
            site.witness.tell({ kind: "delivered", hub: hub.name, subscriber: name, id, event });
            if (confirms && receiver.acknowledges && luck.flip(0.9)) acknowledge(hub, id, luck.between(500, 20_000));
            return manner === "ok" ? answer(200) : life.answer({ kind: "failed", detail: "ECONNRESET" });
        }
      },
    }),
  };
  const acknowledge = (hub: HubProcess, id: string, wait: number) =>
    site.agenda.in(wait, () => {
      const there = hub.current();
      if (there === null) return;
      site.witness.tell({ kind: "acknowledged", hub: hub.name, id });
      try {
        there.hub.acknowledge(id);
      } catch (error) {
        if (!(error instanceof Error && error.name === "StoreError")) throw error;
      }
    });
  return receiver;
}
