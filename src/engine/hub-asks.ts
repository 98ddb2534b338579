import type { House } from "../core/config/house.ts";
import type { AskAnswer } from "../core/group.ts";
import type { HealAnswer, HealAsk } from "../core/hub-asks.ts";
import { isStoreError, type Loop } from "./hub-loop.ts";
import type { Log } from "./hub-ports.ts";
import type { Seat } from "./hub-state.ts";
import type { HubStore } from "./store.ts";

const NOTHING: AskAnswer = {
  status: 200,
  state: "nothing_to_do",
  id: null,
  step: null,
  detail: "no target is declared: there is nothing to heal",
  retryAfterMillis: null,
  gates: [],
};

/** The group that a request means: named by target or incident, else the one in trouble, else the first with a host. */
function groupFor(house: House, seats: readonly Seat[], ask: HealAsk): Seat | "target" | "incident" | null {
  if (ask.incident !== null) return seats.find((seat) => seat.state.incident?.id === ask.incident) ?? "incident";
  if (ask.target !== null && ask.target !== "all") {
    const target = house.targets.find((known) => known.name === ask.target);
    return seats.find((seat) => seat.group.name === target?.group) ?? "target";
  }
  const inTrouble = seats.find((seat) => seat.state.incident !== null);
  return inTrouble ?? seats.find((seat) => seat.group.host !== null) ?? seats[0] ?? null;
}

/**
 * `POST /heal` through the same loop as everything else. An answer that started or settled something is kept under its key, in the
 * same transaction, so that a repeat gets it again; a refusal is not, since it may be another one a minute later.
 */
export function createAsks(
  house: House,
  store: HubStore,
  loop: Loop,
  randomId: (length: number) => string,
  log: Log,
): (asked: HealAsk) => HealAnswer {
  return (asked) => {
    const keys = [asked.key, asked.alsoKnownAs ?? null].filter((key) => key !== null);
    const known = keys.map((key) => store.ask(key)).find((answer) => answer !== null) ?? null;
    if (known !== null)
      return known.digest === asked.digest ? (JSON.parse(known.answer) as HealAnswer) : { kind: "mismatch" };
    const seat = groupFor(house, loop.seats(), asked);
    if (seat === null) return { kind: "answer", answer: NOTHING, advice: null };
    if (seat === "target" || seat === "incident") return { kind: "unknown", what: seat };
    const { step, reason, by, dryRun, override, force, digest } = asked;
    const id = `h-${randomId(16)}`;
    loop.rememberAsker(id, by, reason);
    const ask = { id, step, reason: reason ?? by, by, dryRun, override, force };
    const outcome = (answer: AskAnswer): HealAnswer => ({ kind: "answer", answer, advice: seat.assessment.advice });
    try {
      const stepped = loop.advance(
        { ask: { group: seat.group.name, ask } },
        {
          write({ answer }, now) {
            if (answer!.status >= 300) return;
            for (const key of keys) store.setAsk(key, digest, JSON.stringify(outcome(answer!)), now.mono);
          },
        },
      );
      const answer = stepped.answer!;
      const said = { by, reason, state: answer.state, id: answer.id, step: answer.step, override, force };
      log("info", said, "a heal was asked for");
      return outcome(answer);
    } catch (error) {
      if (!isStoreError(error)) throw error;
      return { kind: "unavailable", detail: error.message };
    }
  };
}
