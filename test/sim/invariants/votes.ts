import type { Assessment } from "../../../src/core/assessment.ts";
import { LAYER2_FAILURES } from "../../../src/core/failure.ts";
import type { GroupState } from "../../../src/core/group.ts";
import type { CheckResult } from "../../../src/core/observation.ts";
import { MINUTE } from "../../../src/core/units.ts";
import type { Site } from "../site.ts";
import { MAC } from "../truth.ts";
import type { Happening, Rule } from "../witness.ts";

/** What the accepted reports of one vantage say, kept here once more and judged by the letter of safety.md. */
interface Heard {
  at: number;
  control: boolean | null;
  rounds: number;
  readonly checks: Map<string, { readonly ok: boolean; readonly counts: boolean }[]>;
  stale: number;
}

const FAILED_OF_FOUR = 3;
/** Stale evidence outlives its round (src/core/diagnosis/scene.ts): 1.5 × the confirmation and 30 s. */
const STALE_HOLD = 125_000;

/** Whether a failed check may be part of a vote: layer 2, or the neighbour check, whose every failure is one of layer 2. */
const counts = (result: CheckResult): boolean =>
  !result.ok && (result.check === "neighbour" || LAYER2_FAILURES.has(result.failure ?? "unclassified"));

function createEar(site: Site) {
  const heard = new Map<string, Map<string, Heard>>();
  const freshFor = 3 * site.gap;
  return {
    follow(happening: Happening): void {
      if (happening.kind === "hub_started") heard.set(happening.hub, new Map());
      if (happening.kind !== "observed" || happening.answer !== "accepted") return;
      const { observation, hub } = happening;
      const hubs = heard.get(hub) ?? new Map<string, Heard>();
      heard.set(hub, hubs);
      const at = site.agenda.now() - happening.age;
      const before = hubs.get(observation.vantage);
      if (happening.age > freshFor || (before !== undefined && at < before.at - 1_500)) return;
      const now: Heard = before ?? { at, control: null, rounds: 0, checks: new Map(), stale: Number.NEGATIVE_INFINITY };
      hubs.set(observation.vantage, now);
      now.at = Math.max(at, now.at);
      now.control = observation.control.ok;
      now.rounds++;
      for (const result of observation.checks) {
        const { mac, asked, answers } = result.evidence ?? {};
        if (result.check === "neighbour" && mac && asked && mac !== MAC && answers?.length) now.stale = at;
        if (now.control === false) continue;
        const key = `${result.target}/${result.id ?? result.check}`;
        const samples = now.checks.get(key) ?? [];
        samples.push({ ok: result.ok, counts: counts(result) });
        if (samples.length > 4) samples.shift();
        now.checks.set(key, samples);
      }
    },
    rounds: (hub: string, vantage: string): number => heard.get(hub)?.get(vantage)?.rounds ?? 0,
    /** Why the vantage cannot have voted; null when it can. */
    whyNot(hub: string, vantage: string): string | null {
      const known = heard.get(hub)?.get(vantage);
      if (known === undefined) return "nothing was heard from it";
      const age = site.agenda.now() - known.at;
      if (age > freshFor + 5) return `it was heard ${Math.round(age)} ms ago`;
      if (known.control === false) return "its control is bad";
      const failed = [...known.checks.values()].some(
        (samples) => samples.filter(({ ok }) => !ok).length >= FAILED_OF_FOUR && samples.at(-1)!.counts,
      );
      const stale = site.agenda.now() - known.stale <= STALE_HOLD;
      return failed || stale ? null : "no check of it failed three rounds of the last four";
    },
  };
}

interface Explained {
  readonly assessment: Assessment;
  readonly grace: boolean;
  readonly maintenance: GroupState["maintenance"];
  readonly breaker: GroupState["breaker"];
}

/** What the hub holds at this very moment. */
const explained = (site: Site, hub: string): Explained | null => {
  const there = site.hubs.find(({ name }) => name === hub)?.current();
  return there == null ? null : (there.hub.explain(null) as { groups: Explained[] }).groups[0]!;
};

