import type { WallMillis } from "../units.ts";
import { fleetRow } from "./fleet.ts";
import type { RelayedHeal, SiteStatus } from "./port.ts";
import { darkAt, type SiteState, type WaitingHeal } from "./site.ts";
import { subscriberName } from "./telling.ts";
import { HEAL_LIVES_MS } from "./wire.ts";

/** What is shown of a site's memory: never its keys, its tokens, the receivers' URLs, nor what somebody has signed. */

const utc = (at: WallMillis): string => new Date(at).toISOString();
const EVENTS_SHOWN = 12;
const DELIVERIES_SHOWN = 24;

export function shownHeal(site: string, heal: WaitingHeal, now: WallMillis): RelayedHeal {
  const expires = heal.received_at + HEAL_LIVES_MS;
  return {
    id: heal.envelope.id,
    state: heal.state === "answered" ? "answered" : now >= expires ? "expired" : heal.state,
    requested_at: utc(heal.received_at),
    expires_at: utc(expires),
    result: heal.result,
    url: `/v1/sites/${site}/heals/${heal.envelope.id}`,
  };
}

export function shownSite(state: SiteState, now: WallMillis): SiteStatus {
  return {
    ...fleetRow(state),
    last_seen: state.heard_at === null ? null : utc(state.heard_at),
    dark_at: state.phase === "dark" ? null : utc(darkAt(state)),
    silence_ms: state.silence_ms,
    every_ms: state.every_ms,
    house: state.status,
    outside: state.observations,
    heals: state.heals.map((heal) => shownHeal(state.site, heal, now)).reverse(),
    events: state.events
      .slice(-EVENTS_SHOWN)
      .map(({ timestamp, data }) => ({ event: data.event, title: data.title, message: data.message, timestamp }))
      .reverse(),
    deliveries: state.deliveries
      .slice(-DELIVERIES_SHOWN)
      .map(({ row }) => ({
        id: row.id,
        receiver: row.subscriber,
        event: row.kind,
        state: row.state,
        tries: row.tries,
        last_status: row.last_status,
        last_error: row.last_error,
        created_at: row.created_at,
      }))
      .reverse(),
    receivers: state.settings.notify.map(({ kind }, index) => ({
      kind,
      disabled: state.subscribers.find(({ name }) => name === subscriberName(index))?.disabled ?? null,
    })),
  };
}
