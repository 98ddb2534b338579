import { isIpv6 } from "../address.ts";
import type { Group, House, Target, Vantage } from "../config/house.ts";
import type { HostFacts } from "../facts.ts";
import {
  type CheckHistory,
  freshFacts,
  hasStood,
  hostOf,
  isFresh,
  type Sample,
  type SiteView,
  type VantageView,
} from "../history.ts";
import { type Millis, SECOND } from "../units.ts";
import { areGood, checksOf, failingSince, goodSince, latest, verdictOf, worstVerdict } from "../verdict.ts";

/** A former MAC that was seen at a vantage stays evidence for so long beyond `heal.confirm`: Linux clients forget after 29–47 s. */
const STALE_HOLD: Millis = 30 * SECOND;
/** A voter that was heard this long after the trouble began has really looked at it. */
const HEARD_MARGIN: Millis = 200;

/** From the first good answer of a recovery until every address is good everywhere: services are announced one after the other. */
const RECOVERY: Millis = 2 * SECOND;

/** One eligible vantage's look at one address of a target, in the words that the table of causes needs. */
export interface Look {
  readonly vantage: Vantage;
  readonly view: VantageView;
  readonly target: Target;
  /** Each address is looked at by itself: IPv4 may be answered while IPv6 is not. */
  readonly address: string;
  readonly verdict: "ok" | "failed" | "unknown";
  readonly good: boolean;
  /** The neighbour check's newest sample, while its verdict is failed or it is good. */
  readonly neighbour: Sample | undefined;
  readonly neighbourFailed: boolean;
  readonly checks: readonly CheckHistory[];
  /** MACs that answered the last who-has; null when it could not be asked. */
  readonly answers: readonly string[] | null;
  readonly tableMac: string | null;
  /** A former MAC of the link that this vantage held a moment ago while who-has answered rightly. */
  readonly stale: string | null;
  /** Taken before something that the host found was over: that it was good says nothing of what is now. */
  readonly isPast: boolean;
  /** It is from before the end of what explains it, which was a moment ago, and has not been taken again. */
  readonly isDue: boolean;
}

/** Everything that the table of causes looks at, prepared once per assessment. */
export interface Scene {
  readonly house: House;
  readonly group: Group;
  readonly view: SiteView;
  readonly now: Millis;
  readonly facts: HostFacts | null;
  readonly targets: readonly Target[];
  /** Vantages that may vote: fresh, control not bad, not muted, not on the host. */
  readonly eligible: readonly VantageView[];
  /** Off-host vantages that are not heard, or whose control is bad. */
  readonly silent: readonly Vantage[];
  readonly looks: readonly Look[];
  /** When the present trouble began: the oldest running streak of failed samples. */
  readonly troubleSince: Millis | null;
  /** How long a former MAC that was seen stays evidence. */
  readonly staleHold: Millis;
  readonly stood: (finding: string, forMillis: Millis) => boolean;
  readonly linkMac: string | null;
  readonly alsoMacs: readonly string[];
}

/** `voidBefore`: stale evidence older than the last repair proves nothing any more. */
export function sceneOf(view: SiteView, house: House, group: Group, now: Millis, voidBefore: Millis): Scene {
  const facts = freshFacts(view, group, now);
  const targets = house.targets.filter((target) => target.group === group.name);
  const hold = 1.5 * house.heal.confirm + STALE_HOLD;
  const offHost = house.vantages.filter((vantage) => vantage.where !== "host");
  const heard = (vantage: Vantage) => {
    const seen = view.vantages[vantage.name];
    return seen !== undefined && isFresh(view, seen, now) && seen.control !== false;
  };
  const voters = offHost.filter((vantage) => !vantage.muted && heard(vantage));
  const taken = voters.flatMap((vantage) =>
    targets.flatMap((target) =>
      target.addresses.map((address) =>
        lookOf(vantage, view.vantages[vantage.name]!, { target, address }, facts, {
          now,
          voidBefore,
          hold,
          explained: explainedUntil(view, group, vantage),
          ended: endedAt(view, group),
        }),
      ),
    ),
  );
  const looks = taken.map((look) => (isOutdated(look, taken) ? { ...look, verdict: "unknown" as const } : look));
  const streaks = looks.flatMap((look) => look.checks.map(failingSince)).filter((since) => since !== null);
  return {
    house,
    group,
    view,
    now,
    facts,
    targets,
    eligible: voters.map((vantage) => view.vantages[vantage.name]!),
    silent: offHost.filter((vantage) => !heard(vantage)),
    looks,
    troubleSince: streaks.length === 0 ? null : Math.min(...streaks),
    staleHold: hold,
    stood: (finding, forMillis) => hasStood(view, group, finding, forMillis, now),
    linkMac: group.link?.mac ?? null,
    alsoMacs: Object.values(group.link?.also ?? {}),
  };
}

