import type { GuardFact } from "../core/facts.ts";
import type { RepairReport } from "../core/repair.ts";
import { HOUR, MINUTE, type Millis, SECOND } from "../core/units.ts";
import type { Journal } from "./journal.ts";
import type { Keeper } from "./keeper.ts";
import type { Ledger } from "./ledger.ts";
import { type Ensured, ensureLink, type Judgement } from "./link.ts";
import type { Pause } from "./pause.ts";
import type { HostPorts } from "./port.ts";

/**
 * Repairs of one link within the window, in ledger time, before the guard takes it that something keeps undoing them. Whoever undoes
 * by program reaches any number in seconds; a person who tries things out should not.
 */
export const GUARD_RUNS_MAX = 12;
export const GUARD_WINDOW: Millis = 10 * MINUTE;
/** A stop lasts the window at first and doubles, at most to this. */
const STOP_MAX: Millis = HOUR;
/** A link that was right for so long has shaken off whoever undid it. */
const CALM: Millis = 30 * MINUTE;
/** After a failed repair the next try waits: 5 s, 15 s, 45 s, then a minute. */
const RETRY_MIN: Millis = 5 * SECOND;
const RETRY_MAX: Millis = MINUTE;
/** udev may rewrite a sysctl a moment after a creation, which no link event tells. */
const SECOND_LOOK: Millis = 150;
const LOG_MAX = 64;

export interface Guard {
  /** Weighs a judgement and repairs what may be repaired. `atMono`: when the kernel said so. */
  readonly consider: (judgement: Judgement, atMono: Millis) => Promise<void>;
  readonly isStopped: () => boolean;
  /** Why it is not repairing, where it would have to. */
  readonly heldBy: () => string | null;
}

export interface GuardPorts {
  readonly keeper: Keeper;
  readonly ports: HostPorts;
  readonly journal: Journal;
  readonly ledger: Ledger;
  readonly enabled: boolean;
  readonly pause: () => Pause | null;
  readonly nextId: () => string;
  readonly tell: (fact: GuardFact) => void;
  /** Wants a fresh look at the links. */
  readonly wantLook: () => void;
}

/** Keeps the newest entries of the log that goes into the facts. */
export function appendFact(log: readonly GuardFact[], fact: GuardFact): readonly GuardFact[] {
  return [...log, fact].slice(-LOG_MAX);
}

