import type { CheckResult } from "../core/observation.ts";

/** Rounds that a verdict looks back on: k of n is 3 of 4 (safety.md, "Votes"). */
const WINDOW = 4;
const FAILED_OF_WINDOW = 3;

/** What this vantage remembers of its own rounds: enough to know whether the next one should follow at once. */
export interface RoundRecord {
  /** Whether each round of a target was good, oldest first, at most four. */
  readonly rounds: ReadonlyMap<string, readonly boolean[]>;
  /** The checks that failed when they were last run, as "target/id". */
  readonly failing: ReadonlySet<string>;
}

export const EMPTY_RECORD: RoundRecord = { rounds: new Map(), failing: new Set() };

export const checkKey = (target: string, id: string): string => `${target}/${id}`;

export function recorded(record: RoundRecord, checks: readonly CheckResult[]): RoundRecord {
  const rounds = new Map(record.rounds);
  const failing = new Set(record.failing);
  const good = new Map<string, boolean>();
  for (const check of checks) {
    const key = checkKey(check.target, check.id ?? check.check);
    if (check.ok) failing.delete(key);
    else failing.add(key);
    good.set(check.target, (good.get(check.target) ?? true) && check.ok);
  }
  for (const [target, ok] of good) rounds.set(target, [...(rounds.get(target) ?? []), ok].slice(-WINDOW));
  return { rounds, failing };
}

/** Forgets what a new plan does not have any more. */
export function restricted(record: RoundRecord, targets: ReadonlySet<string>): RoundRecord {
  return {
    rounds: new Map([...record.rounds].filter(([target]) => targets.has(target))),
    failing: new Set([...record.failing].filter((key) => targets.has(key.slice(0, key.indexOf("/"))))),
  };
}

/**
 * Whether some target's verdict is open, so that confirmation rounds are wanted: the last round was good, yet not two in a row; or
 * it failed, yet not three of the last four. The second half makes a recovery as quick to be seen as a failure.
 */
export function isOpen(record: RoundRecord): boolean {
  for (const rounds of record.rounds.values()) {
    const last = rounds.at(-1);
    const settled = last ? rounds.at(-2) !== false : rounds.filter((ok) => !ok).length >= FAILED_OF_WINDOW;
    if (!settled) return true;
  }
  return false;
}
