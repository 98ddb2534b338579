import type { EdgeConfig } from "./config/schema.ts";
import type { HeartbeatAnswer, OutsideCheck, OutsideObservation } from "./edge/wire.ts";
import type { FailureCode } from "./failure.ts";
import { ROUNDS_KEPT, type Sample } from "./history.ts";
import { plain } from "./text.ts";
import { MINUTE, type Millis, SECOND } from "./units.ts";
import { verdictOf } from "./verdict.ts";

/**
 * What the edge sees of the house's public names. It is kept apart from SiteView, which every assessment and every decision is made
 * of: whatever an edge says, no verdict, vote or repair can follow from it (I9). It is shown, and told to a person.
 */
export interface OutsideView {
  readonly checks: Readonly<Record<string, OutsideHistory>>;
}

export interface OutsideHistory {
  readonly kind: OutsideCheck["kind"];
  /** Oldest first, at most ROUNDS_KEPT, on the hub's ledger time. */
  readonly samples: readonly (Sample & { readonly observedAt: string })[];
}

/** Nothing has been seen yet of what is asked for. */
export function emptyOutside(asked: readonly OutsideCheck[]): OutsideView {
  return { checks: Object.fromEntries(asked.map(({ id, kind }) => [id, { kind, samples: [] }])) };
}

/** The edge probes about once a minute, whatever the heartbeat's pace. */
const PROBES_EVERY: Millis = MINUTE;
/** The same observation comes with several answers, each over a way of another length. */
const SAME_WITHIN: Millis = 2 * SECOND;
const DETAIL_MAX = 200;

/** An observation that is older says nothing of now. */
export const freshFor = (every: Millis): Millis => 3 * (every + PROBES_EVERY);

/** The checks of `edge.checks` in the form in which the edge gets them with each heartbeat. */
export function outsideChecks(checks: EdgeConfig["checks"]): readonly OutsideCheck[] {
  const seen = new Map<string, number>();
  const unique = (id: string): string => {
    const count = (seen.get(id) ?? 0) + 1;
    seen.set(id, count);
    return (count === 1 ? id : `${id}#${count}`).slice(-128);
  };
  return checks.map((check): OutsideCheck => {
    if ("dns" in check) {
      const { name, type, expect, server, transport, server_name, ad, rrsig } = check.dns;
      return {
        kind: "dns",
        id: unique(`dns:${name}`),
        name,
        type,
        expect: expect ?? null,
        server: server ?? null,
        ...said({ transport, server_name, ad, rrsig }),
      };
    }
    if ("https" in check) {
      const { host, path, port, status, address, body, headers } = check.https;
      return {
        kind: "https",
        id: unique(`https:${host}`),
        host,
        path,
        port,
        status,
        address: address ?? null,
        ...said({ body, headers }),
      };
    }
    if ("oidc" in check) {
      const { issuer, port, address, algorithm } = check.oidc;
      const own = Number(/^https:\/\/[^/]*?:(\d+)(\/|$)/.exec(issuer)?.[1] ?? 443);
      const known = { issuer, port: port ?? own, address: address ?? null, ...said({ algorithm }) };
      return { kind: "oidc", id: unique("oidc"), ...known };
    }
    const { host, port } = check.tcp;
    return { kind: "tcp", id: unique(`tcp:${host}:${port}`), host, port };
  });
}

/** Only what was said: a heartbeat is no longer than it must be. */
function said<T extends object>(settings: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}

/**
 * Takes the observations of one answer in. Only checks that were asked for count. How old each is, is by the edge's own clock
 * alone; one that was taken in already, that is older than what is known, or that lies in the edge's future, is left out.
 */
export function recordOutside(
  view: OutsideView,
  asked: readonly OutsideCheck[],
  answer: HeartbeatAnswer,
  received: Millis,
): OutsideView {
  const edgeNow = Date.parse(answer.now);
  const checks: Record<string, OutsideHistory> = {};
  for (const { id, kind } of asked) {
    const before = view.checks[id] ?? { kind, samples: [] };
    const seen = answer.observations.find((one) => one.id === id && one.kind === kind);
    checks[id] = seen === undefined ? before : withSample(before, seen, edgeNow, received);
  }
  return { checks };
}

