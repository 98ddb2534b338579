import type { FailureCode } from "../core/failure.ts";
import { DAY, type WallMillis } from "../core/units.ts";
import type { ShownCertificate } from "./port.ts";

/** The name of the certificate that Traefik makes for itself when it has none for the asked name. */
const TRAEFIK_DEFAULT = "TRAEFIK DEFAULT CERT";

export interface CertificateFault {
  readonly failure: FailureCode;
  readonly detail: string;
}

/**
 * Judges the certificate as a fact of its own. The order is from what explains most to what explains least: a default certificate
 * is also untrusted and for another name, and an expired one is usually untrusted because it is expired.
 */
export function judgeCertificate(
  shown: ShownCertificate,
  serverName: string,
  now: WallMillis,
): CertificateFault | null {
  const { facts } = shown;
  const subject = facts.subject ?? "no name";
  if (facts.subject?.includes(TRAEFIK_DEFAULT)) {
    return {
      failure: "tls_default_certificate",
      detail: `Traefik shows its default certificate: it has none for ${serverName}`,
    };
  }
  const until = facts.valid_to === null ? null : Date.parse(facts.valid_to);
  const from = facts.valid_from === null ? null : Date.parse(facts.valid_from);
  if (until !== null && until < now)
    return { failure: "tls_expired", detail: `the certificate of ${subject} expired on ${facts.valid_to}` };
  if (from !== null && from > now)
    return { failure: "tls_not_yet_valid", detail: `the certificate of ${subject} is valid from ${facts.valid_from}` };
  if (shown.chainError === "CERT_HAS_EXPIRED")
    return { failure: "tls_expired", detail: "a certificate above the server's has expired" };
  if (shown.chainError === "CERT_NOT_YET_VALID")
    return { failure: "tls_not_yet_valid", detail: "a certificate above the server's is not yet valid" };
  if (shown.chainError !== null)
    return { failure: "tls_untrusted", detail: `the certificate of ${subject} is not trusted: ${shown.chainError}` };
  if (!shown.nameMatches) {
    const names = facts.names.length === 0 ? subject : facts.names.join(", ");
    return { failure: "tls_wrong_name", detail: `the certificate is for ${names}, not for ${serverName}` };
  }
  return null;
}

/** Whole days until a certificate ends, negative once it has. */
export function daysLeft(validTo: string | null, now: WallMillis): number | null {
  const until = validTo === null ? Number.NaN : Date.parse(validTo);
  return Number.isNaN(until) ? null : Math.floor((until - now) / DAY);
}
