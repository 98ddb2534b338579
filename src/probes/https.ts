import type { Evidence } from "../core/observation.ts";
import type { HttpsCheck } from "../core/plan.ts";
import { type Millis, SECOND, type WallMillis } from "../core/units.ts";
import { judgeCertificate } from "./certificate.ts";
import { failureOf, isOnLink } from "./classify.ts";
import { type Finding, type FindingExtra, failed, passed, plain } from "./finding.ts";
import type { HttpReply, HttpsExchange, HttpsLimits, ProbePorts } from "./port.ts";
import { CONNECT_TIMEOUT } from "./tcp.ts";
import { ruleProblem } from "./text-rule.ts";

/** A whole exchange has 8 s, once (safety.md, "Votes"); the handshake is done or hopeless long before that. */
export const HTTPS_LIMITS: HttpsLimits = { connect: CONNECT_TIMEOUT, tls: 4_000, total: 8_000 };
/** More than a sign-in page's markup needs, and little enough to hold in memory for every check at once. */
export const BODY_MAX = 65_536;

type HttpsPorts = Pick<ProbePorts, "https" | "neighbours" | "clock">;

export interface HttpsQuestion {
  readonly address: string;
  readonly port: number;
  readonly serverName: string;
  readonly path: string;
  readonly caPem: string | null;
}

/**
 * Asks for one page at a fixed address, with the public name in SNI and Host: going through DNS as well would blur two findings
 * into one. Redirects are a status like any other and are never followed (fault 15).
 */
export async function askHttps(
  check: HttpsCheck,
  address: string,
  ports: HttpsPorts,
  signal: AbortSignal,
  commit: () => void = () => {},
  limits: HttpsLimits = HTTPS_LIMITS,
): Promise<Finding> {
  const question = { address, port: check.port, serverName: check.host, path: check.path, caPem: check.ca_pem };
  return exchangeHttps(question, ports, signal, commit, limits, async (reply) => {
    if (!check.status.includes(reply.status))
      return failed("http_status", `HTTP ${reply.status}${location(reply)}, expected ${check.status.join(" or ")}`);
    for (const [name, rule] of Object.entries(check.headers ?? {})) {
      const problem = ruleProblem(rule, reply.headers[name.toLowerCase()] ?? null);
      if (problem !== null) return failed("http_header", `the header ${name} ${problem}`);
    }
    const problem = check.body === undefined ? null : ruleProblem(check.body, new TextDecoder().decode(reply.body));
    return problem === null ? passed() : failed("http_body", `the body ${problem}`);
  });
}

/** The header has whole seconds and was written before it came, so that a second behind means nothing. */
function skewOf(reply: HttpReply, now: WallMillis): { readonly skew_s: number } | Record<string, never> {
  const date = Date.parse(reply.headers["date"] ?? "");
  return Number.isNaN(date) ? {} : { skew_s: Math.round((date - now) / SECOND) };
}

function location(reply: HttpReply): string {
  const to = reply.headers["location"];
  return to === undefined ? "" : ` to ${plain(to, 128)}`;
}

/** Makes the exchange, judges what is common to every HTTPS check, and lets `judge` decide on the reply. */
export async function exchangeHttps(
  question: HttpsQuestion,
  ports: HttpsPorts,
  signal: AbortSignal,
  commit: () => void,
  limits: HttpsLimits,
  judge: (reply: HttpReply, left: Millis) => Promise<Finding>,
): Promise<Finding> {
  const began = ports.clock.mono();
  const exchange = await ports.https.get({ ...question, bodyMax: BODY_MAX, limits, onConnected: commit }, signal);
  const service = await judgeReply(exchange, ports, question.address, signal, (reply) =>
    judge(reply, limits.total - (ports.clock.mono() - began)),
  );
  const shown = exchange.certificate;
  const fault = shown === null ? null : judgeCertificate(shown, question.serverName, ports.clock.wall());
  const evidence: Evidence = {
    ...service.evidence,
    protocol: exchange.protocol,
    status: exchange.reply.ok ? exchange.reply.value.status : null,
    certificate: shown === null ? null : { ...shown.facts, trusted: fault === null },
    ...(exchange.reply.ok ? skewOf(exchange.reply.value, ports.clock.wall()) : {}),
  };
  const extra: FindingExtra = { ms: ports.clock.mono() - began, phases: { ...exchange.phases }, evidence };
  if (fault === null) return { ...service, ...extra };
  const detail = service.ok ? fault.detail : `${fault.detail}; and ${service.detail ?? service.failure}`;
  return failed(fault.failure, detail, { ...extra, evidence: { ...evidence, service_ok: service.ok } });
}

async function judgeReply(
  exchange: HttpsExchange,
  ports: HttpsPorts,
  address: string,
  signal: AbortSignal,
  judge: (reply: HttpReply) => Promise<Finding>,
): Promise<Finding> {
  if (!exchange.reply.ok) {
    const { fault } = exchange.reply;
    if (signal.aborted) return failed("no_reply", "given up");
    const view = await ports.neighbours.read(address);
    const evidence = { mac: view.mac, neighbour_state: view.state, on_link: isOnLink(view), errno: fault.errno };
    return failed(failureOf(fault, view), fault.message, { evidence });
  }
  const reply = exchange.reply.value;
  const encoding = (reply.headers["content-encoding"] ?? "").trim().toLowerCase();
  if (encoding !== "" && encoding !== "identity")
    return failed("http_encoding", `identity was asked for, ${plain(encoding, 64)} came`);
  if (reply.tooLarge) return failed("http_too_large", `the body is larger than ${BODY_MAX} bytes`);
  return judge(reply);
}
