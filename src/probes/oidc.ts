import { LOGIN_SKEW_MAX } from "../core/evidence.ts";
import type { OidcCheck, OidcPeer } from "../core/plan.ts";
import type { Millis } from "../core/units.ts";
import { type Finding, failed, passed, plain } from "./finding.ts";
import { BODY_MAX, exchangeHttps, HTTPS_LIMITS } from "./https.ts";
import { askNames } from "./oidc-names.ts";
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

/** Without `dns` and `chance`, as on Workers, no host is resolved. */
type OidcPorts = Pick<ProbePorts, "https" | "neighbours" | "clock" | "importsKey"> &
  Partial<Pick<ProbePorts, "dns" | "chance">>;
type Fields = Readonly<Record<string, unknown>>;

/**
 * Asks for the discovery document and the keys the way Home Assistant's server side does: straight at the LoadBalancer's address,
 * with the issuer's host in SNI. All requests share one time limit.
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
  const until = ports.clock.mono() + limits.total;
  const finding = await exchangeHttps(question, ports, signal, commit, limits, async (reply) => {
    const document = discoveryOf(check, reply);
    if ("finding" in document) return document.finding;
    const left = () => ({ ...limits, total: until - ports.clock.mono() });
    const keys = await askKeys(check, document.endpoints, address, ports, signal, left());
    const peers = keys.ok ? await askPeers(check, document.endpoints, keys, ports, signal, left) : keys;
    return withNames(check, document.endpoints, peers, ports, signal, left().total);
  });
  const skew = finding.evidence.skew_s ?? 0;
  if (!finding.ok || Math.abs(skew) <= LOGIN_SKEW_MAX) return finding;
  const clock = `the server's clock is ${Math.abs(skew)} s ${skew > 0 ? "ahead of" : "behind"} this machine's, and tokens are refused beyond 5 s`;
  return { ...finding, detail: plain(finding.detail === null ? clock : `${clock}; ${finding.detail}`) };
}

function discoveryOf(
  check: OidcCheck,
  reply: HttpReply,
): { readonly finding: Finding } | { readonly endpoints: ReadonlyMap<string, URL> } {
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
  const refusal = refusalOf(check, document);
  if (refusal !== null) return { finding: failed("oidc_invalid", refusal) };
  const endpoints = new Map<string, URL>();
  for (const field of ENDPOINTS) {
    const text = document[field];
    if (text === undefined || text === null) continue;
    const url = typeof text === "string" && URL.canParse(text) ? new URL(text) : null;
    if (url === null || !/^https?:$/.test(url.protocol))
      return { finding: failed("oidc_invalid", `${field} is no URL: ${plain(String(text), 200)}`) };
    endpoints.set(field, url);
  }
  return { endpoints };
}

const ENDPOINTS = [
  "authorization_endpoint",
  "token_endpoint",
  "jwks_uri",
  "userinfo_endpoint",
  "end_session_endpoint",
] as const;
/** What Home Assistant's login asks of a document that says something of it at all (facts: "OIDC in HA"). */
const OFFERED: readonly (readonly [field: string, wanted: string])[] = [
  ["response_types_supported", "code"],
  ["response_modes_supported", "query"],
  ["grant_types_supported", "authorization_code"],
  ["code_challenge_methods_supported", "S256"],
];

function refusalOf(check: OidcCheck, document: Fields): string | null {
  const algorithm: readonly (readonly [string, string])[] =
    check.algorithm === undefined ? [] : [["id_token_signing_alg_values_supported", check.algorithm]];
  for (const [field, wanted] of [...OFFERED, ...algorithm]) {
    const offered = document[field];
    if (Array.isArray(offered) && !offered.includes(wanted))
      return `${field} does not offer ${wanted}: ${plain(offered.slice(0, 16).join(", "), 120)}`;
  }
  return null;
}

/** Where an endpoint may be asked: at the issuer's own host, or at one that the house has declared; null: nowhere. */
function placeOf(check: OidcCheck, uri: URL, address: string): Omit<OidcPeer, "host"> | null {
  if (uri.protocol !== "https:") return null;
  if (uri.hostname === new URL(check.issuer).hostname) {
    const port = uri.port === "" ? (check.port === 443 ? 443 : samePort(check, uri)) : Number(uri.port);
    return { address, port, ca_pem: check.ca_pem };
  }
  const peer = check.peers?.find(({ host }) => host === uri.hostname);
  return peer === undefined ? null : { ...peer, port: uri.port === "" ? peer.port : Number(uri.port) };
}

