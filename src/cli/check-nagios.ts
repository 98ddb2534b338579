import type { CheckResult } from "../core/observation.ts";
import type { Plan } from "../core/plan.ts";
import type { RoundResult } from "../probes/round.ts";

/** The plugin API's words for the exit codes 0 to 3 (nagios-plugins.org, developer guidelines). */
const WORDS = ["OK", "WARNING", "CRITICAL", "UNKNOWN"] as const;

/** Prints one line with performance data and gives the exit code. */
export function nagiosReport(plan: Plan, result: RoundResult, blind: boolean): number {
  const failing = result.checks.filter((check) => !check.ok);
  const serious = failing.filter((check) => check.evidence?.upstream !== true);
  const ending = result.checks.filter((check) => isEnding(plan, check));
  const code =
    blind || result.checks.length === 0 ? 3 : serious.length > 0 ? 2 : failing.length + ending.length > 0 ? 1 : 0;
  const words = [
    ...failing.map((check) => `${check.target} ${check.id}: ${check.failure}`),
    ...ending.map(
      (check) => `${check.target} ${check.id}: certificate ends in ${check.evidence?.certificate?.days_left} days`,
    ),
  ];
  const said = blind
    ? "this machine's own path is broken"
    : result.checks.length === 0
      ? "no targets are declared"
      : words.length > 0
        ? words.join(", ")
        : `${result.checks.length} checks are good`;
  const times = result.checks
    .filter((check) => check.ms != null)
    .map((check) => `'${check.target}/${check.id}'=${((check.ms ?? 0) / 1_000).toFixed(6)}s`);
  process.stdout.write(`HAIRPIN ${WORDS[code]} - ${said.replaceAll("|", "/")} | ${times.join(" ")}\n`);
  return code;
}

function isEnding(plan: Plan, check: CheckResult): boolean {
  const days = check.evidence?.certificate?.days_left;
  if (!check.ok || days == null) return false;
  const declared = plan.targets
    .find((target) => target.name === check.target)
    ?.checks.find((each) => check.id === each.id || check.id?.startsWith(`${each.id}@`));
  return declared?.kind === "https" && days < declared.cert_days_min;
}
