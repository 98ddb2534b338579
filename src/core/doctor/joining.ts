import { CAUSES, type Cause } from "../cause.ts";
import type { Group } from "../config/house.ts";
import type { Where } from "../plan.ts";
import { list } from "./finding.ts";
import type { HubGroup, HubWords } from "./hub-sight.ts";

/** A cause with its sentence, as far as it is known, and by whom. */
export interface Named {
  readonly group: string;
  readonly cause: Cause;
  readonly summary: string;
  readonly evidence: readonly string[];
  readonly advice: string | null;
  /** `hub`: it takes other vantages, or what the host told the hub, to know it. `both`: each found it. */
  readonly by: "here" | "hub" | "both";
}

export interface Joined {
  readonly named: Named | null;
  /** How what the hub says and what is seen here go together. */
  readonly accord: "same" | "hub" | "here" | "none";
}

/** What is looked from here: the place decides whose eyes are better. */
export interface Here {
  readonly where: Where;
  /** By a vantage's plan alone, commands carry LINK and BRIDGE for names that only the hub knows. */
  readonly isByPlan: boolean;
}

/** True of another part of hairpin or of the way in from outside; whatever fails at an address here goes before them. */
const ASIDE: ReadonlySet<Cause> = new Set<Cause>(["vantage_silent", "outside_path"]);
/** That a place fails alone is only known by comparing, and outdoes what the place makes of it by itself. */
const COMPARED: ReadonlySet<Cause> = new Set<Cause>(["vm_path", "lan_path", "disputed"]);
/** What one vantage makes of silence and time-outs, wherever on the way they come from. */
const GUESSED: ReadonlySet<Cause> = new Set<Cause>(["not_announced", "not_forwarded", "unclassified", "site_network"]);

/**
 * Joins what is seen here with what the hub says of the same group. Pure and total.
 *
 * Both go by the same table of causes (faults.md), the root first, so that of two the earlier one is nearer the root. The hub has
 * more to go by: other vantages and the host's facts. This machine has a look that is newer, and every layer of it. Hence: a broken
 * path of one's own proves nothing against the hub; a cause that is known by comparing outdoes a guess from one vantage; for the
 * rest the earlier row stands. What the host reads from its own kernel and from Kubernetes is no guess.
 */
export function join(group: Group, local: Named | null, words: HubWords | null, here: Here): Joined {
  const hub = words === null ? null : groupOf(words, group);
  if (words === null || hub === null) return { named: local, accord: "none" };
  if (hub.cause === null || hub.cause === "announced_elsewhere")
    return { named: local === null ? null : beside(local, calm(hub, words, group)), accord: "here" };
  const known = `How it is known: by the hub, ${seenFrom(words, group)}${sinceOf(hub)}.`;
  const whole = isWorst(words, hub);
  const advice = whole ? words.advice : null;
  if (local?.cause === hub.cause) {
    const better = here.isByPlan ? (advice ?? local.advice) : local.advice;
    const also = `The hub says the same, ${seenFrom(words, group)}${sinceOf(hub)}.`;
    return { named: { ...beside(local, also), advice: better, by: "both" }, accord: "same" };
  }
  if (local !== null && !isBetter(hub.cause, local.cause, here)) {
    const said = `The hub says otherwise (${hub.cause}): ${hub.summary}`;
    return { named: beside(local, said), accord: "here" };
  }
  const unseen = ASIDE.has(hub.cause) ? "The addresses are fine from here." : "From here nothing of it is seen.";
  return {
    named: {
      group: group.name,
      cause: hub.cause,
      summary: hub.summary,
      evidence: [known, ...(whole ? words.evidence : []), local === null ? unseen : `From here: ${local.summary}`],
      advice: advice ?? (local === null ? "hairpin status" : local.advice),
      by: "hub",
    },
    accord: "hub",
  };
}

/** Whether the hub's cause explains better what this machine calls by another name. */
function isBetter(hub: Cause, local: Cause, here: Here): boolean {
  if (ASIDE.has(hub)) return false;
  if (local === "site_network" || local === "unclassified") return true;
  if (here.where !== "host" && COMPARED.has(hub) && GUESSED.has(local)) return true;
  if (here.where === "host" && COMPARED.has(hub) && local === "not_forwarded") return true;
  return CAUSES.indexOf(hub) < CAUSES.indexOf(local);
}

/** Causes of the addresses first, then those of something beside them. */
export function inOrder(named: readonly Named[]): readonly Named[] {
  return [...named.filter((one) => !ASIDE.has(one.cause)), ...named.filter((one) => ASIDE.has(one.cause))];
}

const beside = (local: Named, sentence: string): Named => ({ ...local, evidence: [...local.evidence, sentence] });

/** The hub's word for this group: by a target that both know, since a plan does not tell the groups' names. */
export function groupOf(words: HubWords, group: Group): HubGroup | null {
  const name = group.targets.map((target) => words.targets[target]?.group).find((known) => known !== undefined);
  return words.groups[name ?? group.name] ?? null;
}

/** The status carries evidence and advice of its worst group alone. */
const isWorst = (words: HubWords, hub: HubGroup): boolean => words.cause === hub.cause && words.summary === hub.summary;

/** To the second: nobody reads more of it at night. */
export const sinceOf = ({ since }: Pick<HubGroup, "since">): string =>
  since === null ? "" : `, since ${since.replace(/\.\d+Z$/, "Z")}`;

/** What the hub makes of it where this machine sees something and the hub does not. */
function calm(hub: HubGroup, words: HubWords, group: Group): string {
  const fine = placesOf(words, group).fine;
  if (hub.state === "ok" && fine.length > 0)
    return `The hub sees nothing of it, and calls it fine from ${list(fine)}: it has just begun, or is over, or concerns this machine alone.`;
  if (hub.state === "suspect") return "The hub has seen a first failed sample, and waits for more rounds.";
  return `The hub names no cause (${hub.state}): ${hub.summary}`;
}

interface Places {
  readonly failing: readonly string[];
  readonly fine: readonly string[];
  readonly silent: readonly string[];
  readonly cut: readonly string[];
}

/** How each vantage off the host stands to the group, by the hub. */
function placesOf(words: HubWords, group: Group): Places {
  const targets = Object.entries(words.targets)
    .filter(([name]) => group.targets.includes(name))
    .map(([, target]) => target);
  const stands = (name: string) => targets.map((target) => target.vantages[name]?.state ?? "unknown");
  const off = Object.entries(words.vantages).filter(([, { where }]) => where !== "host" && where !== "edge");
  const heard = off.filter(([, { state }]) => state === "ok").map(([name]) => name);
  const named = (wanted: "silent" | "control_failed") =>
    off.filter(([, { state }]) => state === wanted).map(([name]) => name);
  return {
    failing: heard.filter((name) => stands(name).includes("failed")),
    fine: heard.filter((name) => stands(name).length > 0 && stands(name).every((state) => state === "ok")),
    silent: named("silent"),
    cut: named("control_failed"),
  };
}

/** "from haos (fails) and pantry (fine)". */
export function seenFrom(words: HubWords, group: Group): string {
  const { failing, fine, silent, cut } = placesOf(words, group);
  const say = (names: readonly string[], word: string) => names.map((name) => `${name} (${word})`);
  const places = [
    ...say(failing, "fails"),
    ...say(cut, "its own path is bad"),
    ...say(silent, "not heard"),
    ...say(fine, "fine"),
  ];
  return places.length === 0 ? "from no vantage yet" : `from ${list(places)}`;
}
