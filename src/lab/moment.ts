/** One thing that happened, as the timeline and `--json` show it. Times are monotonic. */
export interface Moment {
  readonly mono: number;
  readonly who: string;
  readonly what: string;
  /** What a person reads. */
  readonly text: string;
  readonly tone: "plain" | "bad" | "good" | "held" | "act" | "told" | "faint";
  /** Further lines under it: commands, evidence. */
  readonly under?: readonly string[];
  readonly fields?: Readonly<Record<string, unknown>>;
}

/** One object of `lab --json`. */
export function momentJson(moment: Moment, origin: number): Record<string, unknown> {
  return {
    at_ms: Math.round((moment.mono - origin) * 10) / 10,
    who: moment.who,
    what: moment.what,
    text: moment.text,
    ...moment.fields,
  };
}

/** The result of one fault: interface.md, "Commands". */
export interface FaultResult {
  readonly fault: string;
  readonly cause: string | null;
  readonly healed: boolean;
  readonly by: "guard" | "heal" | null;
  readonly steps: readonly { readonly step: string; readonly ms: number | null; readonly outcome: string }[];
  readonly first_seen_ms: number | null;
  readonly healed_ms: number | null;
  readonly vantages: Readonly<Record<string, { readonly down_ms: number | null; readonly up_ms: number | null }>>;
  readonly told: readonly string[];
  readonly advice: string | null;
}
