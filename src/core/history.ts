import type { Group, House } from "./config/house.ts";
import type { LinkConfig } from "./config/schema.ts";
import { drift } from "./drift.ts";
import type { HostFacts } from "./facts.ts";
import type { FailureCode } from "./failure.ts";
import type { HostGate } from "./group.ts";
import type { CheckKind, CheckResult, Evidence, Observation } from "./observation.ts";
import type { Millis } from "./units.ts";

/** Rounds kept per check: a verdict is 3 failed of the last 4. */
export const ROUNDS_KEPT = 4;
/**
 * An observation that is older than this when it arrives could not be sent: the vantage's own way was broken, and what failed in it says
 * as much of that way as of the address. A round itself takes up to 12 s.
 */
const LATE: Millis = 15_000;
/** A host that has not answered for this long is unknown: two of its 5 s long-polls. */
export const HOST_STALE: Millis = 15_000;

/** One check in one round at one vantage, on the hub's ledger time. */
export interface Sample {
  readonly at: Millis;
  readonly ok: boolean;
  readonly failure: FailureCode | null;
  readonly detail: string | null;
  readonly ms: number | null;
  readonly evidence: Evidence;
}

export interface CheckHistory {
  readonly target: string;
  readonly id: string;
  readonly kind: CheckKind;
  /** Oldest first, at most ROUNDS_KEPT, only rounds whose control was not bad. */
  readonly samples: readonly Sample[];
}

/** A stale entry that was seen once: asking who-has cures the asker, so the evidence does not come twice. */
export interface StaleSeen {
  readonly target: string;
  /** The neighbour check that saw it: a target with several addresses has one for each. */
  readonly id: string;
  readonly mac: string;
  readonly at: Millis;
}

export interface VantageView {
  readonly name: string;
  readonly bootId: string | null;
  /** Ledger time of the latest observation, by the vantage's own account of its age. */
  readonly at: Millis | null;
  readonly observedAt: string | null;
  readonly control: boolean | null;
  readonly controlDetail: string | null;
  /** Fresh rounds heard since this hub process started. */
  readonly rounds: number;
  readonly checks: Readonly<Record<string, CheckHistory>>;
  readonly stale: readonly StaleSeen[];
}

export interface HostView {
  readonly name: string;
  /** The link as declared for this host; null when none is. */
  readonly declared: LinkConfig | null;
  readonly facts: HostFacts | null;
  readonly at: Millis | null;
  /** Since when each finding has stood in the facts without a break: facts that are seen for an instant are not told. */
  readonly standing: Readonly<Record<string, Millis>>;
  /** When the link was seen to be made anew: its ifindex changed from one set of facts to the next. */
  readonly remadeAt?: Millis;
  /** Since when the link is known by its present ifindex. */
  readonly ifindexSince?: Millis;
  /** When each finding last ended: what vantages ran into before that is explained by it. */
  readonly endedAt: Readonly<Record<string, Millis>>;
}

/** All that was heard from vantages and hosts. Plain data, bounded by the configuration. */
export interface SiteView {
  readonly startedAt: Millis;
  readonly freshFor: Millis;
  readonly vantages: Readonly<Record<string, VantageView>>;
  readonly hosts: Readonly<Record<string, HostView>>;
}

/** A view in which nothing has been heard yet. Fresh is three times the largest gap of the schedule. */
export function emptyView(house: House, gap: Millis, startedAt: Millis = 0): SiteView {
  const vantages = house.vantages.map((vantage) => [vantage.name, silentVantage(vantage.name)] as const);
  const declared = (name: string) => house.groups.find((group) => group.host?.name === name)?.link ?? null;
  const hosts = Object.keys(house.hosts).map(
    (name) => [name, { name, declared: declared(name), facts: null, at: null, standing: {}, endedAt: {} }] as const,
  );
  return { startedAt, freshFor: 3 * gap, vantages: Object.fromEntries(vantages), hosts: Object.fromEntries(hosts) };
}

function silentVantage(name: string): VantageView {
  return {
    name,
    bootId: null,
    at: null,
    observedAt: null,
    control: null,
    controlDetail: null,
    rounds: 0,
    checks: {},
    stale: [],
  };
}

/**
 * Takes one accepted observation in. `ageMs` is its age at receipt (signature time minus observed_at, both by the vantage's
 * clock). An observation that is older than fresh, or older than what is known, is history and casts no vote.
 */
export function recordObservation(
  view: SiteView,
  observation: Observation,
  receivedMono: Millis,
  ageMs: Millis,
): SiteView {
  const before = view.vantages[observation.vantage];
  if (before === undefined) return view;
  const at = receivedMono - Math.max(0, ageMs);
  if (ageMs > view.freshFor || (before.at !== null && at < before.at - 1_500)) return view;
  const control = observation.control.ok;
  const isLate = ageMs > LATE && observation.checks.some((check) => !check.ok);
  const after: VantageView = {
    ...before,
    bootId: observation.boot_id,
    at: Math.max(at, before.at ?? at),
    observedAt: observation.observed_at,
    control,
    controlDetail: observation.control.detail ?? null,
    rounds: before.rounds + 1,
    checks: control === false || isLate ? before.checks : withSamples(before.checks, observation.checks, at),
    stale: staleSeen(before.stale, observation.checks, at),
  };
  return { ...view, vantages: { ...view.vantages, [observation.vantage]: after } };
}

