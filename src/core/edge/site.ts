import type { Delivery, SubscriberState } from "../delivery.ts";
import type { HairpinEvent } from "../event.ts";
import { DAY, MINUTE, type Millis, type WallMillis } from "../units.ts";
import type { FleetRow } from "./fleet.ts";
import { told } from "./telling.ts";
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
import { backData, darkData, testData } from "./wording.ts";

/** `waiting`: no heartbeat ever came; a site that never speaks is dark after the same silence. */
export type SitePhase = "waiting" | "alive" | "dark";

/** A request to heal on its way through the edge. */
export interface WaitingHeal {
  /** Emptied once it has expired or was answered. */
  readonly envelope: HealEnvelope;
  /** SHA-256 of its body: tells a repetition from another request of the same id, also when the body is gone. */
  readonly digest: string;
  readonly received_at: WallMillis;
  readonly state: "waiting" | "fetched" | "answered";
  readonly result: HealResult | null;
}

/** Where an alert stands; `due_mono` and `queued_mono` are the edge's wall clock, the only one that outlives an object. */
export interface EdgeDelivery {
  readonly row: Delivery;
  readonly event: HairpinEvent;
}

export interface HeartbeatMark {
  readonly boot_id: string;
  readonly seq: number;
  readonly webhook_id: string;
  /** SHA-256 of the text. */
  readonly digest: string;
}

/** All that the edge remembers of one site: one row of its store, so that a heartbeat costs one written row. */
export interface SiteState {
  readonly version: 1;
  readonly site: string;
  readonly settings: SiteSettings;
  readonly registered_at: WallMillis;
  readonly heard_at: WallMillis | null;
  /** The newest heartbeat: enough to know a repetition, and everything older. */
  readonly mark: HeartbeatMark | null;
  /** Earlier boots, the latest last: what is signed with one of them is a replay. */
  readonly superseded: readonly string[];
  readonly silence_ms: number;
  readonly every_ms: number;
  readonly phase: SitePhase;
  readonly since: WallMillis;
  /** When the edge noticed that it had been away itself and gave the house one more silence; null after a heartbeat. */
  readonly resumed_at: WallMillis | null;
  /** The edge's own URL as the hub dialled it, for the links in alerts. */
  readonly origin: string | null;
  readonly status: StatusMirror | null;
  readonly checks: readonly OutsideCheck[];
  readonly observations: readonly OutsideObservation[];
  readonly probed_at: WallMillis | null;
  readonly heals: readonly WaitingHeal[];
  readonly events: readonly HairpinEvent[];
  readonly deliveries: readonly EdgeDelivery[];
  readonly subscribers: readonly SubscriberState[];
  readonly next_seq: number;
  /** The line that the fleet's list has of this site; null: it was never told. */
  readonly listed: FleetRow | null;
}

const BOOTS_MAX = 16;
const HEALS_KEPT = 16;
/** A request that was answered, or not, is shown for so long. */
const HEAL_SHOWN: WallMillis = DAY;
/** A platform's alarms are late by seconds; so much later, it was the edge that was away. */
export const LATE_TICK: Millis = 2 * MINUTE;
/** How old the outside observations may get while heartbeats come. */
export const PROBE_EVERY: Millis = MINUTE;
/** And while none comes: an alarm each time, for a page that somebody may be looking at. */
export const PROBE_DARK_EVERY: Millis = 5 * MINUTE;

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
    resumed_at: null,
    origin: null,
    status: null,
    checks: [],
    observations: [],
    probed_at: null,
    heals: [],
    events: [],
    deliveries: [],
    subscribers: [],
    next_seq: 1,
    listed: null,
  };
}

/** New keys, tokens and receivers; what was heard stays. Before the first heartbeat the silence is the administrator's. */
export function reconfigured(state: SiteState, settings: SiteSettings): SiteState {
  const silence_ms = state.heard_at === null ? settings.silence_ms : state.silence_ms;
  // Whoever changes the receivers has seen to them: each is tried again.
  return { ...state, settings, silence_ms, subscribers: [] };
}

/** When the site is dark unless a heartbeat comes. */
export function darkAt(state: SiteState): WallMillis {
  return Math.max(state.heard_at ?? state.registered_at, state.resumed_at ?? 0) + state.silence_ms;
}

export type Heard =
  | { readonly kind: "accepted"; readonly state: SiteState }
  | { readonly kind: "duplicate" }
  | { readonly kind: "conflict"; readonly detail: string };

export type Arrival = Pick<HeartbeatMark, "webhook_id" | "digest"> & { readonly origin: string };