/** Keeps one declared link true. It never deletes a link that works, and is bounded: something that keeps undoing it is told. */
export function createGuard({
  keeper,
  ports,
  journal,
  ledger,
  enabled,
  pause,
  nextId,
  tell,
  wantLook,
}: GuardPorts): Guard {
  const link = keeper.declared;
  let stoppedUntil: Millis | null = null;
  let stops = 0;
  let failures = 0;
  let retryAt: Millis = 0;
  let rightSince: Millis | null = null;
  let held: string | null = null;

  const hold = (why: string | null, loud = false) => {
    if (held === why) return;
    held = why;
    if (why !== null)
      ports.log(
        loud ? "error" : "warn",
        { event: "guard_held", link: link.name },
        `the guard of ${link.name} waits: ${why}`,
      );
  };

  const stop = (cause: GuardFact["cause"], now: Millis) => {
    const lasts = Math.min(GUARD_WINDOW * 2 ** stops, STOP_MAX);
    stops++;
    stoppedUntil = now + lasts;
    const detail =
      `${GUARD_RUNS_MAX} repairs in ${GUARD_WINDOW / MINUTE} min were undone: something on this host keeps changing ${link.name}. ` +
      `Look for ${whoToLookFor(ports, link.name)}. Tried again in ${Math.round(lasts / MINUTE)} min.`;
    ports.log("error", { event: "guard_stopped", link: link.name, cause }, detail);
    tell({
      id: nextId(),
      link: link.name,
      cause,
      step: "ensure-link",
      outcome: "stopped",
      ms: null,
      at: new Date(ports.clock.wall()).toISOString(),
      detail,
    });
  };

  /** Whether a repair may begin now. */
  const mayBegin = (judgement: Judgement, cause: GuardFact["cause"], now: Millis): boolean => {
    // A deletion that was just heard of is acted on with the parent of the last look: asking first would cost the gap it closes.
    const needsParent = judgement.kind === "missing" || judgement.kind === "drifted";
    if (needsParent && keeper.sight() !== null && keeper.sight()?.parent === null) {
      hold(`its parent ${link.parent} is missing`);
      return false;
    }
    const paused = pause();
    if (paused !== null) {
      hold(`paused until ${paused.until}`);
      return false;
    }
    if (journal.health() === "unreadable") {
      hold(`the journal is unreadable (${journal.detail() ?? "?"}): move it away and start again`, true);
      return false;
    }
    if (now < retryAt) return false;
    if (stoppedUntil !== null) {
      if (now < stoppedUntil) return false;
      stoppedUntil = null;
    } else if (ledger.guardRuns(link.name, GUARD_WINDOW) >= GUARD_RUNS_MAX) {
      stop(cause, now);
      return false;
    }
    return true;
  };

  const repair = async (judgement: Judgement, cause: GuardFact["cause"], atMono: Millis): Promise<void> => {
    const id = nextId();
    const at = new Date(ports.clock.wall()).toISOString();
    if (!ledger.write({ kind: "intent", id, step: "ensure-link", by: "guard", link: link.name, epoch: 0 })) {
      failures++;
      retryAt = ledger.now() + RETRY_MIN;
      return hold(`the journal cannot be written (${journal.detail() ?? "?"})`, true);
    }
    let made = await ensureLink(link, judgement, keeper.tools, true);
    const ms = rounded(ports.clock.mono() - atMono);
    if (!made.ok) made = await secondOpinion(made, keeper);
    const state = made.ok ? "done" : "failed";
    const report: RepairReport = {
      id,
      step: "ensure-link",
      state,
      refusal: null,
      detail: made.detail,
      started_at: at,
      ms,
      commands: [...made.commands],
      advice: made.advice,
    };
    ledger.write({ kind: "end", report });
    failures = made.ok ? 0 : failures + 1;
    retryAt = made.ok ? 0 : ledger.now() + Math.min(RETRY_MIN * 3 ** (failures - 1), RETRY_MAX);
    hold(null);
    ports.log(
      made.ok ? "info" : "error",
      {
        event: "guard",
        id,
        link: link.name,
        cause,
        step: "ensure-link",
        outcome: state,
        ms,
        commands: made.commands,
        detail: made.detail,
        advice: made.advice,
      },
      say(judgement, link.name, made.ok),
    );
    const waitsForParent = !made.ok && keeper.sight()?.parent === null;
    if (waitsForParent) retryAt = 0;
    else
      tell({
        id,
        link: link.name,
        cause,
        step: "ensure-link",
        outcome: state,
        ms,
        at,
        detail: made.ok ? whatOf(judgement) : (made.advice ?? made.detail),
      });
  };

  return {
    consider: async (judgement, atMono) => {
      const now = ledger.now();
      const cause = causeOf(judgement);
      if (cause === null) {
        if (judgement.kind === "foreign") hold(`${judgement.what}: it is left alone`, true);
        if (judgement.kind !== "right") return;
        hold(null);
        rightSince ??= now;
        if (stoppedUntil !== null && now >= stoppedUntil) stoppedUntil = null;
        if (stops > 0 && now - rightSince > CALM) stops = 0;
        return;
      }
      rightSince = null;
      if (!enabled || keeper.isLocked() || !mayBegin(judgement, cause, now)) return;
      await keeper.locked(async () => repair(judgement, cause, atMono));
      wantLook();
      ports.clock.after(SECOND_LOOK, wantLook);
    },
    isStopped: () => stoppedUntil !== null || journal.health() === "unreadable",
    heldBy: () => held,
  };
}

/** A failed creation of a link that somebody else made meanwhile, rightly, is no failure. */
async function secondOpinion(made: Ensured, keeper: Keeper): Promise<Ensured> {
  const judgement = await keeper.look();
  if (judgement.kind !== "right" && judgement.kind !== "settings") return made;
  const settled = await ensureLink(keeper.declared, { kind: "settings", what: [] }, keeper.tools, false);
  return { ...settled, commands: [...made.commands, ...settled.commands], detail: settled.detail ?? made.detail };
}

export function causeOf(judgement: Judgement): GuardFact["cause"] | null {
  switch (judgement.kind) {
    case "missing":
      return "link_missing";
    case "down":
      return "link_down";
    case "drifted":
    case "settings":
      return "link_drifted";
    case "right":
    case "unknown":
    case "foreign":
      return null;
  }
}

function whatOf(judgement: Judgement): string | null {
  return judgement.kind === "drifted" || judgement.kind === "settings" ? judgement.what.join(", ") : null;
}

function say(judgement: Judgement, name: string, ok: boolean): string {
  const what = whatOf(judgement);
  const found = what === null ? (judgement.kind === "down" ? "was down" : "was missing") : `had ${what}`;
  return ok ? `${name} ${found}: made right` : `${name} ${found}, and could not be made right`;
}

function whoToLookFor(ports: HostPorts, name: string): string {
  const suspects = ports.links.suspects();
  const list = suspects.length > 0 ? suspects.join(", ") : "another program that arranges links";
  return `${list} (ip monitor link; journalctl -b -g ${name})`;
}

export function rounded(ms: Millis): Millis {
  return Math.round(ms * 100) / 100;
}
