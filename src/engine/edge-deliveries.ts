import type { Attempt, Delivery, SubscriberState } from "../core/delivery.ts";
import type { EdgeDelivery, SiteState } from "../core/edge/site.ts";
import { subscriberName } from "../core/edge/telling.ts";
import type { EdgeNotify } from "../core/edge/wire.ts";
import type { Hmac } from "../core/standard-webhooks.ts";
import { SECOND, type WallMillis } from "../core/units.ts";
import { ntfy } from "../deliver/ntfy.ts";
import type { Receiver, Send } from "../deliver/outgoing.ts";
import { webhook } from "../deliver/webhook.ts";
import { deadline } from "../probes/deadline.ts";
import { nextDue, settle } from "./outbox.ts";

const SEND_TIMEOUT = 10 * SECOND;
/** Of one receiver in one go: site_dark and site_back of a flickering house; the rest waits for the next tick. */
const AT_ONCE_MAX = 4;

export interface EdgeSender {
  readonly send: Send;
  readonly hmac: Hmac;
  readonly wall: () => WallMillis;
  /** 0..1, to spread retries. */
  readonly chance: () => number;
  readonly load: () => SiteState | null;
  readonly save: (state: SiteState) => void;
}

function receiverOf(notify: EdgeNotify, name: string, send: Send, hmac: Hmac): Receiver {
  switch (notify.kind) {
    case "ntfy":
      return ntfy({ name, url: notify.url, events: null, token: notify.token ?? null }, send);
    case "webhook":
      return webhook(
        {
          name,
          url: notify.url,
          events: null,
          secrets: notify.secret === undefined ? [] : [notify.secret],
          template: notify.template ?? null,
        },
        send,
        hmac,
      );
  }
}

/**
 * Sends what is due, every receiver at its own pace and in the order of events, with the hub's own pauses. The state is read anew
 * after each try, since a heartbeat may have come meanwhile.
 */
export async function deliverDue(ports: EdgeSender): Promise<void> {
  dropUnaddressed(ports);
  const notify = ports.load()?.settings.notify ?? [];
  await Promise.all(notify.map((one, index) => deliverTo(one, subscriberName(index), ports)));
}

async function deliverTo(notify: EdgeNotify, name: string, ports: EdgeSender): Promise<void> {
  const receiver = receiverOf(notify, name, ports.send, ports.hmac);
  for (let sent = 0; sent < AT_ONCE_MAX; sent++) {
    const state = ports.load();
    if (state === null) return;
    const own = state.deliveries.filter(({ row }) => row.subscriber === name && row.state === "queued");
    const { delivery } = nextDue(
      own.map(({ row }) => row),
      ports.wall(),
    );
    if (delivery === null) return;
    const { event } = own.find(({ row }) => row.id === delivery.id)!;
    const message = { id: delivery.id, event, wallSeconds: Math.floor(ports.wall() / 1_000) };
    // A timer that is left running would keep a Durable Object awake, and paid for.
    const limit = deadline([], SEND_TIMEOUT);
    const attempt = await receiver.deliver(message, limit.signal).finally(limit.end);
    record(ports, delivery, attempt);
  }
}

function record(ports: EdgeSender, delivery: Delivery, attempt: Attempt): void {
  const state = ports.load();
  if (state === null || !state.deliveries.some(({ row }) => row.id === delivery.id)) return;
  const now = ports.wall();
  const at = new Date(now).toISOString();
  const known: SubscriberState = state.subscribers.find(({ name }) => name === delivery.subscriber) ?? {
    name: delivery.subscriber,
    disabled: null,
    not_found: 0,
  };
  const settled = settle(delivery, known, attempt, { confirms: false }, now, at, ports.chance());
  const others = state.subscribers.filter(({ name }) => name !== delivery.subscriber);
  ports.save({
    ...state,
    subscribers: [...others, settled.subscriber],
    deliveries: withRow(state.deliveries, settled.delivery),
  });
}

function withRow(deliveries: readonly EdgeDelivery[], row: Delivery): readonly EdgeDelivery[] {
  return deliveries.map((delivery) => (delivery.row.id === row.id ? { ...delivery, row } : delivery));
}

/** What waits for a receiver that is no longer there waits for nobody. */
function dropUnaddressed({ load, save }: EdgeSender): void {
  const state = load();
  if (state === null) return;
  const names = new Set(state.settings.notify.map((_, index) => subscriberName(index)));
  const isLost = ({ row }: EdgeDelivery) => row.state === "queued" && !names.has(row.subscriber);
  if (!state.deliveries.some(isLost)) return;
  save({ ...state, deliveries: state.deliveries.filter((delivery) => !isLost(delivery)) });
}