function withSamples(
  checks: VantageView["checks"],
  results: readonly CheckResult[],
  at: Millis,
): VantageView["checks"] {
  const after: Record<string, CheckHistory> = { ...checks };
  for (const result of results) {
    const id = result.id ?? result.check;
    const key = `${result.target}/${id}`;
    const samples = after[key]?.samples ?? [];
    const sample: Sample = {
      at,
      ok: result.ok,
      failure: result.ok ? null : (result.failure ?? "unclassified"),
      detail: result.detail ?? null,
      ms: result.ms ?? null,
      evidence: result.evidence ?? {},
    };
    after[key] = { target: result.target, id, kind: result.check, samples: [...samples, sample].slice(-ROUNDS_KEPT) };
  }
  return after;
}

/** At most one per neighbour check is kept: the newest. */
function staleSeen(before: readonly StaleSeen[], results: readonly CheckResult[], at: Millis): readonly StaleSeen[] {
  const found = results.flatMap((result): StaleSeen[] => {
    const { mac, asked, answers } = result.evidence ?? {};
    if (result.check !== "neighbour" || !mac || asked !== true || !answers?.length) return [];
    return answers.some((answer) => answer.mac === mac)
      ? []
      : [{ target: result.target, id: result.id ?? result.check, mac, at }];
  });
  if (found.length === 0) return before;
  return [...before.filter((old) => !found.some((now) => now.target === old.target && now.id === old.id)), ...found];
}

/** Takes a host's facts in; null when it did not answer. */
export function recordFacts(view: SiteView, host: string, facts: HostFacts | null, mono: Millis): SiteView {
  const before = view.hosts[host];
  if (before === undefined || facts === null) return view;
  const standing: Record<string, Millis> = {};
  for (const finding of findings(facts, before.declared)) standing[finding] = before.standing[finding] ?? mono;
  const ended = Object.keys(before.standing).filter((finding) => standing[finding] === undefined);
  const isNew = facts.link.ifindex !== null && facts.link.ifindex !== before.facts?.link.ifindex;
  const after: HostView = {
    ...before,
    facts,
    at: mono,
    standing,
    endedAt: { ...before.endedAt, ...Object.fromEntries(ended.map((finding) => [finding, mono])) },
    ...(isNew ? { ifindexSince: mono } : {}),
    ...(isNew && before.facts !== null ? { remadeAt: mono } : {}),
  };
  return { ...view, hosts: { ...view.hosts, [host]: after } };
}

/** Words for what is not right in the facts. Null is unknown and never a finding. */
function findings(facts: HostFacts, declared: LinkConfig | null): string[] {
  const { link, parent, speaker } = facts;
  const found: string[] = [];
  if (parent.exists === false) found.push("parent_missing");
  else if (parent.up === false) found.push("parent_down");
  // Without its parent the link cannot be: its absence begins to count when the parent is back.
  if (link.exists === false && parent.exists !== false) found.push("link_missing");
  else if (link.up === false) found.push("link_down");
  else if (link.exists === true && declared !== null && drift(link, declared).length > 0) found.push("link_drifted");
  if (link.exists === true && link.up === true && speaker.listening === false) found.push("not_listening");
  if (speaker.announce_failed === true) found.push("announce_failed");
  if (facts.ports?.some((port) => port.uplink === true && port.carrier === false)) found.push("uplink_down");
  return found;
}

/** What was heard from the host of a group; undefined where none is configured. */
export const hostOf = (view: SiteView, group: Group): HostView | undefined =>
  group.host === null ? undefined : view.hosts[group.host.name];

/** The host's facts while they are fresh; null when it has none or has fallen silent. */
export function freshFacts(view: SiteView, group: Group, now: Millis): HostFacts | null {
  const host = hostOf(view, group);
  if (host === undefined || host.facts === null || host.at === null) return null;
  return now - host.at > HOST_STALE ? null : host.facts;
}

/** Whether a finding has stood for at least so long, by facts that are still fresh. */
export function hasStood(view: SiteView, group: Group, finding: string, forMillis: Millis, now: Millis): boolean {
  if (freshFacts(view, group, now) === null) return false;
  const since = hostOf(view, group)?.standing[finding];
  return since !== undefined && now - since >= forMillis;
}

/** What the host says of itself, as the gates see it. */
export function hostGate(view: SiteView, group: Group, now: Millis): HostGate {
  const facts = freshFacts(view, group, now);
  return {
    configured: group.host !== null,
    reachable: facts !== null,
    armed: facts?.armed ?? null,
    pausedUntil: facts?.paused_until ?? null,
    breakerOpen: facts === null ? null : facts.breaker === "open",
    kubernetes: facts?.kubernetes.reachable ?? null,
  };
}

/** Whether a vantage has been heard recently enough to be believed. */
export function isFresh(view: SiteView, vantage: VantageView, now: Millis): boolean {
  return vantage.at !== null && now - vantage.at <= view.freshFor;
}
