import type { EventData, HairpinEvent } from "../event.ts";
import type { AskAnswer } from "../group.ts";
import type { HealAnswer } from "../hub-asks.ts";
import { plain } from "../text.ts";
import { NOTHING_TO_DO } from "./components.ts";
import { attributesJson } from "./states.ts";

const TEXT_MAX = 1_000;
const line = (text: string | null | undefined): string | null => (text == null ? null : plain(text, TEXT_MAX));

/** The message of the event entity for an event of the hub. Never retained: Home Assistant would take a replay for news, or drop it. */
export function activityOf({ data, timestamp, id }: HairpinEvent): string {
  return attributesJson({
    event_type: data.event,
    id,
    at: timestamp,
    target: data.target,
    cause: data.cause,
    title: line(data.title),
    message: line(data.message),
    since: data.since,
    vantages_failing: data.vantages_failing.slice(0, 64),
    incident: data.incident,
    heal_id: data.heal_id,
    can_heal: data.can_heal,
    advice: line(data.advice),
    held_by: data.held_by ?? null,
  });
}

/** Why a command was not done, in words that are public. */
export type Refusal =
  | Exclude<AskAnswer["state"], "accepted" | "nothing_to_do" | "dry_run">
  | "not_armed"
  | "unavailable";

interface Answer {
  readonly event_type: EventData["event"] | typeof NOTHING_TO_DO;
  readonly reason: Refusal | null;
  readonly message: string;
  readonly advice: string | null;
  readonly heal_id: string | null;
}

/** What a press is answered with; null when the hub's own `heal_started` will follow. */
export function pressAnswer(outcome: HealAnswer): Answer | null {
  if (outcome.kind === "mismatch") return null;
  if (outcome.kind !== "answer")
    return held("unavailable", "the hub could not write it down; nothing was started", null);
  const { answer, advice } = outcome;
  switch (answer.state) {
    case "accepted":
    case "dry_run":
      return null;
    case "nothing_to_do":
      return { event_type: NOTHING_TO_DO, reason: null, message: answer.detail, advice, heal_id: null };
    default:
      return held(answer.state, answer.detail, answer.id);
  }
}

/** A command that was understood and is not done. */
export function held(reason: Refusal, message: string, healId: string | null): Answer {
  return { event_type: "held", reason, message, advice: null, heal_id: healId };
}

const TITLES: Readonly<Record<Refusal, string>> = {
  in_flight: "A repair is running already",
  paused: "Not now: paused",
  breaker_open: "Not now: the breaker is open",
  off: "Repairs are switched off in hairpin.yaml",
  budget: "Not now: the manual repairs of this hour are used up",
  not_configured: "Nobody could repair: no host is configured",
  not_armed: "hairpin.yaml does not arm automatic repairs",
  unavailable: "Not now: the hub cannot write",
};

export function answerMessage(answer: Answer, at: string): string {
  return attributesJson({
    event_type: answer.event_type,
    at,
    target: "all",
    title: answer.reason === null ? "Nothing to do" : TITLES[answer.reason],
    message: line(answer.message),
    advice: line(answer.advice),
    reason: answer.reason,
    held_by: answer.reason,
    heal_id: answer.heal_id,
  });
}
