import { z } from "zod";
import { CAUSES } from "../cause.ts";
import { plain } from "../text.ts";

/** The hub as the doctor met it. `address` is its URL, or unix: and the path of its socket. */
export type HubSight =
  | { readonly kind: "answered"; readonly address: string; readonly says: HubWords }
  /** It answers, and does not say its status to this caller; or it is no hub. `advice`: what to type about it. */
  | { readonly kind: "refused"; readonly address: string; readonly detail: string; readonly advice: string }
  | { readonly kind: "silent"; readonly address: string; readonly detail: string }
  /** Nobody was asked: `detail` says what is missing for it, `advice` what to type. */
  | { readonly kind: "not_asked"; readonly detail: string; readonly advice: string };

const TEXT_MAX = 512;
/** A manifest to apply has some 300 letters. */
const ADVICE_MAX = 4_096;
/** The head of a page, not all of it. */
const EVIDENCE_MAX = 5;

const text = z.string().transform((said) => plain(said, TEXT_MAX));
/** Of several lines, so that each is made fit by itself. */
const advice = z
  .string()
  .max(ADVICE_MAX)
  .transform((said) =>
    said
      .split("\n")
      .map((line) => plain(line, TEXT_MAX))
      .join("\n"),
  );
/** A hub that is newer than this doctor may have a cause that has no name here. */
const cause = z.enum(CAUSES).nullable().catch("unclassified");

const group = z.object({ state: text, cause, summary: text, since: text.nullable() });
const vantage = z.object({ where: text, state: z.enum(["ok", "silent", "control_failed"]) });
const target = z.object({
  group: text,
  vantages: z.record(z.string(), z.object({ state: z.enum(["ok", "failed", "unknown"]) })),
});

/** As much of `GET /v1/status` as the doctor goes by; what a later hub adds is left aside. */
const hubWords = z.object({
  site: text,
  state: text,
  cause,
  summary: text,
  since: text.nullable(),
  advice: advice.nullable().catch(null),
  evidence: z.array(text).transform((said) => said.slice(0, EVIDENCE_MAX)),
  groups: z.record(z.string(), group),
  targets: z.record(z.string(), target),
  vantages: z.record(z.string(), vantage),
  heal: z.object({ host: z.enum(["armed", "not_armed", "silent", "none"]).catch("none") }),
});

export type HubWords = z.infer<typeof hubWords>;
export type HubGroup = HubWords["groups"][string];

/** Reads the hub's answer; null when it is none of a hub. */
export function hubWordsOf(body: unknown): HubWords | null {
  const parsed = hubWords.safeParse(body);
  return parsed.success ? parsed.data : null;
}
