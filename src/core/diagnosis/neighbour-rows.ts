import type { AdvertisedFacts } from "../facts.ts";
import { hostOf } from "../history.ts";
import { SECOND } from "../units.ts";
import { everything, failedLooks, of, type Row } from "./finding.ts";
import { contradicts, failures, type Look, type Scene } from "./scene.ts";
import * as say from "./sentences.ts";

/** One rescan of the speaker (10 s, measured) and a margin: before that, a link without a listener is young, not broken. */
const LISTENER_STANDS = 15 * SECOND;

export const announcedOnParent: Row = (scene) => {
  const parent = scene.facts?.parent.mac ?? null;
  if (parent === null || parent === scene.linkMac) return null;
  const looks = scene.looks.filter((look) => look.neighbourFailed && look.answers?.includes(parent));
  return looks.length > 0
    ? of(
        "announced_on_parent",
        looks,
        looks.map((look) => say.answered(look, scene)),
      )
    : null;
};

export const speakerStaleMac: Row = (scene) => {
  const former = scene.facts?.former_macs ?? [];
  const looks = scene.looks.filter(
    (look) =>
      look.neighbourFailed &&
      look.answers?.length === 1 &&
      former.includes(look.answers[0]!) &&
      look.answers[0] !== scene.linkMac,
  );
  return looks.length > 0
    ? of(
        "speaker_stale_mac",
        looks,
        looks.map((look) => say.answered(look, scene)),
      )
    : null;
};

export const announcedElsewhere: Row = (scene) => {
  const looks = scene.looks.filter((look) => look.answers?.length === 1 && scene.alsoMacs.includes(look.answers[0]!));
  return looks.length > 0 && failedLooks(scene).length === 0
    ? of(
        "announced_elsewhere",
        looks,
        looks.map((look) => say.answered(look, scene)),
      )
    : null;
};

export const macConflict: Row = (scene) => {
  const looks = scene.looks.filter((look) => look.neighbourFailed && (look.answers?.length ?? 0) >= 2);
  return looks.length > 0
    ? of(
        "mac_conflict",
        looks,
        looks.map((look) => say.answered(look, scene)),
      )
    : null;
};

export const macUnexpected: Row = (scene) => {
  const former = scene.facts?.former_macs ?? [];
  const isUnknown = (mac: string) => mac !== scene.linkMac && !scene.alsoMacs.includes(mac) && !former.includes(mac);
  const looks = scene.looks.filter((look) => {
    if (!look.neighbourFailed) return false;
    if (look.answers !== null) return look.answers.length === 1 && isUnknown(look.answers[0]!);
    return look.neighbour?.failure === "mac_unexpected" && look.tableMac !== null && isUnknown(look.tableMac);
  });
  return looks.length > 0
    ? of(
        "mac_unexpected",
        looks,
        looks.map((look) => say.answered(look, scene)),
      )
    : null;
};

/** Looks at which nobody answers: who-has unanswered, or the kernel says that there is no neighbour. */
function unanswered(scene: Scene): readonly Look[] {
  return scene.looks.filter((look) => {
    if (look.answers !== null) return look.neighbourFailed && look.answers.length === 0;
    return (
      look.verdict === "failed" &&
      failures(look).some(({ sample }) => sample.failure === "no_neighbour" || sample.failure === "unreachable")
    );
  });
}

/** Looks that contradict "nobody answers": a who-has was answered after the trouble began. */
function answeredElsewhere(scene: Scene): readonly Look[] {
  const silent = unanswered(scene);
  return scene.looks.filter(
    (look) =>
      (look.answers?.length ?? 0) > 0 &&
      look.neighbour?.ok === true &&
      silent.some((bad) => contradicts(scene, look, bad)),
  );
}

/** An advertisement covers the Service on this node, on another interface than the link. */
export const isElsewhere = (entry: AdvertisedFacts): boolean => !entry.covered && (entry.interfaces?.length ?? 0) > 0;

/** Why nobody answers on the link although MetalLB announces: it was told to announce on another interface. No step cures that. */
export function announcedElsewhereHere(scene: Scene): readonly AdvertisedFacts[] {
  const services = new Set(scene.targets.map((target) => target.service));
  return (scene.facts?.advertised ?? []).filter((entry) => isElsewhere(entry) && services.has(entry.service));
}

export const notAdvertised: Row = (scene) => {
  const looks = unanswered(scene);
  if (looks.length === 0 || answeredElsewhere(scene).length > 0) return null;
  const uncovered = (scene.facts?.advertised ?? []).filter(
    (entry) => !entry.covered && !isElsewhere(entry) && isServiceOf(scene, entry.service, looks),
  );
  return uncovered.length > 0
    ? of("not_advertised", looks, [
        ...looks.map(say.nobody),
        ...uncovered.map((entry) => `${entry.service}: ${entry.reason ?? "not covered"}`),
      ])
    : null;
};

export const noEndpoints: Row = (scene) => {
  const looks = unanswered(scene);
  if (looks.length === 0 || answeredElsewhere(scene).length > 0) return null;
  const empty = (scene.facts?.endpoints ?? []).filter(
    (entry) => entry.ready === 0 && isServiceOf(scene, entry.service, looks),
  );
  return empty.length > 0
    ? of("no_endpoints", looks, [
        ...looks.map(say.nobody),
        ...empty.map((entry) => `${entry.service}: no endpoint is ready`),
      ])
    : null;
};

function isServiceOf(scene: Scene, service: string, looks: readonly Look[]): boolean {
  return scene.targets.some(
    (target) => target.service === service && looks.some((look) => look.target.name === target.name),
  );
}

export const staleNeighbour: Row = (scene) => {
  const former = scene.facts?.former_macs ?? [];
  const isFormer = (look: Look) =>
    look.neighbourFailed &&
    look.tableMac !== null &&
    former.includes(look.tableMac) &&
    look.tableMac !== scene.linkMac &&
    look.answers?.length !== 0;
  const looks = scene.looks.filter((look) => look.stale !== null || isFormer(look));
  return looks.length > 0
    ? of(
        "stale_neighbour",
        looks,
        looks.map((look) => say.stale(look, scene)),
      )
    : null;
};

/**
 * Whether the link was made so short a time ago that the speaker need not have found it: it looks at its links every 10 s, and then
 * answers. Until then nobody answering follows from the link's having been gone, which was told. Where the speaker has given up, it
 * says so, and nothing is waited for.
 */
export function isSettling(scene: Scene): boolean {
  const host = hostOf(scene.view, scene.group);
  // A hub that has just started does not know how old the link is; the host says nothing of a listener while it is young.
  const since = host?.remadeAt ?? (scene.facts?.speaker.listening === null ? host?.ifindexSince : undefined);
  if (since === undefined || scene.now - since > LISTENER_STANDS) return false;
  return !scene.stood("announce_failed", 0);
}

export const notAnnounced: Row = (scene) => {
  const looks = unanswered(scene);
  if (looks.length > 0 && answeredElsewhere(scene).length === 0) {
    const elsewhere = announcedElsewhereHere(scene).map(
      (entry) => `${entry.service}: ${entry.reason ?? "on another interface"}`,
    );
    return of("not_announced", looks, [...looks.map(say.nobody), ...elsewhere, ...say.speakerEvidence(scene)]);
  }
  // Probes may stay green for a minute while nobody answers: the host's packet sockets tell it earlier.
  const listens = looks.length > 0 || !scene.stood("not_listening", LISTENER_STANDS);
  return listens ? null : { ...everything(scene, "not_announced", say.speakerEvidence(scene)), vantages: [] };
};
