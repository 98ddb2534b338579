import { isIpv6 } from "../address.ts";
import type { Assessment, Standing, Vote } from "../assessment.ts";
import { type Cause, OWN } from "../cause.ts";
import type { Group, House } from "../config/house.ts";
import { hostOf, isFresh, type SiteView } from "../history.ts";
import type { Step } from "../repair.ts";
import { type Instant, SECOND } from "../units.ts";
import { isProved, targetVerdict, worstFailure } from "../verdict.ts";
import { adviceFor } from "./advice.ts";
import { findCause, votes } from "./causes.ts";
import type { Finding } from "./finding.ts";
import { announcedElsewhereHere } from "./neighbour-rows.ts";
import { isAware, type Scene, sceneOf } from "./scene.ts";
import { systemNotes } from "./sentences.ts";
import { summarise } from "./summary.ts";

/** Host facts count as a vote after they have stood for so long: a speaker being restarted has no socket for a second. */
const VOTE_STANDS = 2 * SECOND;

/**
 * Compares the vantages of one group, with what the host sees: the difference is the diagnosis. Pure and total.
 *
 * `provedAfter` is the ledger time of the last repair's end: good rounds before it prove nothing, and neither does stale
 * evidence. Zero when there was none.
 */
export function assess(view: SiteView, house: House, group: Group, now: Instant, provedAfter = 0): Assessment {
  const scene = sceneOf(view, house, group, now.mono, provedAfter);
  const finding = findCause(scene) ?? silence(scene);
  const state = stateOf(scene, finding);
  const cause =
    state === "ok" && finding?.cause !== "announced_elsewhere" && finding?.cause !== "vantage_silent"
      ? null
      : (finding?.cause ?? null);
  const failing = finding === null || state === "ok" ? [] : finding.vantages;
  return {
    group: group.name,
    at: now,
    state,
    cause,
    summary: summarise(scene, state, cause),
    evidence: [...(finding?.evidence ?? []), ...systemNotes(scene)],
    advice: cause === null ? null : adviceFor(cause, scene, finding?.targets ?? []),
    standings: standingsOf(scene),
    targets: state === "ok" || finding === null ? [] : finding.targets,
    failing,
    votes: cause === null ? [] : votesOf(scene, cause),
    voters: scene.eligible.map((vantage) => vantage.name),
    good: perVoter(scene, (looks) => looks.every((look) => look.good && look.stale === null)),
    proved: perVoter(scene, (looks) =>
      looks.every((look) => isProved(look.view, look.target.name, provedAfter) && look.stale === null),
    ),
    rounds: Object.fromEntries(scene.eligible.map((vantage) => [vantage.name, vantage.rounds])),
    from: cause === null ? null : startOf(scene, cause),
    disputed: cause === "disputed",
    siteWide: cause === "site_network",
    linkRight: linkRight(scene),
    undecided: scene.looks.some((look) => look.verdict !== "failed" && !isAware(scene, look)),
    outdated: scene.looks.some((look) => look.isDue),
  };
}

/** A vantage that is not heard is a finding of its own, and never says anything of the addresses. */
function silence(scene: Scene): Finding | null {
  const silent = scene.silent.filter((vantage) => {
    const seen = scene.view.vantages[vantage.name];
    const since = seen?.at ?? scene.view.startedAt;
    return !vantage.optional && scene.now - since > scene.view.freshFor && seen?.control !== false;
  });
  if (silent.length === 0) return null;
  const evidence = silent.map(
    (vantage) =>
      `${vantage.name}: nothing heard since ${scene.view.vantages[vantage.name]?.observedAt ?? "the hub started"}.`,
  );
  return { cause: "vantage_silent", evidence, vantages: silent.map((vantage) => vantage.name), targets: [] };
}

function stateOf(scene: Scene, finding: Finding | null): Assessment["state"] {
  const failed = scene.looks.filter((look) => look.verdict === "failed");
  if (finding !== null && finding.cause !== "announced_elsewhere" && finding.cause !== "vantage_silent") {
    if (finding.cause === "site_network") return failed.length > 0 ? "failing" : "unknown";
    if (finding.cause === "lan_path") return "failing";
    if (failed.length === 0) return "degraded";
    // Green above layer 2 everywhere, and only who-has or the table is wrong: it works until the caches run out.
    const above = failed.some((look) =>
      look.checks.some((check) => check.kind !== "neighbour" && check.samples.at(-1)?.ok === false),
    );
    return above ? "failing" : "degraded";
  }
  if (scene.eligible.length === 0) return "unknown";
  if (scene.looks.some((look) => !look.good && !look.isPast && look.checks.length > 0)) return "suspect";
  return scene.looks.every((look) => look.verdict === "ok") ? "ok" : "unknown";
}

function perVoter(scene: Scene, holds: (looks: Scene["looks"]) => boolean): readonly string[] {
  return scene.eligible
    .map((vantage) => vantage.name)
    .filter((name) => {
      const looks = scene.looks.filter((look) => look.vantage.name === name);
      return looks.length > 0 && holds(looks);
    });
}

