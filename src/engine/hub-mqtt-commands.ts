import type { HealAnswer, HealAsk } from "../core/hub-asks.ts";
import { answerMessage, held, pressAnswer } from "../core/mqtt/activity.ts";
import { type Command, fullAllowance, type Incoming, spendCommand } from "../core/mqtt/command.ts";
import { plain } from "../core/text.ts";
import { MINUTE, type Millis } from "../core/units.ts";
import type { Broker, Clock, Log } from "./hub-ports.ts";

/** How people and records call whoever pressed. */
const CALLER = "Home Assistant";
/** What is ignored is logged once in so long: whoever may publish could otherwise fill the disk. */
const SAY_EVERY: Millis = MINUTE;

interface Parts {
  readonly house: { readonly heal: { readonly mode: string } };
  readonly clock: Clock;
  readonly randomId: (length: number) => string;
  readonly log: Log;
  readonly ask: (ask: HealAsk) => HealAnswer;
  readonly pause: (forMillis: Millis, reason: string) => void;
  readonly resume: () => void;
  readonly disarm: (wanted: boolean) => void;
}

/** What Home Assistant asks for: a press goes the road of `POST /heal`, with every protecting gate. */
export function createCommands(parts: Parts, { name, settings }: Broker, event: (payload: string) => void) {
  const { clock, log } = parts;
  let allowance = fullAllowance(clock.mono());
  let saidAt: Millis | null = null;
  let unsaid = 0;

  function ignore(why: string, { topic, payload }: Incoming): void {
    const now = clock.mono();
    if (saidAt !== null && now - saidAt < SAY_EVERY) {
      unsaid++;
      return;
    }
    const fields = { broker: name, why, topic: plain(topic, 128), payload: plain(payload, 64), not_logged: unsaid };
    log("warn", fields, "a message by MQTT was ignored");
    saidAt = now;
    unsaid = 0;
  }

  const answer = (given: Parameters<typeof answerMessage>[0]): void =>
    event(answerMessage(given, new Date(clock.wall()).toISOString()));

  function press({ step, id, word }: Extract<Command, { kind: "press" }>): void {
    const outcome = parts.ask({
      step,
      reason: "pressed in Home Assistant",
      by: CALLER,
      dryRun: false,
      override: false,
      force: false,
      target: null,
      incident: null,
      key: `mqtt:${name}:${word}:${id ?? parts.randomId(16)}`,
      digest: `mqtt ${word}`,
    });
    const given = pressAnswer(outcome);
    if (given !== null) answer(given);
  }

  function autoHeal(on: boolean): void {
    parts.disarm(!on);
    log("info", { broker: name, by: CALLER, on }, "automatic repairs were switched");
    const { mode } = parts.house.heal;
    if (!on || mode === "auto") return;
    answer(held("not_armed", `heal.mode is ${mode} in hairpin.yaml, and only that file arms automatic repairs.`, null));
  }

  /** Durable or not done: a disk that takes no writes is an answer, and no reason to fall. */
  function durably(run: () => void): void {
    try {
      run();
    } catch (error) {
      if (!(error instanceof Error && error.name === "StoreError")) throw error;
      answer(held("unavailable", "the hub could not write it down, so it was not done", null));
    }
  }

  return {
    /** Does what is asked; false when the message was none of ours. */
    take(command: Command, incoming: Incoming): boolean {
      if (command.kind === "birth") return false;
      if (command.kind === "ignored") {
        ignore(command.why, incoming);
        return false;
      }
      const left = spendCommand(allowance, clock.mono());
      if (left === null) {
        ignore("too many commands", incoming);
        return true;
      }
      allowance = left;
      if (command.kind === "press") press(command);
      else if (command.kind === "auto_heal") durably(() => autoHeal(command.on));
      else if (command.on) durably(() => parts.pause(settings.maintenance, "switched on in Home Assistant"));
      else durably(() => parts.resume());
      return true;
    },
  };
}
