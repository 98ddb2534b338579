import type { Vantage } from "../config/house.ts";
import type { FailureCode } from "../failure.ts";
import { isFresh } from "../history.ts";
import { type Millis, SECOND } from "../units.ts";
import { everything, failedLooks, of, type Row } from "./finding.ts";
import { FACT_STANDS } from "./link-rows.ts";
import {
  contradicts,
  explainedUntil,
  failures,
  isFine,
  isServedBeside,
  type Look,
  type Scene,
  wasRefused,
} from "./scene.ts";
import * as say from "./sentences.ts";

export const lanPath: Row = (scene) => {
  const lan = scene.house.vantages.filter((vantage) => vantage.where === "lan" || vantage.where === "routed");
  const failed = failedLooks(scene);
  const fails = (vantage: Vantage) => failed.some((look) => look.vantage.name === vantage.name);
  const bad = lan.filter((vantage) => fails(vantage) || scene.silent.includes(vantage));
  const cut = scene.stood("uplink_down", FACT_STANDS);
  const cutSeen = cut && (bad.length > 0 || scene.silent.length > 0 || failed.length > 0);
  const vmFine = scene.looks.some(
    (look) => look.vantage.where === "vm" && failed.some((bad) => isFine(scene, look, bad)),
  );
  const lanFails =
    lan.some(fails) && bad.length === lan.length && vmFine && !failed.some((look) => look.vantage.where === "vm");
  if (!cutSeen && !lanFails && !isCutOff(scene, lan)) return null;
  const finding = everything(
    scene,
    "lan_path",
    say.lanEvidence(
      scene,
      bad.map((vantage) => vantage.name),
      cut,
    ),
  );
  return { ...finding, vantages: [...new Set([...finding.vantages, ...bad.map((vantage) => vantage.name)])] };
};

/**
 * Whether every vantage of the LAN has fallen silent and somebody on the host's side is still heard. One alone may have died: then a
 * guest of the bridge that is heard must have lost its gateway as well. Where no port of the host tells that a cable is out (a node that
 * is a guest itself), this is all there is.
 */
function isCutOff(scene: Scene, lan: readonly Vantage[]): boolean {
  const seen = (vantage: Vantage) => scene.view.vantages[vantage.name];
  const isHeard = (vantage: Vantage) => {
    const view = seen(vantage);
    return view !== undefined && isFresh(scene.view, view, scene.now);
  };
  const guests = scene.house.vantages.filter((vantage) => vantage.where === "vm" && isHeard(vantage));
  const gone = lan.filter((vantage) => seen(vantage)?.at != null && !isHeard(vantage));
  if (lan.length === 0 || gone.length < lan.length || guests.length === 0) return false;
  if (failedLooks(scene).length > 0) return false; // A guest that fails as well has another reason.
  return lan.length > 1 || guests.some((vantage) => seen(vantage)?.control === false);
}

/** A cable that is out, but not yet for long enough to be named, explains that gateways are lost: they say nothing of the site. */
export const isCutNow = (scene: Scene): boolean =>
  scene.stood("uplink_down", 0) && !scene.stood("uplink_down", FACT_STANDS);

export const siteNetwork: Row = (scene) => {
  const offHost = scene.house.vantages.filter((vantage) => vantage.where !== "host" && !vantage.muted);
  const bad = offHost.filter((vantage) => {
    const seen = scene.view.vantages[vantage.name];
    if (seen?.at == null || seen.control !== false || !isFresh(scene.view, seen, scene.now)) return false;
    return seen.at >= explainedUntil(scene.view, scene.group, vantage);
  });
  if (bad.length === 0 || bad.length * 2 < offHost.length) return null;
  const finding = everything(
    scene,
    "site_network",
    say.controlEvidence(
      scene,
      bad.map((vantage) => vantage.name),
    ),
  );
  return { ...finding, vantages: bad.map((vantage) => vantage.name) };
};

export const vmPath: Row = (scene) => {
  const failed = failedLooks(scene);
  const lanFine = scene.looks.some(
    (look) => look.vantage.where === "lan" && failed.some((bad) => isFine(scene, look, bad)),
  );
  return failed.length > 0 && lanFine && failed.every((look) => look.vantage.where === "vm")
    ? of("vm_path", failed, failed.map(say.failed))
    : null;
};

function isRightlyAnswered(scene: Scene, look: Look): boolean {
  if (look.answers === null) return look.tableMac !== null && look.tableMac === scene.linkMac;
  return look.answers.includes(scene.linkMac ?? "") || (scene.linkMac === null && look.answers.length > 0);
}

/** Looks whose checks fail only with time-outs although the right MAC answers. */
export const notForwarded: Row = (scene) => {
  const failed = failedLooks(scene);
  const timeouts = failed.filter((look) => {
    const bad = failures(look).filter(
      ({ check, sample }) => check.kind !== "neighbour" && sample.evidence.upstream !== true,
    );
    const timesOut: readonly FailureCode[] = ["no_reply", "unreachable"];
    const answering = look.checks.some((check) => check.kind !== "neighbour" && check.samples.at(-1)?.ok === true);
    return (
      isRightlyAnswered(scene, look) &&
      !answering &&
      !isServedBeside(scene, look) &&
      bad.length > 0 &&
      bad.every(({ sample }) => timesOut.includes(sample.failure!))
    );
  });
  const refusedSomewhere = failed.some((look) => wasRefused(look));
  return timeouts.length > 0 && !refusedSomewhere
    ? of("not_forwarded", timeouts, [...timeouts.map(say.failed), ...say.forwardingEvidence(scene)])
    : null;
};

export const disputed: Row = (scene) => {
  const failed = failedLooks(scene);
  const others = scene.looks.filter((look) => look.good && failed.some((bad) => contradicts(scene, look, bad)));
  return failed.length > 0 && others.length > 0
    ? of("disputed", failed, [...failed.map(say.failed), ...others.map(say.fine)])
    : null;
};

/** Vantages come to their verdicts within this time of each other: quick rounds follow a failed one, and a round takes up to 12 s. */
const VERDICTS_TAKE: Millis = 15 * SECOND;

/**
 * Whether one that can ask who-has is about to say what only others, which cannot, have a verdict of: it runs into something at the same
 * address as well, and sees which hop it is.
 */
function isAboutToBeNamed(scene: Scene, failed: readonly Look[]): boolean {
  if (scene.troubleSince === null || scene.now - scene.troubleSince > VERDICTS_TAKE) return false;
  return failed.every(
    (bad) =>
      bad.answers === null &&
      scene.looks.some(
        (look) => look.address === bad.address && look.answers !== null && look.verdict === "unknown" && !look.good,
      ),
  );
}

export const unclassified: Row = (scene) => {
  const failed = failedLooks(scene);
  return failed.length > 0 && !isAboutToBeNamed(scene, failed)
    ? of("unclassified", failed, failed.map(say.failed))
    : null;
};