async function askKeys(
  check: OidcCheck,
  endpoints: ReadonlyMap<string, URL>,
  address: string,
  ports: OidcPorts,
  signal: AbortSignal,
  limits: HttpsLimits,
): Promise<Finding> {
  const uri = endpoints.get("jwks_uri")!;
  const place = placeOf(check, uri, address);
  if (place === null) return passed(plain(`keys not checked: they are at ${uri.protocol}//${uri.host}`));
  if (limits.total < JWKS_TIME_MIN) return failed("http_timeout", "no time was left to fetch the keys");
  const exchange = await ports.https.get(
    {
      address: place.address,
      port: place.port,
      serverName: uri.hostname,
      path: `${uri.pathname}${uri.search}`,
      caPem: place.ca_pem,
      bodyMax: BODY_MAX,
      limits,
    },
    signal,
  );
  if (!exchange.reply.ok) {
    const timedOut = exchange.reply.fault.timedOut && exchange.reply.fault.stage === "exchange";
    return failed(timedOut ? "http_timeout" : "oidc_jwks_invalid", `the keys: ${exchange.reply.fault.message}`);
  }
  return judgeKeys(exchange.reply.value, ports.importsKey ?? (() => true));
}

/** A document that names no port is served behind another one in a lab or behind a port forward: ask where discovery answered. */
function samePort(check: OidcCheck, uri: URL): number {
  return new URL(check.issuer).port === uri.port ? check.port : 443;
}

/**
 * The other declared hosts that the login passes through: a connection and a certificate for each, once. What the house does not
 * declare is named and left alone.
 */
async function askPeers(
  check: OidcCheck,
  endpoints: ReadonlyMap<string, URL>,
  keys: Finding,
  ports: OidcPorts,
  signal: AbortSignal,
  left: () => HttpsLimits,
): Promise<Finding> {
  const own = new URL(check.issuer).hostname;
  const others = new Map(
    [...endpoints].filter(([, uri]) => uri.hostname !== own).map(([field, uri]) => [uri.host, { field, uri }]),
  );
  const untold: string[] = [];
  for (const [host, { field, uri }] of others) {
    const place = placeOf(check, uri, "");
    if (place === null) {
      untold.push(`${field} at ${uri.protocol}//${host}`);
      continue;
    }
    if (left().total < JWKS_TIME_MIN) return failed("http_timeout", `no time was left to look at ${host}`);
    const question = {
      address: place.address,
      port: place.port,
      serverName: uri.hostname,
      path: "/",
      caPem: place.ca_pem,
    };
    const seen = await exchangeHttps(
      question,
      ports,
      signal,
      () => {},
      left(),
      async () => passed(),
    );
    if (!seen.ok && !isOfThePage(seen.failure))
      return { ...seen, detail: plain(`${field} at ${host}: ${seen.detail ?? ""}`) };
  }
  const more = untold.length === 0 ? null : `not declared, so not asked: ${untold.join(", ")}`;
  return more === null || keys.detail !== null ? keys : passed(plain(more));
}

/** Where the hosts of the endpoints lead, asked last: what fails at the address itself is said before it. */
async function withNames(
  check: OidcCheck,
  endpoints: ReadonlyMap<string, URL>,
  finding: Finding,
  ports: OidcPorts,
  signal: AbortSignal,
  left: Millis,
): Promise<Finding> {
  const { dns, chance } = ports;
  if (check.names === undefined || dns === undefined || chance === undefined || signal.aborted) return finding;
  const fields = new Map([...endpoints].reverse().map(([field, uri]) => [uri.hostname, field]));
  const names = await askNames(check.names, fields, { ...ports, dns, chance }, signal, left);
  const evidence = { ...finding.evidence, ...names.evidence };
  if (finding.ok && names.failure !== null) return failed(names.failure, names.detail ?? "", { evidence });
  const told = [finding.detail, names.detail].filter((part) => part !== null).join("; ");
  return { ...finding, detail: told === "" ? null : plain(told), evidence };
}

/** Its front page is not the question: only whether one gets there, and by which certificate. */
const isOfThePage = (failure: Finding["failure"]): boolean =>
  failure === "http_encoding" || failure === "http_too_large";

function judgeKeys(reply: HttpReply, imports: (key: Fields) => boolean): Finding {
  if (reply.status !== 200) return failed("oidc_jwks_invalid", `the keys answered HTTP ${reply.status}`);
  if ((reply.headers["content-encoding"] ?? "identity") !== "identity")
    return failed("oidc_jwks_invalid", "the keys came in an encoding that was not asked for");
  const keys = jsonObject(reply.body)?.["keys"];
  if (!Array.isArray(keys)) return failed("oidc_jwks_invalid", "the keys are no JSON Web Key Set");
  const signing = keys
    .slice(0, KEYS_MAX)
    .filter((key): key is Fields => isPublicKey(key) && key["use"] !== "enc" && imports(key));
  if (signing.length === 0)
    return failed("oidc_jwks_invalid", `none of ${keys.length} keys could be imported to check signatures`);
  return passed(
    signing.some((key) => typeof key["kid"] !== "string") ? "a key has no kid: some logins refuse it" : null,
  );
}

/** Providers that rotate hold two or three. */
const KEYS_MAX = 32;

const BASE64URL = /^[A-Za-z0-9_-]+$/;

/** Whether a JSON Web Key has the public members of its type (RFC 7518, section 6, and RFC 8037). */
function isPublicKey(key: unknown): key is Fields {
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
