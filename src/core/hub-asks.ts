import type { AskAnswer } from "./group.ts";
import type { Observation } from "./observation.ts";
import type { Step } from "./repair.ts";
import type { Millis } from "./units.ts";

/** What the hooks ask of the hub's engine, and what it answers: one form for both sides, since neither imports the other. */

export interface Observed {
  readonly observation: Observation;
  readonly webhookId: string;
  readonly digest: string;
  /** Signature time minus observed_at, both by the vantage's clock. */
  readonly ageMs: Millis;
}

export type ObserveAnswer =
  | { readonly kind: "accepted" | "duplicate"; readonly rounds: number }
  | { readonly kind: "conflict"; readonly detail: string }
  | { readonly kind: "unavailable"; readonly detail: string };

export interface HealAsk {
  readonly step: Step | null;
  readonly reason: string | null;
  readonly by: string;
  readonly dryRun: boolean;
  readonly override: boolean;
  readonly force: boolean;
  readonly target: string | null;
  readonly incident: string | null;
  /** Idempotency-Key with its owner, and the digest of the body it came with. */
  readonly key: string | null;
  readonly digest: string;
  /** A second key that nobody has signed: it finds the answer it was kept with, and never makes a request a new one. */
  readonly alsoKnownAs?: string | null;
}

export type HealAnswer =
  | { readonly kind: "answer"; readonly answer: AskAnswer; readonly advice: string | null }
  | { readonly kind: "mismatch" }
  | { readonly kind: "unknown"; readonly what: "target" | "incident" }
  | { readonly kind: "unavailable"; readonly detail: string };
