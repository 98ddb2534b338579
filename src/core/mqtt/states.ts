import { OWN } from "../cause.ts";
import type { House } from "../config/house.ts";
import type { MqttConfig } from "../config/schema.ts";
import type { LinkFacts } from "../facts.ts";
import type { GroupStatus, Status, TargetStatus } from "../status.ts";
import { plain } from "../text.ts";
import { HEAL_OUTCOMES, hasCertificate } from "./components.ts";
import { type Topics, topicsOf } from "./topics.ts";

/** The end of a target's certificate as a vantage last saw it: the earliest of all. */
export interface CertificateSeen {
  readonly valid_to: string;
  readonly days_left: number;
  readonly subject: string | null;
  readonly issuer: string | null;
  readonly vantage: string;
}

/** Everything that the device's states are made from. */
export interface DeviceView {
  readonly status: Status;
  readonly certificates: Readonly<Record<string, CertificateSeen>>;
  readonly links: Readonly<Record<string, LinkFacts | null>>;
  /** When Home Assistant last said that it had started, as this hub heard it. */
  readonly home_assistant_seen_at: string | null;
}

/** One retained message. */
export interface StateMessage {
  readonly topic: string;
  readonly payload: string;
  /**
   * What makes it news: a message whose essence is the published one's waits for the next renewal. Times of observations and
   * milliseconds change with every round, and would fill Home Assistant's database.
   */
  readonly essence: string;
}

/** Home Assistant keeps no attributes above 16 KiB, and says so with a warning: ours end well below it. */
const TEXT_MAX = 500;
const EVIDENCE_MAX = 10;
export const UNKNOWN = "None";

const line = (text: string | null): string | null => (text === null ? null : plain(text, TEXT_MAX));

/**
 * JSON in which nothing can be taken for markup by whoever shows it without looking (fault 17): `<` is written as its escape, which
 * means the same to every parser.
 */
export function attributesJson(attributes: Readonly<Record<string, unknown>>): string {
  return JSON.stringify(attributes).replaceAll("<", "\\u003c");
}

/** The states of every entity, as they are to be retained at the broker. Pure: the same status is the same messages. */
export function statesOf(house: House, settings: MqttConfig, view: DeviceView): readonly StateMessage[] {
  const topics = topicsOf({ ...settings, site: house.site });
  return [
    ...siteStates(topics, view),
    ...(settings.commands ? switchStates(topics, view) : []),
    ...house.links.flatMap((link) => linkStates(topics, link.name, view.links[link.name] ?? null)),
    ...house.targets.flatMap((target) => {
      const known = view.status.targets[target.name];
      if (known === undefined) return [];
      const group = view.status.groups[known.group];
      return [
        ...house.vantages.flatMap((vantage) => seenStates(topics, target.name, vantage.name, known, group)),
        ...latencyStates(topics, target.name, known),
        ...(hasCertificate(target)
          ? certificateStates(topics, target.name, view.certificates[target.name] ?? null)
          : []),
      ];
    }),
  ];
}

const word = (topic: string, payload: string): StateMessage => ({ topic, payload, essence: payload });

/** Attributes beside a state. `fleeting` ones change with every round: that they are known is news, their value is none. */
function attributes(
  topics: Topics,
  state: string,
  lasting: Readonly<Record<string, unknown>>,
  fleeting: Readonly<Record<string, unknown>> = {},
): StateMessage {
  const topic = topics.attributes(state);
  const known = Object.keys(fleeting).filter((key) => fleeting[key] !== null);
  return { topic, payload: attributesJson({ ...lasting, ...fleeting }), essence: JSON.stringify([lasting, known]) };
}

function siteStates(topics: Topics, { status, home_assistant_seen_at }: DeviceView): StateMessage[] {
  const groups = Object.values(status.groups);
  const troubled = groups.find((group) => group.incident !== null) ?? null;
  const isProblem = troubled !== null || status.state === "failing" || status.state === "degraded";
  const heldBy = troubled?.heal.held_by ?? status.heal.held_by ?? "none";
  const last = latestHeal(groups) ?? status.heal.last;
  const outcome = last === null ? null : HEAL_OUTCOMES.find((known) => known === last.outcome);
  const cause = status.cause ?? "none";
  const { mode, host, breaker, budget_left_hour } = status.heal;
  return [
    word(topics.problem, isProblem ? "ON" : "OFF"),
    attributes(topics, topics.problem, {
      cause,
      summary: line(status.summary),
      advice: line(status.advice),
      evidence: status.evidence.slice(0, EVIDENCE_MAX).map(line),
      since: troubled?.since ?? status.since,
      incident: troubled?.incident ?? null,
      held_by: heldBy,
      can_heal: canHeal(status),
    }),
    word(topics.status, status.state),
    attributes(topics, topics.status, {
      summary: line(status.summary),
      since: status.since,
      mode,
      host,
      breaker,
      budget_left_hour,
      paused_until: status.heal.paused_until,
      paused_reason: line(status.heal.paused_reason),
      home_assistant_seen_at,
    }),
    word(topics.cause, cause),
    attributes(topics, topics.cause, { summary: line(status.summary) }),
    word(topics.heldBy, heldBy),
    word(topics.lastHeal, last?.at ?? UNKNOWN),
    attributes(topics, topics.lastHeal, {
      id: last?.id ?? null,
      step: last?.step ?? null,
      outcome: last?.outcome ?? null,
    }),
    word(topics.lastHealOutcome, outcome ?? UNKNOWN),
  ];
}