/** Findings of the host that explain whatever a vantage runs into, and those that explain it to one beyond the uplink. */
const EXPLAINS_ALL = ["parent_missing", "parent_down", "link_missing", "link_down"] as const;
const EXPLAINS_LAN = ["uplink_down"] as const;
/** A round that began so soon after the end may still have met what was before. */
const END_MARGIN: Millis = SECOND;
/** For so long a vantage is asked to look again: one that does not hear it comes by its schedule. */
const ASKED_AGAIN: Millis = 10 * SECOND;
/** The speaker looks at its links every 10 s (measured): until then nobody answers on a link that was made anew. */
const SPEAKER_SCAN: Millis = 10 * SECOND;

/** When the last of what the host found was over: what was good before it need not be so now. */
function endedAt(view: SiteView, group: Group): Millis {
  return Math.max(Number.NEGATIVE_INFINITY, ...Object.values(hostOf(view, group)?.endedAt ?? {}));
}

/** What a vantage ran into before this time is explained by what the host found then, and says nothing of what is now. */
export function explainedUntil(view: SiteView, group: Group, vantage: Vantage): Millis {
  const host = hostOf(view, group);
  if (host === undefined) return Number.NEGATIVE_INFINITY;
  const findings = vantage.where === "vm" ? EXPLAINS_ALL : [...EXPLAINS_ALL, ...EXPLAINS_LAN];
  const ended = findings.flatMap((finding) => host.endedAt[finding] ?? []);
  const hasGivenUp = host.standing["announce_failed"] !== undefined;
  const remade = host.remadeAt === undefined || hasGivenUp ? [] : [host.remadeAt + SPEAKER_SCAN];
  return Math.max(Number.NEGATIVE_INFINITY, ...[...ended, ...remade].map((at) => at + END_MARGIN));
}

function lookOf(
  vantage: Vantage,
  view: VantageView,
  { target, address }: { target: Target; address: string },
  facts: HostFacts | null,
  time: { now: Millis; voidBefore: Millis; hold: Millis; explained: Millis; ended: Millis },
): Look {
  const own = (id: string) => target.addresses.length === 1 || id.endsWith(`@${address}`);
  const checks = checksOf(view, target.name).filter((check) => own(check.id));
  const silentRounds = roundsWithoutAnswer(checks);
  const judged = checks.map((check) => ({
    ...check,
    samples: check.samples.filter(
      (sample) =>
        sample.ok || (sample.at >= time.explained && !(check.kind !== "neighbour" && silentRounds.has(sample.at))),
    ),
  }));
  const neighbourCheck = judged.find((check) => check.kind === "neighbour");
  const neighbour = latest(checks.find((check) => check.kind === "neighbour"));
  const seen = view.stale.find((stale) => stale.target === target.name && own(stale.id));
  const isStale =
    seen !== undefined &&
    seen.at > time.voidBefore &&
    time.now - seen.at <= time.hold &&
    (facts?.former_macs ?? []).includes(seen.mac);
  const isPast = view.at !== null && view.at <= time.ended;
  const verdict = worstVerdict(judged);
  const isGood = areGood(checks);
  const isJustOver = (at: Millis) => time.now >= at && time.now - at <= ASKED_AGAIN;
  return {
    vantage,
    view,
    target,
    address,
    verdict: isPast && verdict === "ok" ? "unknown" : verdict,
    good: !isPast && isGood,
    neighbour,
    neighbourFailed: neighbourCheck !== undefined && verdictOf(neighbourCheck.samples) === "failed",
    checks: judged,
    answers:
      neighbour?.evidence.asked === true
        ? [...new Set((neighbour.evidence.answers ?? []).map((answer) => answer.mac))]
        : null,
    tableMac: neighbour?.evidence.mac ?? null,
    stale: isStale ? seen.mac : null,
    isPast,
    isDue:
      (isPast && isJustOver(time.ended)) ||
      (!isGood && view.at !== null && view.at < time.explained && isJustOver(time.explained)),
  };
}

/**
 * The rounds in which nobody answered who-has, once it is answered again: what else failed in them followed from that, and says nothing of
 * the service.
 */
function roundsWithoutAnswer(checks: readonly CheckHistory[]): ReadonlySet<Millis> {
  const neighbour = checks.find((check) => check.kind === "neighbour");
  if (latest(neighbour)?.ok !== true) return new Set();
  return new Set(neighbour?.samples.flatMap((sample) => (sample.failure === "no_neighbour" ? [sample.at] : [])));
}