function withSample(
  before: OutsideHistory,
  seen: OutsideObservation,
  edgeNow: number,
  received: Millis,
): OutsideHistory {
  const age = edgeNow - Date.parse(seen.observed_at);
  const last = before.samples.at(-1);
  const at = received - Math.max(0, age);
  if (Number.isNaN(age) || age < -SAME_WITHIN) return before;
  if (last !== undefined && (last.observedAt === seen.observed_at || at < last.at + SAME_WITHIN)) return before;
  const sample = {
    at,
    ok: seen.ok,
    failure: seen.ok ? null : (seen.failure ?? "unclassified"),
    detail: seen.detail === null ? null : plain(seen.detail, DETAIL_MAX),
    ms: seen.ms === null || seen.ms > 86_400_000 ? null : seen.ms,
    evidence: {},
    observedAt: new Date(Date.parse(seen.observed_at)).toISOString(),
  };
  return { ...before, samples: [...before.samples, sample].slice(-ROUNDS_KEPT) };
}

/** One check as it stands from outside, for the status, the page and the metrics. */
export interface OutsideStanding {
  readonly kind: OutsideCheck["kind"];
  readonly state: "ok" | "failed" | "unknown";
  readonly failure: FailureCode | null;
  readonly detail: string | null;
  readonly ms: number | null;
  readonly observed_at: string | null;
}

export function standingsOutside(
  view: OutsideView,
  now: Millis,
  fresh: Millis,
): Readonly<Record<string, OutsideStanding>> {
  return Object.fromEntries(
    Object.entries(view.checks).map(([id, { kind, samples }]) => {
      const heard = samples.filter((sample) => now - sample.at <= ROUNDS_KEPT * fresh);
      const last = heard.at(-1);
      const isFresh = last !== undefined && now - last.at <= fresh;
      const standing: OutsideStanding = {
        kind,
        state: isFresh ? verdictOf(heard) : "unknown",
        failure: isFresh ? last.failure : null,
        detail: isFresh ? last.detail : null,
        ms: isFresh ? last.ms : null,
        observed_at: last?.observedAt ?? null,
      };
      return [id, standing];
    }),
  );
}

export interface OutsideFinding {
  readonly cause: "outside_path";
  readonly summary: string;
  readonly evidence: readonly string[];
  readonly advice: string;
}

/**
 * Inside fine, outside not: the way into the house is broken, and nothing in it. Null while something inside is not fine, for then
 * that explains it (a root cause silences what follows from it), and while nothing fails from outside.
 */
export function outsideFinding(
  standings: Readonly<Record<string, OutsideStanding>>,
  insideIsFine: boolean,
): OutsideFinding | null {
  const failed = Object.entries(standings).filter(([, standing]) => standing.state === "failed");
  if (!insideIsFine || failed.length === 0) return null;
  const isNaming = failed.every(([, { failure }]) => failure?.startsWith("dns_") === true);
  const names = [...new Set(failed.map(([id]) => nameIn(id)))].slice(0, 4).join(", ");
  const one = new Set(failed.map(([id]) => nameIn(id))).size === 1;
  return {
    cause: "outside_path",
    summary: isNaming
      ? `Inside all is fine. From outside ${names} ${one ? "does" : "do"} not resolve: the public DNS.`
      : `Inside all is fine. From outside ${names} ${one ? "fails" : "fail"}: the tunnel, the port forwarding or the public DNS.`,
    evidence: failed.map(
      ([id, { failure, detail, observed_at }]) =>
        `edge: ${id} ${failure ?? "failed"}${detail === null ? "" : ` (${detail})`} at ${observed_at ?? "?"}.`,
    ),
    advice: isNaming
      ? `dig @1.1.1.1 ${names.split(",")[0]}   # then the zone at its provider`
      : "systemctl status cloudflared   # or the router's port forwarding; then the public DNS zone",
  };
}

const nameIn = (id: string): string => /^[a-z]+:([^:#]+)/.exec(id)?.[1] ?? id;
