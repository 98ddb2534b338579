import { type FleetRow, fleetRow, isNewsToFleet } from "../core/edge/fleet.ts";
import type { AskOutcome, FleetPort, HeartbeatOutcome, Mistake, SignedText, SitePort } from "../core/edge/port.ts";
import { shownHeal, shownSite } from "../core/edge/shown.ts";
import {
  asked,
  darkAt,
  fetched,
  heard,
  newSite,
  PROBE_DARK_EVERY,
  PROBE_EVERY,
  reconfigured,
  type SiteState,
  tested,
  tick,
  wakeAt,
} from "../core/edge/site.ts";
import {
  HEAL_LIVES_MS,
  type HealEnvelope,
  type Heartbeat,
  type HeartbeatAnswer,
  heartbeat,
} from "../core/edge/wire.ts";
import { type Hmac, sameText, verify } from "../core/standard-webhooks.ts";
import { type Millis, SECOND, type WallMillis } from "../core/units.ts";
import type { Send } from "../deliver/outgoing.ts";
import { deadline } from "../probes/deadline.ts";
import { deliverDue } from "./edge-deliveries.ts";
import { askOutside, type OutsidePorts } from "./edge-probes.ts";
import type { EdgeSiteStore } from "./edge-store.ts";

/** What one site needs of its runtime. */
export interface EdgeSitePorts {
  readonly store: EdgeSiteStore;
  readonly fleet: FleetPort;
  readonly hmac: Hmac;
  /** SHA-256 in hexadecimal. */
  readonly digest: (text: string) => Promise<string>;
  readonly wall: () => WallMillis;
  readonly chance: () => number;
  readonly send: Send;
  readonly probes: OutsidePorts;
  /** The strict JSON reader of the hooks. */
  readonly readJson: (text: string) => { ok: true; value: unknown } | { ok: false; path: string; message: string };
  /** Sees to it that `tick` is called at this time or before. */
  readonly arm: (at: WallMillis) => Promise<void>;
  /** Goes on with work whose end no answer waits for; must not let it be lost while the process lives. */
  readonly background: (work: Promise<unknown>) => void;
  /** Forgets every row and every alarm. */
  readonly wipe: () => Promise<void>;
  readonly log: (fields: Readonly<Record<string, unknown>>, message: string) => void;
}

/** A hub sends one in 30 s; after an hour without Internet it may send a few at once. */
const BEAT_RATE = { burst: 60, every: SECOND / 4 };
/** Stands in for the key of a site that is not there, so that both take the same way and time. */
const NO_KEY = `whsec_${"A".repeat(43)}=`;
const PROBE_TIMEOUT = 12 * SECOND;
/** A probe that is nearly due is made now: heartbeats and the minute do not run in step. */
const PROBE_SLACK = 5 * SECOND;
const MISTAKES_MAX = 20;

/** One site at the edge. One caller at a time between two awaits; whatever is read is read anew after each. */
export function createEdgeSite(ports: EdgeSitePorts): SitePort {
  const { store, wall } = ports;
  const work = createWork(ports);
  const takes = createRate(wall);

  async function heartbeatHook(signed: SignedText): Promise<HeartbeatOutcome> {
    const keys = store.load()?.settings.keys ?? null;
    const headers = new Map([
      ["webhook-id", signed.id],
      ["webhook-timestamp", signed.timestamp],
      ["webhook-signature", signed.signature],
    ]);
    const verified = await verify(keys ?? [NO_KEY], headers, signed.body, wall() / 1_000, ports.hmac);
    if (keys === null) return { kind: "refused", reason: "no such site" };
    if (!verified.ok) return { kind: "refused", reason: verified.reason };
    const waitMs = takes();
    if (waitMs > 0) return { kind: "slow", waitMs };
    const parsed = parseBeat(signed.body, ports);
    if (!parsed.ok) return { kind: "invalid", mistakes: parsed.mistakes };
    const digest = await ports.digest(signed.body);
    return take(parsed.beat, { webhook_id: signed.id, digest, origin: signed.origin });
  }

  async function take(
    beat: Heartbeat,
    arrival: { readonly webhook_id: string; readonly digest: string; readonly origin: string },
  ): Promise<HeartbeatOutcome> {
    const now = wall();
    const state = store.load();
    if (state === null) return { kind: "refused", reason: "removed meanwhile" };
    if (beat.site !== state.site)
      return { kind: "foreign", detail: `this heartbeat is of site ${beat.site}, and was sent for ${state.site}` };
    const result = heard(state, beat, arrival, now);
    if (result.kind === "conflict") return result;
    const { state: next, envelopes } = fetched(result.kind === "accepted" ? result.state : state, now);
    if (result.kind === "accepted" || envelopes.length > 0) store.save(next);
    await work.after(next);
    const answer: HeartbeatAnswer = {
      site: state.site,
      now: new Date(now).toISOString(),
      observations: [...next.observations],
      heals: [...envelopes],
    };
    return { kind: result.kind, answer };
  }

  async function askHeal(envelope: HealEnvelope): Promise<AskOutcome> {
    const digest = await ports.digest(envelope.body);
    const now = wall();
    const state = store.load();
    if (state === null) return { kind: "unknown" };
    const result = asked(state, envelope, digest, now);
    switch (result.kind) {
      case "conflict":
        return { kind: "conflict" };
      case "full":
        return { kind: "full", waitMs: HEAL_LIVES_MS };
      case "known":
        return { kind: "duplicate", heal: shownHeal(state.site, result.heal, now) };
      case "waiting":
        store.save(result.state);
        await work.arm(result.state);
        return { kind: "queued", heal: shownHeal(state.site, result.heal, now) };
    }
  }

  return {
    heartbeat: heartbeatHook,
    askHeal,
    async heal(id) {
      const state = store.load();
      const found = state?.heals.find(({ envelope }) => envelope.id === id);
      return state === null || found === undefined ? null : shownHeal(state.site, found, wall());
    },
    async status() {
      const state = store.load();
      return state === null ? null : shownSite(state, wall());
    },
    async isToken(token) {
      let found = false;
      for (const known of store.load()?.settings.tokens ?? []) if (sameText(known, token)) found = true;
      return found;
    },
    async put(site, settings) {
      const before = store.load();
      const state = before === null ? newSite(site, settings, wall()) : reconfigured(before, settings);
      store.save(state);
      await work.arm(state);
      await work.list();
      return before === null ? "added" : "changed";
    },
    async remove() {
      const state = store.load();
      if (state === null) return false;
      await ports.fleet.remove(state.site);
      await ports.wipe();
      return true;
    },
    async test() {
      const state = store.load();
      if (state === null) return null;
      store.save(tested(state, wall()));
      await work.after(store.load());
      return state.settings.notify.length;
    },
    tick: work.tick,
  };
}

