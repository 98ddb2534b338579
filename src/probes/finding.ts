import type { FailureCode } from "../core/failure.ts";
import type { Evidence } from "../core/observation.ts";
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

/** The longest text that an observation carries in one field. */
export const LINE_MAX = 512;

/**
 * Makes text from the network fit to be shown: control characters, line separators and direction overrides become visible
 * escapes (fault 17), and it ends after `max` UTF-16 units.
 */
export function plain(text: string, max: number = LINE_MAX): string {
  const escaped = text
    .slice(0, max)
    .replace(
      /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g,
      (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
    );
  return escaped.length <= max ? escaped : `${escaped.slice(0, max - 1)}…`;
}
