import { LOGIN_SKEW_MAX } from "../evidence.ts";
import type { CheckResult } from "../observation.ts";
import { type DoctorFinding, warning } from "./finding.ts";

/** A provider whose clock is not this machine's: everything answers, and a login fails all the same. */
export function skewFindings(checks: readonly CheckResult[]): readonly DoctorFinding[] {
  return checks.flatMap((check) => {
    const skew = check.evidence?.skew_s ?? 0;
    if (check.check !== "oidc" || Math.abs(skew) <= LOGIN_SKEW_MAX) return [];
    const side = skew > 0 ? "ahead of" : "behind";
    const text = `The clock of ${check.target} is ${Math.abs(skew)} s ${side} this machine's: Home Assistant refuses tokens beyond 5 s.`;
    return [
      warning(
        "http",
        text,
        ["The Date of its answer was compared."],
        "timedatectl; chronyc tracking   # on both machines",
      ),
    ];
  });
}
