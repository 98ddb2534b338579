import type { OidcCheck } from "../core/plan.ts";
import type { Millis } from "../core/units.ts";
import { type Finding, failed, passed, plain } from "./finding.ts";
import { exchangeHttps, HTTPS_LIMITS } from "./https.ts";
import type { HttpReply, HttpsLimits, ProbePorts } from "./port.ts";

/** What OpenID Connect Discovery 1.0, section 3, marks as required, without those that only some flows need. */
const REQUIRED_TEXTS = ["authorization_endpoint", "token_endpoint", "jwks_uri"] as const;
const REQUIRED_LISTS = [
  "response_types_supported",
  "subject_types_supported",
  "id_token_signing_alg_values_supported",
] as const;
/** A connection that has less left than this would only fail for want of time. */
const JWKS_TIME_MIN: Millis = 250;

type OidcPorts = Pick<ProbePorts, "https" | "neighbours" | "clock">;

/**
 * Asks for the discovery document and the keys the way Home Assistant's server side does: straight at the LoadBalancer's address,
 * with the issuer's host in SNI. The two requests share one time limit.
 */
export async function askOidc(
  check: OidcCheck,
  address: string,
  ports: OidcPorts,
  signal: AbortSignal,
  commit: () => void = () => {},
  limits: HttpsLimits = HTTPS_LIMITS,
): Promise<Finding> {
  const issuer = new URL(check.issuer);
  const path = `${issuer.pathname.replace(/\/$/, "")}/.well-known/openid-configuration`;
  const question = { address, port: check.port, serverName: issuer.hostname, path, caPem: check.ca_pem };
  return exchangeHttps(question, ports, signal, commit, limits, async (reply, left) => {
    const document = discoveryOf(check, reply);
    if ("finding" in document) return document.finding;
    return askKeys(check, document.jwksUri, address, ports, signal, { ...limits, total: left });
  });
}

function discoveryOf(check: OidcCheck, reply: HttpReply): { readonly finding: Finding } | { readonly jwksUri: string } {
  if (reply.status !== 200) return { finding: failed("http_status", `discovery answered HTTP ${reply.status}`) };
  const document = jsonObject(reply.body);
  // An HTML page behind a 200 is what a default backend likes to send.
  if (document === null)
    return { finding: failed("oidc_not_json", "discovery answered 200 with something that is no JSON object") };
  const issuer = document["issuer"];
  if (typeof issuer !== "string") return { finding: failed("oidc_invalid", "the discovery document has no issuer") };
  if (issuer !== check.issuer)
    return { finding: failed("oidc_issuer_mismatch", `issuer is ${plain(issuer, 200)}, expected ${check.issuer}`) };
  const missing = [
    ...REQUIRED_TEXTS.filter((field) => typeof document[field] !== "string" || document[field] === ""),
    ...REQUIRED_LISTS.filter((field) => !Array.isArray(document[field]) || document[field].length === 0),
  ];
  if (missing.length > 0)
    return { finding: failed("oidc_invalid", `the discovery document lacks ${missing.join(", ")}`) };
  return { jwksUri: document["jwks_uri"] as string };
}

async function askKeys(
  check: OidcCheck,
  jwksUri: string,
  address: string,
  ports: OidcPorts,
  signal: AbortSignal,
  limits: HttpsLimits,
): Promise<Finding> {
  let uri: URL;
  try {
    uri = new URL(jwksUri);
  } catch {
    return failed("oidc_invalid", `jwks_uri is no URL: ${plain(jwksUri, 200)}`);
  }
  const host = new URL(check.issuer).hostname;
  if (uri.protocol !== "https:" || uri.hostname !== host)
    return passed(plain(`keys not checked: they are at ${uri.protocol}//${uri.host}`));
  if (limits.total < JWKS_TIME_MIN) return failed("http_timeout", "no time was left to fetch the keys");
  const port = uri.port === "" ? (check.port === 443 ? 443 : samePort(check, uri)) : Number(uri.port);
  const exchange = await ports.https.get(
    {
      address,
      port,
      serverName: host,
      path: `${uri.pathname}${uri.search}`,
      caPem: check.ca_pem,
      bodyMax: 65_536,
      limits,
    },
    signal,
  );
  if (!exchange.reply.ok) {
    const timedOut = exchange.reply.fault.timedOut && exchange.reply.fault.stage === "exchange";
    return failed(timedOut ? "http_timeout" : "oidc_jwks_invalid", `the keys: ${exchange.reply.fault.message}`);
  }
  return judgeKeys(exchange.reply.value);
}

/** A document that names no port is served behind another one in a lab or behind a port forward: ask where discovery answered. */
function samePort(check: OidcCheck, uri: URL): number {
  return new URL(check.issuer).port === uri.port ? check.port : 443;
}

function judgeKeys(reply: HttpReply): Finding {
  if (reply.status !== 200) return failed("oidc_jwks_invalid", `the keys answered HTTP ${reply.status}`);
  if ((reply.headers["content-encoding"] ?? "identity") !== "identity")
    return failed("oidc_jwks_invalid", "the keys came in an encoding that was not asked for");
  const keys = jsonObject(reply.body)?.["keys"];
  if (!Array.isArray(keys)) return failed("oidc_jwks_invalid", "the keys are no JSON Web Key Set");
  if (!keys.some(isPublicKey)) return failed("oidc_jwks_invalid", `none of ${keys.length} keys could be imported`);
  return passed();
}

const BASE64URL = /^[A-Za-z0-9_-]+$/;

/** Whether a JSON Web Key has the public members of its type (RFC 7518, section 6, and RFC 8037). */
function isPublicKey(key: unknown): boolean {
  if (typeof key !== "object" || key === null) return false;
  const members = key as Readonly<Record<string, unknown>>;
  const has = (name: string) => typeof members[name] === "string" && BASE64URL.test(members[name]);
  switch (members["kty"]) {
    case "RSA":
      return has("n") && has("e");
    case "EC":
      return typeof members["crv"] === "string" && has("x") && has("y");
    case "OKP":
      return typeof members["crv"] === "string" && has("x");
    default:
      return false;
  }
}

function jsonObject(body: Uint8Array): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(body));
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Readonly<Record<string, unknown>>)
      : null;
  } catch {
    return null;
  }
}
