import type { Cause } from "../cause.ts";
import { CERTIFICATE_FAILURES, type FailureCode } from "../failure.ts";
import { failedLooks, of, type Row } from "./finding.ts";
import { failures, isServedBeside, type Look, type Scene, wasRefused } from "./scene.ts";
import * as say from "./sentences.ts";

/** A row for failures that the service itself answers with. */
const serviceRow =
  (
    cause: Cause,
    matches: (failure: FailureCode, look: Look, upstream: boolean, status: number | null, scene: Scene) => boolean,
  ): Row =>
  (scene) => {
    const looks = failedLooks(scene).filter((look) =>
      failures(look).some(({ sample }) =>
        matches(sample.failure!, look, sample.evidence.upstream === true, sample.evidence.status ?? null, scene),
      ),
    );
    return looks.length > 0 ? of(cause, looks, looks.map(say.failed)) : null;
  };

export const serviceDown = serviceRow("service_down", (failure, look, upstream, status, scene) => {
  if (upstream) return false;
  if (failure === "http_status") return (status ?? 0) >= 500;
  if (wasRefused(look) && !look.neighbourFailed) return true;
  if (failure === "no_reply" && !look.neighbourFailed && isServedBeside(scene, look)) return true;
  // A dead pod refuses TCP and lets UDP run into the time-out (measured): either of them, while the right MAC answers.
  const dead: readonly FailureCode[] = [
    "refused",
    "reset",
    "dns_servfail",
    "dns_refused",
    "tls_handshake",
    "http_timeout",
    "http_malformed",
  ];
  return dead.includes(failure) && !look.neighbourFailed;
});

export const upstreamDns: Row = (scene) => {
  const looks = failedLooks(scene).filter((look) => {
    const bad = failures(look);
    return bad.length > 0 && bad.every(({ sample }) => sample.evidence.upstream === true);
  });
  const localBad = failedLooks(scene).some((look) =>
    failures(look).some(({ check, sample }) => check.kind === "dns" && sample.evidence.upstream !== true),
  );
  return looks.length > 0 && !localBad ? of("upstream_dns", looks, looks.map(say.failed)) : null;
};

const WRONG: ReadonlySet<FailureCode> = new Set<FailureCode>([
  "dns_wrong_answer",
  "dns_nxdomain",
  "dns_empty",
  "dns_malformed",
  "dns_truncated",
  "http_status",
  "http_header",
  "http_body",
  "http_encoding",
  "http_too_large",
  "oidc_not_json",
  "oidc_issuer_mismatch",
  "oidc_invalid",
  "oidc_jwks_invalid",
]);
export const answerWrong = serviceRow("answer_wrong", (failure, _look, upstream) => !upstream && WRONG.has(failure));
export const certificate = serviceRow("certificate", (failure) => CERTIFICATE_FAILURES.has(failure));
