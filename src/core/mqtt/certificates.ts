import type { Observation } from "../observation.ts";
import { DAY, type WallMillis } from "../units.ts";
import type { CertificateSeen } from "./states.ts";

/** Of each target the certificate that ends first, as the vantages last saw them. */
export function certificatesOf(
  latest: Iterable<Observation>,
  wall: WallMillis,
): Readonly<Record<string, CertificateSeen>> {
  const found: Record<string, CertificateSeen> = {};
  for (const { vantage, checks } of latest) {
    for (const { target, evidence } of checks) {
      const certificate = evidence?.certificate;
      const end = Date.parse(certificate?.valid_to ?? "");
      if (certificate == null || Number.isNaN(end)) continue;
      const { subject, issuer } = certificate;
      const known = found[target];
      if (known !== undefined && Date.parse(known.valid_to) <= end) continue;
      const valid_to = new Date(end).toISOString();
      found[target] = { valid_to, days_left: Math.floor((end - wall) / DAY), subject, issuer, vantage };
    }
  }
  return found;
}
