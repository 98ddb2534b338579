import type { Cause } from "../cause.ts";
import type { Look, Scene } from "./scene.ts";

/** A finding: the cause with how it is known. */
export interface Finding {
  readonly cause: Cause;
  readonly evidence: readonly string[];
  /** Vantages concerned; those that must be good again. */
  readonly vantages: readonly string[];
  readonly targets: readonly string[];
}

export type Row = (scene: Scene) => Finding | null;

export const everything = (scene: Scene, cause: Cause, evidence: readonly string[]): Finding => ({
  cause,
  evidence,
  vantages: failingVantages(scene),
  targets: scene.targets.map((target) => target.name),
});

export const of = (cause: Cause, looks: readonly Look[], evidence: readonly string[]): Finding => ({
  cause,
  evidence,
  vantages: [...new Set(looks.map((look) => look.vantage.name))],
  targets: [...new Set(looks.map((look) => look.target.name))],
});

export function failingVantages(scene: Scene): readonly string[] {
  return [
    ...new Set(
      scene.looks.filter((look) => look.verdict === "failed" || look.stale !== null).map((look) => look.vantage.name),
    ),
  ];
}

export const failedLooks = (scene: Scene) => scene.looks.filter((look) => look.verdict === "failed");
