import type { Chance } from "./chance.ts";
import type { Site } from "./site.ts";

/**
 * `outside`: the house breaks. `part`: a part of hairpin breaks, or what it runs on. `attack`: somebody with a stolen key. `person`:
 * somebody at the keyboard.
 */
export type FaultGroup = "outside" | "part" | "attack" | "person";

export interface FaultKind {
  readonly kind: string;
  readonly group: FaultGroup;
  /** Least and greatest length in milliseconds. */
  readonly length: readonly [number, number];
  /** Makes the fault; the result takes it back. */
  begin(site: Site, luck: Chance): () => void;
}

/** One fault of a run's plan. `index` names it when a story is shrunk. */
export interface Fault {
  readonly index: number;
  readonly at: number;
  readonly length: number;
  readonly kind: FaultKind;
}
