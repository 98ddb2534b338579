import type { FailureCode } from "../core/failure.ts";
import type { Evidence } from "../core/observation.ts";
import { plain } from "../core/text.ts";
import type { Millis } from "../core/units.ts";

/** What one check found. A broken network is a value here, never an exception. */
export interface Finding {
  readonly ok: boolean;
  readonly failure: FailureCode | null;
  readonly detail: string | null;
  readonly ms: Millis | null;
  readonly tries: number;
  readonly phases?: Readonly<Record<string, Millis | null>>;
  readonly evidence: Evidence;
}

export type FindingExtra = Partial<Pick<Finding, "ms" | "phases" | "evidence" | "tries">>;

export function passed(detail: string | null = null, extra: FindingExtra = {}): Finding {
  return { ok: true, failure: null, detail, ms: null, tries: 1, evidence: {}, ...extra };
}

export function failed(failure: FailureCode, detail: string, extra: FindingExtra = {}): Finding {
  return { ok: false, failure, detail: plain(detail), ms: null, tries: 1, evidence: {}, ...extra };
}

export { LINE_MAX, plain } from "../core/text.ts";
