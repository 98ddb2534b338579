import type { Delivery, SubscriberState } from "../delivery.ts";
import type { EventData, EventKind, HairpinEvent } from "../event.ts";
import { DAY, MINUTE, sayDuration, type WallMillis } from "../units.ts";
import {
  HEAL_LIVES_MS,
  HEALS_WAITING_MAX,
  type HealEnvelope,
  type HealResult,
  type Heartbeat,
  type OutsideCheck,
  type OutsideObservation,
  type SiteSettings,
  type StatusMirror,
} from "./wire.ts";

/** `waiting`: no heartbeat ever came; a site that never speaks is dark after the same silence. */
export type SitePhase = "waiting" | "alive" | "dark";

/** A request to heal on its way through the edge. */
export interface WaitingHeal {
  readonly envelope: HealEnvelope;
  readonly received_at: WallMillis;
  readonly state: "waiting" | "fetched" | "answered";
  readonly result: HealResult | null;
}

/** Where an alert stands; `due_mono` and `queued_mono` are the edge's wall clock, the only one that outlives an object. */
export interface EdgeDelivery {
  readonly row: Delivery;
  readonly event: HairpinEvent;
}

/** All that the edge remembers of one site: one row of its store, so that a heartbeat costs one written row. */
export interface SiteState {
  readonly version: 1;
  readonly site: string;
  readonly settings: SiteSettings;
  readonly registered_at: WallMillis;
  readonly heard_at: WallMillis | null;
  readonly mark: { readonly boot_id: string; readonly seq: number; readonly digest: string } | null;
  /** Earlier boots, the latest last: what is signed with one of them is a replay. */
  readonly superseded: readonly string[];
  readonly silence_ms: number;
  readonly every_ms: number;
  readonly phase: SitePhase;
  readonly since: WallMillis;
  readonly status: StatusMirror | null;
  readonly checks: readonly OutsideCheck[];
  readonly observations: readonly OutsideObservation[];
  readonly probed_at: WallMillis | null;
  readonly heals: readonly WaitingHeal[];
  readonly events: readonly HairpinEvent[];
  readonly deliveries: readonly EdgeDelivery[];
  readonly subscribers: readonly SubscriberState[];
  readonly next_seq: number;
}

const BOOTS_MAX = 16;
const HEALS_KEPT = 16;
const EVENTS_KEPT = 32;
const DELIVERIES_KEPT = 64;
/** A request that was answered, or not, is shown for so long. */
const HEAL_SHOWN: WallMillis = DAY;
/** How old the outside observations may get while heartbeats come. */
export const PROBE_EVERY: WallMillis = MINUTE;

export function newSite(site: string, settings: SiteSettings, now: WallMillis): SiteState {
  return {
    version: 1,
    site,
    settings,
    registered_at: now,
    heard_at: null,
    mark: null,
    superseded: [],
    silence_ms: settings.silence_ms,
    every_ms: 30_000,
    phase: "waiting",
    since: now,
    status: null,
    checks: [],
    observations: [],
    probed_at: null,
    heals: [],
    events: [],
    deliveries: [],
    subscribers: [],
    next_seq: 1,
  };
}

/** New keys, tokens and receivers; what was heard stays. Before the first heartbeat the silence is the administrator's. */
export function reconfigured(state: SiteState, settings: SiteSettings): SiteState {
  return { ...state, settings, silence_ms: state.heard_at === null ? settings.silence_ms : state.silence_ms };
}

/** When the site is dark unless a heartbeat comes. */
export function darkAt(state: SiteState): WallMillis {
  return (state.heard_at ?? state.registered_at) + state.silence_ms;
}

export type Heard =
  | { readonly kind: "accepted"; readonly state: SiteState }
  | { readonly kind: "duplicate" }
  | { readonly kind: "conflict"; readonly detail: string };

/** Takes a heartbeat whose signature was verified. `(boot_id, seq)` grows strictly, so that nothing counts twice (I18). */
export function heard(state: SiteState, beat: Heartbeat, digest: string, now: WallMillis): Heard {
  const { mark } = state;
  if (mark !== null && beat.boot_id === mark.boot_id) {
    if (beat.seq === mark.seq)
      return digest === mark.digest
        ? { kind: "duplicate" }
        : { kind: "conflict", detail: `heartbeat ${beat.seq} of this boot came with another body` };
    if (beat.seq < mark.seq) return { kind: "conflict", detail: `heartbeat ${beat.seq} is older than ${mark.seq}` };
  } else if (state.superseded.includes(beat.boot_id)) {
    return { kind: "conflict", detail: "this boot of the hub was followed by another" };
  }
  const isNewBoot = mark !== null && mark.boot_id !== beat.boot_id;
  const known: SiteState = {
    ...state,
    heard_at: now,
    mark: { boot_id: beat.boot_id, seq: beat.seq, digest },
    superseded: isNewBoot ? [...state.superseded, mark.boot_id].slice(-BOOTS_MAX) : state.superseded,
    silence_ms: beat.silence_ms,
    every_ms: beat.every_ms,
    status: beat.status,
    checks: beat.checks,
    observations: state.observations.filter(({ id }) => beat.checks.some((check) => check.id === id)),
    heals: state.heals.map((heal) => {
      const result = beat.heal_results.find(({ id }) => id === heal.envelope.id);
      return result === undefined ? heal : { ...heal, state: "answered" as const, result };
    }),
  };
  if (known.phase === "alive") return { kind: "accepted", state: known };
  const wasDark = known.phase === "dark";
  const alive: SiteState = { ...known, phase: "alive", since: now };
  return { kind: "accepted", state: wasDark ? told(alive, backData(state, now), now) : alive };
}