/** I7 No remedy without a quorum of fresh, eligible, healable votes. */
export const quorumBehindRemedy: Rule = (site, broken) => {
  const ear = createEar(site);
  return (happening) => {
    ear.follow(happening);
    if (happening.kind !== "requested" || happening.request.manual) return;
    const votes = explained(site, happening.hub)?.assessment.votes ?? [];
    const voters = new Set(votes.map(({ voter }) => voter));
    if (voters.size < site.house.heal.quorum) broken(`${happening.request.id} with ${voters.size} votes`);
    for (const { voter, kind } of votes) {
      const why = kind === "vantage" ? ear.whyNot(happening.hub, voter) : null;
      if (why !== null) broken(`${happening.request.id} counts a vote of ${voter}, but ${why}`);
    }
  };
};

/** I8 Unknown never raises a count. */
export const unknownIsNoVote: Rule = (site, broken) => {
  const ear = createEar(site);
  return (happening) => {
    ear.follow(happening);
    if (happening.kind !== "diagnosed") return;
    for (const { voter, kind } of happening.votes) {
      const why = kind === "vantage" ? ear.whyNot(happening.hub, voter) : null;
      if (why !== null) broken(`${happening.cause} counts a vote of ${voter}, but ${why}`);
    }
  };
};

/** I9 Fewer than q stolen vantage keys, with any content and timing, cause no remedy. */
export const liarsCauseNothing: Rule = (site, broken) => (happening) => {
  if (happening.kind !== "requested" || happening.request.manual || site.liars.size === 0) return;
  const votes = explained(site, happening.hub)?.assessment.votes ?? [];
  if (votes.every(({ voter }) => site.liars.has(voter)))
    broken(`${happening.request.id} rests on ${[...site.liars].join(", ")} alone`);
};

/** Quick rounds that end the grace, and its longest time. */
const GRACE_ROUNDS = 4;
const GRACE = 5 * MINUTE;
/** How long after a leap of the node's clock a pause file is not judged: its end is written in wall time. */
const LEAP_SHADOW = 200 * MINUTE;

/** I11 No automatic remedy in observe mode, maintenance, grace, with an open breaker, or with either side unarmed. */
export const armedAndAwake: Rule = (site, broken) => {
  const ear = createEar(site);
  let hostBreaker = false;
  let leaptAt = Number.NEGATIVE_INFINITY;
  return (happening) => {
    ear.follow(happening);
    const now = site.agenda.now();
    if (happening.kind === "fault" && happening.fault.kind.kind.startsWith("clock-leaps")) leaptAt = now;
    if (happening.kind === "requested" && !happening.request.manual) {
      const { id } = happening.request;
      if (site.house.heal.mode !== "auto") broken(`${id} in mode ${site.house.heal.mode}`);
      const seat = explained(site, happening.hub);
      if (seat?.breaker.open) broken(`${id} with an open breaker`);
      if (seat?.maintenance != null) broken(`${id} in maintenance`);
      const hub = site.hubs.find(({ name }) => name === happening.hub);
      const young = hub !== undefined && now - hub.startedAt() < GRACE - 1;
      const unheard = site.vantages.filter(({ name }) => ear.rounds(happening.hub, name) < GRACE_ROUNDS);
      if (young && unheard.length > 0)
        broken(`${id} in the grace after a start: not heard are ${unheard.map(({ name }) => name).join(", ")}`);
    }
    if (happening.kind !== "journalled") return;
    const { record } = happening;
    if (record.kind === "breaker") hostBreaker = record.open;
    if (record.kind !== "intent" || record.by !== "hub") return;
    if (!site.setup.armed) broken(`${record.id} on a host that is not armed`);
    if (hostBreaker) broken(`${record.id} with the host's breaker open`);
    if (site.host.pauseText !== null && now - leaptAt > LEAP_SHADOW) broken(`${record.id} while the host is paused`);
  };
};
