import type { Step } from "../repair.ts";
import { type Millis, SECOND } from "../units.ts";
import { commandWordOf, stepOf, type Topics } from "./topics.ts";

/** A message as it came from the broker. */
export interface Incoming {
  readonly topic: string;
  readonly payload: string;
  /** The publisher's own flag: it was, or would have been, kept at the broker. */
  readonly retain: boolean;
}

export type Command =
  | { readonly kind: "press"; readonly step: Step | null; readonly id: string | null; readonly word: string }
  | { readonly kind: "auto_heal"; readonly on: boolean }
  | { readonly kind: "maintenance"; readonly on: boolean }
  | { readonly kind: "birth"; readonly online: boolean; readonly retain: boolean }
  /** Not for us, or not in a form that we know: nothing is done, and the reason is logged. */
  | { readonly kind: "ignored"; readonly why: string };

/** Commands are words; what is longer is not one of ours. */
export const PAYLOAD_MAX = 128;
const ignored = (why: string): Command => ({ kind: "ignored", why });

/** Understands one message. Total: whatever is sent is a value. */
export function commandOf(topics: Topics, birthTopic: string, message: Incoming): Command {
  const { topic, payload, retain } = message;
  if (topic === birthTopic) {
    if (payload === "online" || payload === "offline") return { kind: "birth", online: payload === "online", retain };
    return ignored("neither online nor offline");
  }
  const word = commandWordOf(topics, topic);
  if (word === null) return ignored("not a topic of ours");
  if (payload === "") return ignored("empty");
  // One that lies at the broker would heal at every start of the hub.
  if (retain) return ignored("it has the retain flag: a command must not; empty it with mosquitto_pub -r -n");
  if (payload.length > PAYLOAD_MAX) return ignored(`longer than ${PAYLOAD_MAX} characters`);
  if (word === "auto_heal" || word === "maintenance") {
    if (payload !== "ON" && payload !== "OFF") return ignored("neither ON nor OFF");
    return { kind: word, on: payload === "ON" };
  }
  const step = stepOf(word);
  if (word !== "heal" && step === null) return ignored("no command of this name is known");
  const press = /^PRESS(?: ([\x21-\x7e]{1,64}))?$/.exec(payload);
  if (press === null) return ignored("neither PRESS nor PRESS <id>");
  return { kind: "press", step, id: press[1] ?? null, word };
}

/** So many commands at once, and one more in so long: a person's hand, not a loop. */
const BURST = 6;
const REFILL: Millis = 10 * SECOND;

export interface Allowance {
  readonly left: number;
  readonly at: Millis;
}
export const fullAllowance = (now: Millis): Allowance => ({ left: BURST, at: now });

/** Takes one command from the allowance; null when it is used up. */
export function spendCommand(allowance: Allowance, now: Millis): Allowance | null {
  const left = Math.min(BURST, allowance.left + Math.max(0, now - allowance.at) / REFILL);
  return left < 1 ? null : { left: left - 1, at: now };
}