/**
 * Whether a look that cannot ask who-has is older than another's turn for the better: it has not been heard since, and what it ran into
 * may be over. One that can ask stands by its own answer.
 */
function isOutdated(look: Look, looks: readonly Look[]): boolean {
  if (look.verdict !== "failed" || look.checks.some((check) => check.kind === "neighbour")) return false;
  return looks.some((good) => {
    if (good === look || good.address !== look.address || !good.good) return false;
    const since = goodSince(good.checks);
    return since !== null && look.view.at !== null && since + RECOVERY > look.view.at;
  });
}

/** Whether the look was taken after the trouble began, so that its being good says something. */
export function isAware(scene: Scene, look: Look): boolean {
  if (scene.troubleSince === null) return true;
  return look.view.at !== null && look.view.at > scene.troubleSince + HEARD_MARGIN;
}

/**
 * Whether two looks at one address contradict each other: the good one was taken after the trouble began, and the failed one has
 * been heard since the good one turned good. Otherwise whoever was asked first merely does not know yet.
 */
export function contradicts(scene: Scene, good: Look, bad: Look): boolean {
  if (good.target.name !== bad.target.name || good.address !== bad.address || !isAware(scene, good)) return false;
  const neighbour = good.checks.filter((check) => check.kind === "neighbour");
  const since = goodSince(good.good || neighbour.length === 0 ? good.checks : neighbour);
  if (since === null) return false;
  const turned = scene.troubleSince !== null && since > scene.troubleSince;
  return !turned || (bad.view.at !== null && bad.view.at > since + RECOVERY);
}

/** Whether one look shows an address to be fine while another fails at it: it contradicts that, or was served all through but for a slip. */
export const isFine = (scene: Scene, look: Look, bad: Look): boolean =>
  (look.good && contradicts(scene, look, bad)) || isServedThroughout(scene, look, bad);

/** Samples of each check that are looked at, and how many of them may have failed, for a look to be fine but for one slip. */
const [SLIP_OF, SLIPS_MAX, SERVED_MIN] = [3, 1, 2] as const;

/**
 * Whether an address is served at one vantage all through the trouble of another, but for one lost sample: a busy vantage loses one now
 * and then, and the difference between the two is not over for that.
 */
function isServedThroughout(scene: Scene, look: Look, bad: Look): boolean {
  if (look.target.name !== bad.target.name || look.address !== bad.address || look.verdict === "failed") return false;
  const from = (scene.troubleSince ?? Number.NEGATIVE_INFINITY) + HEARD_MARGIN;
  // One that failed as well at first has recovered, and the other need not know yet that the trouble is over.
  const since = goodSince(look.checks);
  const knows = since !== null && bad.view.at !== null && bad.view.at > since + RECOVERY;
  return (
    look.checks.length > 0 &&
    look.checks.every((check) => {
      const late = check.samples.filter((sample) => sample.at > from);
      const last = late.slice(-SLIP_OF);
      const served = last.filter((sample) => sample.ok).length;
      return served >= SERVED_MIN && last.length - served <= SLIPS_MAX && (late[0]?.ok === true || knows);
    })
  );
}

/** The failed checks of a look, by their newest sample. */
export function failures(look: Look): readonly { check: CheckHistory; sample: Sample }[] {
  return look.checks.flatMap((check) => {
    const sample = latest(check);
    return sample !== undefined && !sample.ok && verdictOf(check.samples) === "failed" ? [{ check, sample }] : [];
  });
}

/**
 * Whether a round of late was refused or reset. A dead pod refuses some UDP questions and lets others run into the time-out,
 * because the kernel limits its ICMP answers (measured): one refusal says what all the time-outs mean.
 */
export function wasRefused(look: Look): boolean {
  return look.checks.some(
    (check) =>
      verdictOf(check.samples) === "failed" &&
      check.samples.some((sample) => sample.failure === "refused" || sample.failure === "reset"),
  );
}

/**
 * Whether another target of the group is served as ever, by an address of the same family: then packets are forwarded, and one that
 * times out is its own service's. IPv4 says nothing of IPv6: kube-proxy has rules for each.
 */
export function isServedBeside(scene: Scene, bad: Look): boolean {
  const family = scene.looks.filter((look) => isIpv6(look.address) === isIpv6(bad.address));
  const failed = new Set(family.filter((look) => look.verdict === "failed").map((look) => look.target.name));
  return family.some((look) => !failed.has(look.target.name) && look.good && isAware(scene, look));
}
