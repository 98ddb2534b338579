import type { Verdict } from "./assessment.ts";
import { type FailureCode, severity } from "./failure.ts";
import type { CheckHistory, Sample, VantageView } from "./history.ts";

/** Failed rounds, of the last four, that make a verdict. */
export const FAILED_OF_FOUR = 3;
/** Good rounds in a row that make a verdict. */
export const GOOD_IN_A_ROW = 2;

/** `failed` after 3 failed rounds of the last 4, `ok` after 2 good ones, otherwise `unknown` (safety.md, "Votes"). */
export function verdictOf(samples: readonly Sample[]): Verdict {
  const last = samples.slice(-4);
  if (last.filter((sample) => !sample.ok).length >= FAILED_OF_FOUR && last.at(-1)?.ok === false) return "failed";
  if (last.length >= GOOD_IN_A_ROW && last.slice(-GOOD_IN_A_ROW).every((sample) => sample.ok)) return "ok";
  return "unknown";
}

export function checksOf(vantage: VantageView, target: string): readonly CheckHistory[] {
  return Object.values(vantage.checks).filter((check) => check.target === target);
}

export function latest(check: CheckHistory | undefined): Sample | undefined {
  return check?.samples.at(-1);
}

/** A target is shown by its worst check: failed when one fails, ok when all are, otherwise unknown. */
export function targetVerdict(vantage: VantageView, target: string): Verdict {
  return worstVerdict(checksOf(vantage, target));
}

export function worstVerdict(checks: readonly CheckHistory[]): Verdict {
  const verdicts = checks.map((check) => verdictOf(check.samples));
  if (verdicts.includes("failed")) return "failed";
  return verdicts.length > 0 && verdicts.every((verdict) => verdict === "ok") ? "ok" : "unknown";
}

/** The checks of a target whose verdict is failed, worst first. */
export function failedChecks(vantage: VantageView, target: string): readonly CheckHistory[] {
  const rank = (check: CheckHistory) => severity(latest(check)?.failure ?? "unclassified");
  return checksOf(vantage, target)
    .filter((check) => verdictOf(check.samples) === "failed")
    .sort((a, b) => rank(b) - rank(a));
}

/** Since when the newest run of failed samples lasts; null when the newest sample is good. */
export function failingSince(check: CheckHistory): number | null {
  let since: number | null = null;
  for (const sample of [...check.samples].reverse()) {
    if (sample.ok) break;
    since = sample.at;
  }
  return since;
}

/** Whether the newest sample of every one of these checks is good. Never true when nothing is known. */
export function areGood(checks: readonly CheckHistory[]): boolean {
  return checks.length > 0 && checks.every((check) => latest(check)?.ok === true);
}

/** Whether the last two rounds of every check are good and later than `since`: what proves a repair. */
export function isProved(vantage: VantageView, target: string, since: number): boolean {
  const checks = checksOf(vantage, target);
  return (
    checks.length > 0 &&
    checks.every((check) => {
      const last = check.samples.slice(-GOOD_IN_A_ROW);
      return last.length === GOOD_IN_A_ROW && last.every((sample) => sample.ok && sample.at > since);
    })
  );
}

export function worstFailure(
  vantage: VantageView,
  target: string,
): { failure: FailureCode; detail: string | null } | null {
  const failing = checksOf(vantage, target)
    .map(latest)
    .filter((sample): sample is Sample => sample !== undefined && !sample.ok && sample.failure !== null)
    .sort((a, b) => severity(b.failure!) - severity(a.failure!));
  const worst = failing[0];
  return worst === undefined ? null : { failure: worst.failure!, detail: worst.detail };
}

/** Since when the newest run of good samples of all these checks lasts; null when one is not good. */
export function goodSince(checks: readonly CheckHistory[]): number | null {
  const starts = checks.map((check) => {
    let since: number | null = null;
    for (const sample of [...check.samples].reverse()) {
      if (!sample.ok) break;
      since = sample.at;
    }
    return since;
  });
  return starts.length === 0 || starts.includes(null) ? null : Math.max(...starts.map((start) => start ?? 0));
}