/** What goes on beside the answers: alerts, probes, the fleet's list, the alarm. */
function createWork(ports: EdgeSitePorts) {
  const { store, wall } = ports;
  let isDelivering = false;
  let isProbing = false;

  async function deliver(): Promise<void> {
    if (isDelivering) return;
    isDelivering = true;
    try {
      await deliverDue({ ...ports, load: store.load, save: store.save });
    } finally {
      isDelivering = false;
    }
  }

  async function probe(): Promise<void> {
    const checks = store.load()?.checks ?? [];
    if (isProbing || checks.length === 0) return;
    isProbing = true;
    const limit = deadline([], PROBE_TIMEOUT);
    try {
      const observations = await askOutside(checks, ports.probes, limit.signal);
      const state = store.load();
      if (state !== null) store.save({ ...state, observations, probed_at: wall() });
    } finally {
      limit.end();
      isProbing = false;
    }
  }

  /** Told again until it is taken: the list may be away, and the site must not be for that. */
  async function list(): Promise<void> {
    const state = store.load();
    if (state === null) return;
    const row: FleetRow = fleetRow(state);
    if (!isNewsToFleet(state.listed, row)) return;
    await ports.fleet.put(row);
    const now = store.load();
    if (now !== null) store.save({ ...now, listed: row });
  }

  async function arm(state: SiteState | null): Promise<void> {
    const at = state === null ? null : wakeAt(state);
    if (at !== null) await ports.arm(at);
  }

  async function after(state: SiteState | null): Promise<void> {
    if (state === null) return;
    await arm(state);
    const jobs: Promise<unknown>[] = [];
    if (state.deliveries.some(({ row }) => row.state === "queued")) jobs.push(deliver().then(() => arm(store.load())));
    if (isNewsToFleet(state.listed, fleetRow(state))) jobs.push(list());
    if (isProbeDue(state, wall(), PROBE_EVERY - PROBE_SLACK)) jobs.push(probe());
    for (const job of jobs)
      ports.background(job.catch((error) => ports.log({ error: String(error) }, "work beside a heartbeat failed")));
  }

  /** Alarm and cron call it. Idempotent: what has been told is not told again, what is under way is not begun again. */
  async function onTick(): Promise<void> {
    const before = store.load();
    if (before === null) return;
    // A fresh look from outside belongs into the alert: it tells a dead line from a dead hub.
    if (before.phase !== "dark" && wall() >= darkAt(before) && isProbeDue(before, wall(), PROBE_EVERY)) await probe();
    const state = store.load();
    if (state === null) return;
    const next = tick(state, wall());
    if (next !== state) store.save(next);
    await arm(next);
    await deliver();
    await list();
    if (next.phase === "dark" && isProbeDue(next, wall(), PROBE_DARK_EVERY - PROBE_SLACK)) await probe();
    await arm(store.load());
  }

  return { after, arm, list, tick: onTick };
}

function isProbeDue(state: SiteState, now: WallMillis, every: Millis): boolean {
  return state.checks.length > 0 && (state.probed_at === null || now - state.probed_at >= every);
}

type ParsedBeat =
  | { readonly ok: true; readonly beat: Heartbeat }
  | { readonly ok: false; readonly mistakes: readonly Mistake[] };

function parseBeat(body: string, { readJson }: EdgeSitePorts): ParsedBeat {
  const read = readJson(body);
  if (!read.ok) return { ok: false, mistakes: [{ path: read.path, message: read.message }] };
  const parsed = heartbeat.safeParse(read.value);
  if (parsed.success) return { ok: true, beat: parsed.data };
  const mistakes = parsed.error.issues.slice(0, MISTAKES_MAX).map((issue) => ({
    path: issue.path.map((part) => `/${String(part).replaceAll("~", "~0").replaceAll("/", "~1")}`).join(""),
    message: issue.message.slice(0, 200),
  }));
  return { ok: false, mistakes };
}

/** A bucket for one sender: 0 when the request may pass, else the milliseconds to wait. Its memory is the object's, and so is its end. */
function createRate(wall: () => WallMillis): () => Millis {
  let left = BEAT_RATE.burst;
  let at = wall();
  return () => {
    const now = wall();
    left = Math.min(BEAT_RATE.burst, left + Math.max(0, now - at) / BEAT_RATE.every);
    at = now;
    if (left < 1) return (1 - left) * BEAT_RATE.every;
    left -= 1;
    return 0;
  };
}