function votesOf(scene: Scene, cause: Cause): readonly Vote[] {
  const voters = new Map<string, string>();
  for (const look of scene.looks) {
    const isBad = look.verdict === "failed" || look.stale !== null;
    if (isBad && votes(cause, look, scene))
      voters.set(look.vantage.name, `${look.target.name}: ${look.neighbour?.failure ?? "no reply"}`);
  }
  const cast: Vote[] = [...voters].map(([voter, why]) => ({ voter, kind: "vantage", why }));
  const fact = hostFact(scene, cause);
  return fact === null
    ? cast
    : [...cast, { voter: scene.facts?.node ?? scene.group.host?.name ?? "host", kind: "host_fact", why: fact }];
}

/** A signed host fact for the same cause is one vote, never two. */
function hostFact(scene: Scene, cause: Cause): string | null {
  const { stood, group } = scene;
  const link = group.link?.name ?? "the link";
  switch (cause) {
    case "not_announced":
      if (stood("not_listening", VOTE_STANDS)) return `no packet socket on ${link}`;
      return stood("announce_failed", VOTE_STANDS) ? "announceFailed" : null;
    case "stale_neighbour":
      return remadeOfLate(scene) ? `${link} was made anew, and had that MAC before` : null;
    case "link_missing":
    case "link_down":
    case "link_drifted":
      return stood(cause, VOTE_STANDS) ? `${link}: ${cause}` : null;
    default:
      return null;
  }
}

/** A vantage that held a former MAC is believed when the host saw its link being made anew a moment ago, and not at other times (I9). */
function remadeOfLate(scene: Scene): boolean {
  const host = hostOf(scene.view, scene.group);
  return host?.remadeAt !== undefined && scene.facts !== null && scene.now - host.remadeAt <= scene.staleHold;
}

/** The step at which the ladder starts for a cause; null when no machine may repair it. */
function startOf(scene: Scene, cause: Cause): Step | null {
  const own = OWN[cause];
  if (cause === "vm_path") return scene.house.heal.vm_path ? "announce" : null;
  if (own.by === "guard") return scene.facts !== null && !scene.facts.guard ? "ensure-link" : null;
  if (own.by !== "remedy") return null;
  if (cause === "not_announced" && announcedElsewhereHere(scene).length > 0) return null;
  if (cause === "stale_neighbour") return isIpv6Concerned(scene) ? "restart-speaker" : own.from;
  if (cause !== "not_announced") return own.from;
  return scene.facts?.speaker.listening === false || onlyIpv6IsSilent(scene) ? "restart-speaker" : own.from;
}

/** Whether an IPv6 neighbour is stale or unanswered: there is no gratuitous ARP for it, and the announce step leaves it alone. */
const isIpv6Concerned = (scene: Scene): boolean =>
  scene.looks.some((look) => isIpv6(look.address) && (look.stale !== null || look.neighbourFailed));

/**
 * A link that is made anew is answered on for IPv4 by the speaker's next scan, and for IPv6 not before its restart: it joins the groups
 * in which neighbours are asked only as a Service is announced for the first time (facts/l2, measured). Nothing smaller cures that.
 */
function onlyIpv6IsSilent(scene: Scene): boolean {
  const silent = scene.looks.filter((look) => look.neighbourFailed && look.answers?.length === 0);
  const answered = scene.looks.some((look) => !isIpv6(look.address) && (look.answers?.length ?? 0) > 0);
  return answered && silent.length > 0 && silent.every((look) => isIpv6(look.address));
}

function linkRight(scene: Scene): boolean | null {
  const link = scene.facts?.link;
  if (scene.group.link === null || link === undefined || link.exists === null) return null;
  return link.exists && link.up === true && !scene.stood("link_drifted", 0);
}

function standingsOf(scene: Scene): readonly Standing[] {
  return scene.house.vantages.flatMap((vantage) =>
    scene.targets.map((target): Standing => {
      const seen = scene.view.vantages[vantage.name];
      const fresh = seen !== undefined && isFresh(scene.view, seen, scene.now) && seen.control !== false;
      const worst = seen === undefined ? null : worstFailure(seen, target.name);
      const checks =
        seen === undefined ? [] : Object.values(seen.checks).filter((check) => check.target === target.name);
      const neighbour = checks.find((check) => check.kind === "neighbour")?.samples.at(-1)?.evidence;
      const times = checks
        .filter((check) => check.kind !== "neighbour")
        .flatMap((check) => check.samples.at(-1)?.ms ?? []);
      return {
        vantage: vantage.name,
        target: target.name,
        verdict: seen !== undefined && fresh ? targetVerdict(seen, target.name) : "unknown",
        failure: seen?.control === false ? "control_failed" : fresh ? (worst?.failure ?? null) : null,
        detail: fresh ? (worst?.detail ?? null) : null,
        mac: neighbour?.answers?.[0]?.mac ?? neighbour?.mac ?? null,
        rtt_ms: times.length === 0 ? null : Math.min(...times),
        observed_at: seen?.observedAt ?? null,
      };
    }),
  );
}
