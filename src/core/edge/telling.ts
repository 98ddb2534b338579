import type { Delivery } from "../delivery.ts";
import type { EventData, HairpinEvent } from "../event.ts";
import type { WallMillis } from "../units.ts";
import type { EdgeDelivery, SiteState } from "./site.ts";

const EVENTS_KEPT = 16;
const DELIVERIES_KEPT = 32;

const utc = (at: WallMillis): string => new Date(at).toISOString();

/**
 * The id of an event, unique over every site that one receiver may hear of, since a receiver drops ids that it knows: the site (cut,
 * with a hash of the whole name), when it was added (a site that was removed and made anew begins with 1 again), and the number.
 */
function eventId({ site, registered_at }: SiteState, seq: number): string {
  let hash = 2_166_136_261;
  for (let index = 0; index < site.length; index++) hash = Math.imul(hash ^ site.charCodeAt(index), 16_777_619);
  return `${site.slice(0, 16)}-${(hash >>> 0).toString(36)}-${registered_at.toString(36)}-${seq}`;
}

/** Adds an event and one delivery for each receiver, in the same state that makes it true (I15). */
export function told(state: SiteState, data: EventData, now: WallMillis): SiteState {
  const seq = state.next_seq;
  const id = eventId(state, seq);
  const event: HairpinEvent = {
    id,
    seq,
    type: `hairpin.${data.event}.v1`,
    timestamp: utc(now),
    group: state.site,
    data,
  };
  const queued = state.settings.notify.map((_, index): EdgeDelivery => ({ event, row: queuedRow(event, index, now) }));
  const open = state.deliveries.filter(({ row }) => row.state === "queued" || row.state === "dead");
  return {
    ...state,
    next_seq: seq + 1,
    events: [...state.events, event].slice(-EVENTS_KEPT),
    deliveries: [...open, ...queued].slice(-DELIVERIES_KEPT),
  };
}

/** The name of a receiver, by its place in the settings. */
export const subscriberName = (index: number): string => `edge-${index + 1}`;

function queuedRow(event: HairpinEvent, index: number, now: WallMillis): Delivery {
  return {
    id: `${event.id}_${index + 1}`,
    subscriber: subscriberName(index),
    event_id: event.id,
    event_seq: event.seq,
    group: event.group,
    kind: event.data.event,
    target: event.data.target,
    state: "queued",
    tries: 0,
    repeats: 0,
    queued_mono: now,
    due_mono: now,
    created_at: utc(now),
    done_at: null,
    last_status: null,
    last_error: null,
  };
}
