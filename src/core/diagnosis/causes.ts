import type { Cause } from "../cause.ts";
import { LAYER2_FAILURES } from "../failure.ts";
import type { Finding, Row } from "./finding.ts";
import { drifted, hostRow } from "./link-rows.ts";
import * as neighbour from "./neighbour-rows.ts";
import * as path from "./path-rows.ts";
import { failures, type Look, type Scene } from "./scene.ts";
import * as service from "./service-rows.ts";

/** The table of faults.md, in its order. */
const TABLE: readonly Row[] = [
  hostRow("parent_missing"),
  hostRow("parent_down"),
  hostRow("link_missing"),
  hostRow("link_down"),
  drifted,
  neighbour.announcedOnParent,
  neighbour.speakerStaleMac,
  neighbour.announcedElsewhere,
  neighbour.macConflict,
  neighbour.macUnexpected,
  path.lanPath,
  path.siteNetwork,
  neighbour.notAdvertised,
  neighbour.noEndpoints,
  neighbour.staleNeighbour,
  neighbour.notAnnounced,
  path.vmPath,
  path.notForwarded,
  service.serviceDown,
  service.upstreamDns,
  service.answerWrong,
  service.certificate,
  path.disputed,
  path.unclassified,
];

/** The first row whose evidence is there; a root cause silences what follows from it. */
export function findCause(scene: Scene): Finding | null {
  for (const row of TABLE) {
    if (row === path.siteNetwork && path.isCutNow(scene)) return null;
    if (row === neighbour.notAnnounced && neighbour.isSettling(scene)) return null;
    const finding = row(scene);
    if (finding !== null) return finding;
  }
  return null;
}

/** Whether a look votes for a heal of this cause: layer 2 alone (safety.md, "What votes for a heal"). */
export function votes(cause: Cause, look: Look, scene: Scene): boolean {
  if (cause === "stale_neighbour")
    return look.stale !== null || (look.neighbourFailed && look.tableMac !== null && look.tableMac !== scene.linkMac);
  if (cause === "speaker_stale_mac") return look.neighbourFailed && (look.answers?.length ?? 0) === 1;
  return failures(look).some(({ sample }) => LAYER2_FAILURES.has(sample.failure!));
}
