import type { Cause } from "../cause.ts";
import { drift } from "../drift.ts";
import { SECOND } from "../units.ts";
import { everything, type Row } from "./finding.ts";
import * as say from "./sentences.ts";

/** Facts must have stood this long: the guard mends most of them in milliseconds, and what was mended is not told twice. */
export const FACT_STANDS = 2 * SECOND;

/** The host's own findings: parent, link. The guard's business, named first because all else follows from them. */
export const hostRow =
  (cause: Cause): Row =>
  (scene) =>
    scene.stood(cause, FACT_STANDS) ? everything(scene, cause, say.hostEvidence(scene, cause)) : null;

export const drifted: Row = (scene) => {
  const [link, declared] = [scene.facts?.link, scene.group.link];
  if (!link?.exists || !declared) return null;
  const differences = drift(link, declared);
  return differences.length > 0 && scene.stood("link_drifted", FACT_STANDS)
    ? everything(scene, "link_drifted", differences)
    : null;
};