/** Takes the requests that still live for the answer to a heartbeat; they stay until the house says what became of them. */
export function fetched(state: SiteState, now: WallMillis): { state: SiteState; envelopes: readonly HealEnvelope[] } {
  const lives = (heal: WaitingHeal) => heal.state !== "answered" && now - heal.received_at < HEAL_LIVES_MS;
  const waiting = state.heals.filter(lives);
  return {
    state: {
      ...state,
      heals: state.heals.map((heal) => (lives(heal) ? { ...heal, state: "fetched" as const } : heal)),
    },
    envelopes: waiting.map(({ envelope }) => envelope),
  };
}

export type Asked =
  | { readonly kind: "waiting"; readonly state: SiteState; readonly heal: WaitingHeal }
  | { readonly kind: "known"; readonly heal: WaitingHeal }
  | { readonly kind: "conflict" }
  | { readonly kind: "full" };

/** Holds a signed request for the next heartbeat. The same id with the same text is the same request. */
export function asked(state: SiteState, envelope: HealEnvelope, now: WallMillis): Asked {
  const kept = state.heals.filter(({ received_at }) => now - received_at < HEAL_SHOWN);
  const known = kept.find((heal) => heal.envelope.id === envelope.id);
  if (known !== undefined)
    return known.envelope.body === envelope.body ? { kind: "known", heal: known } : { kind: "conflict" };
  const open = kept.filter((heal) => heal.state !== "answered" && now - heal.received_at < HEAL_LIVES_MS);
  if (open.length >= HEALS_WAITING_MAX) return { kind: "full" };
  const heal: WaitingHeal = { envelope, received_at: now, state: "waiting", result: null };
  return { kind: "waiting", state: { ...state, heals: [...kept, heal].slice(-HEALS_KEPT) }, heal };
}

/**
 * What time alone changes. Called by the alarm, by cron and by every request: it says `site_dark` once for one silence, however
 * often it is called.
 */
export function tick(state: SiteState, now: WallMillis): SiteState {
  if (state.phase === "dark" || now < darkAt(state)) return state;
  const dark: SiteState = { ...state, phase: "dark", since: now };
  return told(dark, darkData(state, now), now);
}

/** When the next thing is due by itself; null: nothing before a request comes. */
export function wakeAt(state: SiteState): WallMillis | null {
  const due = state.deliveries.filter(({ row }) => row.state === "queued").map(({ row }) => row.due_mono);
  if (state.phase !== "dark") due.push(darkAt(state));
  return due.length === 0 ? null : Math.min(...due);
}

const utc = (at: WallMillis): string => new Date(at).toISOString();
const clock = (at: WallMillis): string => utc(at).slice(0, 19).replace("T", " ");

function darkData(state: SiteState, now: WallMillis): EventData {
  const silent = now - (state.heard_at ?? state.registered_at);
  const last = state.status;
  const message =
    state.heard_at === null
      ? `No heartbeat has ever come since the site was registered ${sayDuration(silent)} ago. Is the hub running, with this edge and its key in hairpin.yaml?`
      : `The house has been silent for ${sayDuration(silent)}, since ${clock(state.heard_at)} UTC: power, Internet or the hub itself. ${lastWords(last)}`;
  return dataOf(state, "site_dark", `${state.site} is dark`, message, utc(state.heard_at ?? state.registered_at), last);
}

/** The last known diagnosis: it tells a power cut from a trouble that had already begun. */
function lastWords(last: StatusMirror | null): string {
  if (last === null) return "Nothing is known of its state.";
  const cause = last.cause === null ? "" : ` (${last.cause})`;
  return `The last it said: ${last.state}${cause}. ${last.summary}`;
}

function backData(before: SiteState, now: WallMillis): EventData {
  const from = before.heard_at ?? before.registered_at;
  const message =
    before.heard_at === null
      ? "The first heartbeat has come."
      : `Heartbeats come again after ${sayDuration(now - from)} of silence, since ${clock(from)} UTC.`;
  return dataOf(before, "site_back", `${before.site} is back`, message, utc(from), before.status);
}

function dataOf(
  state: SiteState,
  event: EventKind,
  title: string,
  message: string,
  since: string,
  last: StatusMirror | null,
): EventData {
  return {
    schema: "hairpin/alert/1",
    event,
    site: state.site,
    target: "all",
    // The house's word, and the edge only repeats it: it stands in the message.
    cause: null,
    title,
    message: message.slice(0, 2_000),
    since,
    vantages_failing: [],
    incident: null,
    heal_id: null,
    can_heal: false,
    status_url: null,
    advice:
      event === "site_dark" && last !== null && last.state !== "ok" ? "It was not well before it fell silent." : null,
    held_by: null,
  };
}

/** Adds an event and one delivery for each receiver, in the same state that makes it true (I15). */
function told(state: SiteState, data: EventData, now: WallMillis): SiteState {
  const seq = state.next_seq;
  // The time of registration keeps ids of a site that was removed and made anew apart.
  const id = `edge-${Math.floor(state.registered_at / 1_000).toString(36)}-${seq}`;
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
