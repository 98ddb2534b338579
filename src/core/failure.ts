/** Every way in which a check can fail: a closed list, public in observations, status and metrics. */
export const FAILURE_CODES = [
  "no_neighbour",
  "no_reply",
  "refused",
  "unreachable",
  "reset",
  "dns_servfail",
  "dns_nxdomain",
  "dns_empty",
  "dns_wrong_answer",
  "dns_refused",
  "dns_malformed",
  "dns_truncated",
  "tls_handshake",
  "tls_expired",
  "tls_not_yet_valid",
  "tls_untrusted",
  "tls_wrong_name",
  "tls_default_certificate",
  "http_status",
  "http_header",
  "http_body",
  "http_malformed",
  "http_encoding",
  "http_too_large",
  "http_timeout",
  "oidc_not_json",
  "oidc_issuer_mismatch",
  "oidc_invalid",
  "oidc_jwks_invalid",
  "mac_unexpected",
  "mac_conflict",
  "mac_is_parent",
  "link_missing",
  "link_down",
  "link_drifted",
  "parent_missing",
  "parent_down",
  "speaker_not_ready",
  "speaker_missing",
  "kubernetes_unreachable",
  "control_failed",
  "unclassified",
] as const;

export type FailureCode = (typeof FAILURE_CODES)[number];

/** Failures of layer 2: the only ones that vote for a heal (safety.md, "Votes"). */
export const LAYER2_FAILURES: ReadonlySet<FailureCode> = new Set<FailureCode>([
  "no_neighbour",
  "no_reply",
  "unreachable",
]);

/** Failures of the certificate alone: the service behind it may be fine. */
export const CERTIFICATE_FAILURES: ReadonlySet<FailureCode> = new Set<FailureCode>([
  "tls_expired",
  "tls_not_yet_valid",
  "tls_untrusted",
  "tls_wrong_name",
  "tls_default_certificate",
]);

const LAYER_ORDER: readonly FailureCode[] = [
  "no_neighbour",
  "mac_conflict",
  "mac_is_parent",
  "mac_unexpected",
  "unreachable",
  "refused",
  "reset",
];

/** The worst failure is shown first: what is nearer to the wire explains what is above it. Greater is worse. */
export function severity(failure: FailureCode): number {
  const near = LAYER_ORDER.indexOf(failure);
  return near >= 0 ? 2 * FAILURE_CODES.length - near : FAILURE_CODES.length - FAILURE_CODES.indexOf(failure);
}
