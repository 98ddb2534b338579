import type { RepairReport, Step } from "./repair.ts";

/** The body of `GET /v1/heals/{id}`: one repair, from the request to its proof. */
export interface HealRecord {
  readonly id: string;
  readonly group: string;
  readonly incident: string | null;
  readonly manual: boolean;
  readonly by: string | null;
  readonly reason: string | null;
  /** pending, healing, verifying while it runs; then what became of it: verified, ineffective, refused, failed … */
  readonly state: string;
  readonly step: Step | null;
  readonly requested_at: string;
  readonly updated_at: string;
  readonly steps: readonly RepairReport[];
  /** Each vantage that has to prove it: `good` or `waiting`. */
  readonly verification: Readonly<Record<string, "good" | "waiting">>;
  readonly detail: string | null;
}