/** Takes a heartbeat whose signature was verified. `(boot_id, seq)` grows strictly, so that nothing counts twice (I18). */
export function heard(state: SiteState, beat: Heartbeat, arrival: Arrival, now: WallMillis): Heard {
  const { mark } = state;
  const { digest, webhook_id, origin } = arrival;
  if (mark?.webhook_id === webhook_id && mark.digest !== digest)
    return { kind: "conflict", detail: "this webhook-id came with another body" };
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
    resumed_at: null,
    origin,
    mark: { boot_id: beat.boot_id, seq: beat.seq, webhook_id, digest },
    superseded: isNewBoot ? [...state.superseded, mark.boot_id].slice(-BOOTS_MAX) : state.superseded,
    silence_ms: beat.silence_ms,
    every_ms: beat.every_ms,
    status: beat.status,
    checks: beat.checks,
    observations: state.observations.filter(({ id }) => beat.checks.some((check) => check.id === id)),
    heals: state.heals.map((heal) => {
      const result = beat.heal_results.find(({ id }) => id === heal.envelope.id);
      return result === undefined ? heal : answered(heal, result);
    }),
  };
  if (known.phase === "alive") return { kind: "accepted", state: known };
  const wasDark = known.phase === "dark";
  const alive: SiteState = { ...known, phase: "alive", since: now };
  return { kind: "accepted", state: wasDark ? told(alive, backData(state, now, beat.status), now) : alive };
}

function answered(heal: WaitingHeal, result: HealResult): WaitingHeal {
  return { ...heal, envelope: { ...heal.envelope, signature: "", body: "" }, state: "answered", result };
}

/** Takes the requests that still live for the answer to a heartbeat; they stay until the house says what became of them. */
export function fetched(state: SiteState, now: WallMillis): { state: SiteState; envelopes: readonly HealEnvelope[] } {
  const lives = (heal: WaitingHeal) => isOpen(heal) && now - heal.received_at < HEAL_LIVES_MS;
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
export function asked(state: SiteState, envelope: HealEnvelope, digest: string, now: WallMillis): Asked {
  const kept = state.heals.filter(({ received_at }) => now - received_at < HEAL_SHOWN);
  const known = kept.find((heal) => heal.envelope.id === envelope.id);
  if (known !== undefined) return known.digest === digest ? { kind: "known", heal: known } : { kind: "conflict" };
  const open = kept.filter((heal) => isOpen(heal) && now - heal.received_at < HEAL_LIVES_MS);
  if (open.length >= HEALS_WAITING_MAX) return { kind: "full" };
  const heal: WaitingHeal = { envelope, digest, received_at: now, state: "waiting", result: null };
  return { kind: "waiting", state: { ...state, heals: [...kept, heal].slice(-HEALS_KEPT) }, heal };
}

/**
 * What time alone changes. Called by the alarm, by cron and by every request: it says `site_dark` once for one silence, however
 * often it is called. A tick that comes far too late means that the edge was away, not the house, which had nobody to speak to:
 * then the house gets one more silence.
 */
export function tick(before: SiteState, now: WallMillis): SiteState {
  const state = withoutExpired(before, now);
  if (state.phase === "dark" || now < darkAt(state)) return state;
  if (now > darkAt(state) + LATE_TICK && state.resumed_at === null) return { ...state, resumed_at: now };
  const dark: SiteState = { ...state, phase: "dark", since: now };
  return told(dark, darkData(state, now), now);
}

/** Queues a `test` for every receiver. */
export function tested(state: SiteState, now: WallMillis): SiteState {
  return told(state, testData(state), now);
}

const isOpen = (heal: WaitingHeal): boolean => heal.state !== "answered" && heal.envelope.body !== "";

/** A request that nobody fetched in its time is forgotten but for its id: the edge keeps no one's signed words any longer. */
function withoutExpired(state: SiteState, now: WallMillis): SiteState {
  if (!state.heals.some((heal) => isOpen(heal) && now - heal.received_at >= HEAL_LIVES_MS)) return state;
  const heals = state.heals.map((heal) =>
    isOpen(heal) && now - heal.received_at >= HEAL_LIVES_MS
      ? { ...heal, envelope: { ...heal.envelope, signature: "", body: "" } }
      : heal,
  );
  return { ...state, heals };
}

/** When the next thing is due by itself; null: nothing before a request comes. */
export function wakeAt(state: SiteState): WallMillis | null {
  const due = state.deliveries.filter(({ row }) => row.state === "queued").map(({ row }) => row.due_mono);
  if (state.phase !== "dark") due.push(darkAt(state));
  else if (state.checks.length > 0) due.push((state.probed_at ?? state.since) + PROBE_DARK_EVERY);
  for (const heal of state.heals) if (isOpen(heal)) due.push(heal.received_at + HEAL_LIVES_MS);
  return due.length === 0 ? null : Math.min(...due);
}
