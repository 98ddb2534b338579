import type { Cause } from "../cause.ts";

/** The layers of the page, in the order in which a packet and then a person meets them. Public words of `hairpin doctor --json`. */
export const LAYERS = [
  "configuration",
  "own_path",
  "parent",
  "link",
  "ports",
  "filter",
  "speaker",
  "kubernetes",
  "advertisement",
  "endpoints",
  "host_process",
  "boot",
  "need",
  "name",
  "way",
  "neighbour",
  "tcp",
  "tls",
  "http",
  "dns",
  "hub",
  "home_assistant",
  "mqtt",
  "receivers",
  "edge",
] as const;
export type Layer = (typeof LAYERS)[number];

/** What was found at one layer. `unknown`: it was not looked at, and the text says why. */
export interface DoctorFinding {
  readonly layer: Layer;
  readonly state: "good" | "bad" | "warning" | "unknown";
  /** One sentence for a person. */
  readonly text: string;
  /** How it is known, a sentence each. */
  readonly evidence: readonly string[];
  /** What a person should type, where there is something. */
  readonly advice: string | null;
}

/** What `hairpin doctor` says. */
export interface DoctorReport {
  readonly ok: boolean;
  /** The first line: the cause's sentence when one can be named from here. */
  readonly verdict: string;
  readonly cause: Cause | null;
  readonly evidence: readonly string[];
  readonly advice: string | null;
  readonly findings: readonly DoctorFinding[];
  /** True when this machine's own path is broken, or nothing was there to look at: nothing is said of the addresses. */
  readonly blind: boolean;
}

export const good = (layer: Layer, text: string, evidence: readonly string[] = []): DoctorFinding => ({
  layer,
  state: "good",
  text,
  evidence,
  advice: null,
});
export const bad = (
  layer: Layer,
  text: string,
  evidence: readonly string[] = [],
  advice: string | null = null,
): DoctorFinding => ({ layer, state: "bad", text, evidence, advice });
export const warning = (
  layer: Layer,
  text: string,
  evidence: readonly string[] = [],
  advice: string | null = null,
): DoctorFinding => ({ layer, state: "warning", text, evidence, advice });
export const unknown = (layer: Layer, text: string, advice: string | null = null): DoctorFinding => ({
  layer,
  state: "unknown",
  text,
  evidence: [],
  advice,
});

/** "a", "a and b", "a, b and c". */
export function list(words: readonly string[]): string {
  return words.length <= 1 ? (words[0] ?? "") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}