function switchStates(topics: Topics, { status }: DeviceView): StateMessage[] {
  const isPaused = Object.values(status.groups).some((group) => group.heal.paused_until !== null);
  return [
    word(topics.autoHeal, status.heal.auto_heal ? "ON" : "OFF"),
    word(topics.maintenance, isPaused ? "ON" : "OFF"),
  ];
}

/** Whether a press could help: as `can_heal` of the events. */
function canHeal({ cause, heal }: Status): boolean {
  const by = cause === null ? "nobody" : OWN[cause].by;
  return heal.host !== "none" && heal.mode !== "off" && (by === "remedy" || by === "guard");
}

function latestHeal(groups: readonly GroupStatus[]): Status["heal"]["last"] {
  const all = groups.flatMap((group) => group.heal.last ?? []);
  return all.sort((a, b) => (a.at < b.at ? 1 : -1))[0] ?? null;
}

function linkStates(topics: Topics, name: string, facts: LinkFacts | null): StateMessage[] {
  const topic = topics.link(name);
  const isThere = facts === null || facts.exists === null ? null : facts.exists && facts.up === true;
  const { mac = null, parent = null, mode = null, kind = null, ifindex = null } = facts ?? {};
  return [
    word(topic, isThere === null ? UNKNOWN : isThere ? "ON" : "OFF"),
    attributes(topics, topic, { link: name, mac, parent, mode, kind, ifindex }),
  ];
}

const VERDICTS = { ok: "ON", failed: "OFF", unknown: UNKNOWN } as const;

function seenStates(
  topics: Topics,
  target: string,
  vantage: string,
  known: TargetStatus,
  group: GroupStatus | undefined,
): StateMessage[] {
  const topic = topics.seen(target, vantage);
  const standing = known.vantages[vantage];
  const failed = standing?.state === "failed";
  const lasting = {
    target,
    vantage,
    addresses: known.addresses,
    cause: failed ? (group?.cause ?? null) : null,
    failure: standing?.failure ?? null,
    mac: standing?.mac ?? null,
    since: failed ? (group?.since ?? null) : null,
  };
  const fleeting = {
    detail: line(standing?.detail ?? null),
    rtt_ms: rounded(standing?.rtt_ms ?? null),
    observed_at: standing?.observed_at ?? null,
  };
  return [word(topic, VERDICTS[standing?.state ?? "unknown"]), attributes(topics, topic, lasting, fleeting)];
}

const rounded = (millis: number | null): number | null => (millis === null ? null : Math.round(millis * 10) / 10);

/** The slowest vantage for which the target is fine: what is broken has no latency. */
function latencyStates(topics: Topics, target: string, known: TargetStatus): StateMessage[] {
  const topic = topics.latency(target);
  const times = Object.entries(known.vantages).flatMap(([vantage, { state, rtt_ms }]) =>
    state === "ok" && rtt_ms !== null ? [[vantage, rounded(rtt_ms)!] as const] : [],
  );
  const payload = times.length === 0 ? UNKNOWN : String(Math.max(...times.map(([, millis]) => millis)));
  return [
    { topic, payload, essence: times.length === 0 ? UNKNOWN : "known" },
    {
      topic: topics.attributes(topic),
      payload: attributesJson({ vantages: Object.fromEntries(times) }),
      essence: times.map(([vantage]) => vantage).join(),
    },
  ];
}

function certificateStates(topics: Topics, target: string, seen: CertificateSeen | null): StateMessage[] {
  const topic = topics.certificate(target);
  const { valid_to = null, subject = null, issuer = null, vantage = null } = seen ?? {};
  return [
    word(topic, seen === null ? UNKNOWN : String(seen.days_left)),
    attributes(topics, topic, { valid_to, subject: line(subject), issuer: line(issuer), vantage }),
  ];
}
