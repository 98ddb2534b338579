import type { Plan, PlanCheck } from "../core/plan.ts";
import type { Millis } from "../core/units.ts";
import type { RoundRequest, RoundResult } from "../probes/round.ts";
import type { VantagePorts } from "./vantage-port.ts";
import { checkKey, EMPTY_RECORD, isOpen, type RoundRecord, recorded, restricted } from "./vantage-record.ts";

export type RoundKind = "first" | "scheduled" | "confirmation" | "hurried";

/** Quick rounds at the start of the process: what the hub's grace waits for (safety.md, "start"). */
const FIRST_ROUNDS = 4;
/** From the end of one quick round to the start of the next. */
const QUICK_GAP: Millis = 1_000;
/** Good and bad rounds by turns would never give a verdict: then the schedule has to do. */
const CONFIRMATIONS_MAX = 12;
/** A hub asks again if it wants more. */
const HURRIED_MAX = 16;
const TRIES_FIRST = 3;

export interface DoneRound extends RoundResult {
  readonly kind: RoundKind;
  readonly plan: Plan;
  readonly startedMono: Millis;
  readonly startedWall: number;
}

export interface Rounds {
  /** Takes a new plan; the first one starts the first rounds. */
  follow(plan: Plan): void;
  /** The hub wants this many quick rounds, right away. */
  hurry(count: number): void;
  /** Runs until the signal aborts; one round at a time. */
  run(signal: AbortSignal): Promise<void>;
}

type Next = { readonly kind: RoundKind; readonly at: Millis };

/** The loop of a vantage: when to run the next round, and which checks belong to it. */
export function createRounds(
  ports: Pick<VantagePorts, "clock" | "log" | "round" | "timetable">,
  report: (round: DoneRound) => void,
): Rounds {
  let plan: Plan | null = null;
  let record: RoundRecord = EMPTY_RECORD;
  let first = FIRST_ROUNDS;
  let hurried = 0;
  let confirmations = 0;
  let running = false;
  let endedAt: Millis = Number.NEGATIVE_INFINITY;
  let stops: (() => void)[] = [];
  /** Schedules that have struck, with the time from which their round may start. */
  const due = new Map<string, Millis>();
  let wake = new AbortController();

  function strike(schedule: string): void {
    // A round under way answers the same question; a check with a rare schedule of its own must not lose its turn to it.
    if (plan === null || (running && schedule === plan.schedule)) return;
    if (!due.has(schedule)) due.set(schedule, ports.clock.mono() + plan.offset_ms);
    wake.abort();
  }

  function schedule(wanted: Plan): void {
    for (const stop of stops) stop();
    stops = [];
    due.clear();
    const own = wanted.targets.flatMap((target) => target.checks.flatMap((check) => check.schedule ?? []));
    for (const expression of new Set([wanted.schedule, ...own])) {
      const stop = ports.timetable.start(expression, () => strike(expression));
      if (stop === null)
        ports.log("error", { schedule: expression }, "not a cron expression: its checks only run at the start");
      else stops.push(stop);
    }
  }

  function next(): Next | null {
    if (plan === null) return null;
    const quick = endedAt + QUICK_GAP;
    if (first > 0) return { kind: "first", at: quick };
    if (hurried > 0) return { kind: "hurried", at: quick };
    if (confirmations < CONFIRMATIONS_MAX && isOpen(record)) return { kind: "confirmation", at: quick };
    if (due.size > 0) return { kind: "scheduled", at: Math.min(...due.values()) };
    return null;
  }

  async function runOne(kind: RoundKind, current: Plan, signal: AbortSignal): Promise<void> {
    const struck = new Set(due.keys());
    due.clear();
    if (kind === "first") first--;
    if (kind === "hurried") hurried--;
    confirmations = kind === "confirmation" ? confirmations + 1 : kind === "scheduled" ? 0 : confirmations;
    const before = record;
    const request: RoundRequest = {
      plan: current,
      due: (target, check) => isDue(kind, current, target, check, struck, before),
      tries: (target, id) => (before.failing.has(checkKey(target, id)) ? 1 : TRIES_FIRST),
    };
    const startedMono = ports.clock.mono();
    const startedWall = ports.clock.wall();
    running = true;
    const result = await ports.round(request, signal);
    running = false;
    endedAt = ports.clock.mono();
    if (signal.aborted) return;
    record = recorded(record, result.checks);
    report({ ...result, kind, plan: current, startedMono, startedWall });
  }

  return {
    follow(wanted) {
      plan = wanted;
      record = restricted(record, new Set([...wanted.targets, ...wanted.links].map((known) => known.name)));
      schedule(wanted);
      wake.abort();
    },
    hurry(count) {
      hurried = Math.min(HURRIED_MAX, Math.max(hurried, Math.floor(count) || 0));
      wake.abort();
    },
    async run(signal) {
      signal.addEventListener("abort", () => wake.abort(), { once: true });
      while (!signal.aborted) {
        wake = new AbortController();
        const coming = next();
        const now = ports.clock.mono();
        if (coming !== null && plan !== null && coming.at <= now) await runOne(coming.kind, plan, signal);
        else await ports.clock.sleep(coming === null ? 3_600_000 : coming.at - now, wake.signal);
      }
      for (const stop of stops) stop();
    },
  };
}

/**
 * A check with a schedule of its own runs when that strikes, in the first rounds, and in every quick round while it fails. All
 * others run in every round but one that only a check's own schedule has called.
 */
function isDue(
  kind: RoundKind,
  plan: Plan,
  target: string,
  check: PlanCheck,
  struck: ReadonlySet<string>,
  record: RoundRecord,
): boolean {
  if (kind === "first") return true;
  if (check.schedule !== undefined && check.schedule !== plan.schedule)
    return struck.has(check.schedule) || (kind !== "scheduled" && record.failing.has(checkKey(target, check.id)));
  return kind !== "scheduled" || struck.has(plan.schedule);
}
