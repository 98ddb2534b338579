import type { FailureCode } from "../core/failure.ts";
import type { DnsCheck } from "../core/plan.ts";
import type { Millis } from "../core/units.ts";
import { judgeCertificate } from "./certificate.ts";
import { failureOf, isOnLink } from "./classify.ts";
import {
  canonicalRecord,
  type DnsReply,
  encodeQuery,
  isAnswerTo,
  isDnsName,
  mixCase,
  parseReply,
} from "./dns-message.ts";
import { type Finding, failed, passed, plain } from "./finding.ts";
import type { DnsRequest, ProbePorts, ShownCertificate } from "./port.ts";

type DnsPorts = Pick<ProbePorts, "dns" | "clock" | "chance" | "neighbours">;

/** One try (safety.md, "Votes"). */
export const DNS_TIMEOUT: Millis = 1_000;
/** Of the records shown as evidence: the schema's limit. */
const RECORDS_SHOWN = 64;

/** What an answer code other than NOERROR is called. FORMERR, NOTIMP and the rest are refusals of a kind: nobody looked it up. */
const RCODE_FAILURES: Readonly<Record<string, FailureCode>> = { SERVFAIL: "dns_servfail", NXDOMAIN: "dns_nxdomain" };

/**
 * Asks one question of one resolver, straight at its address, with a fresh id from a fresh port. Says nothing of any cache or
 * resolver of this machine: that is dns-system's question.
 */
export async function askDns(
  check: DnsCheck,
  address: string,
  ports: DnsPorts,
  signal: AbortSignal,
  timeout: Millis = DNS_TIMEOUT,
): Promise<Finding> {
  if (!isDnsName(check.name)) return failed("unclassified", `not a DNS name: ${check.name}`);
  const began = ports.clock.mono();
  const first = await exchange(check, check.transport, address, ports, signal, timeout);
  const ms = () => ports.clock.mono() - began;
  if (!first.ok) return { ...first.finding, ms: ms() };
  const { reply } = first;
  if (check.transport !== "udp") {
    if (reply.truncated) return failed("dns_truncated", "truncated although asked over TCP", { ms: ms() });
    return certified(check, address, judge(check, reply), first.shown, ports, ms());
  }
  if (!reply.truncated && reply.isCaseKept) return { ...judge(check, reply), ms: ms() };
  const second = await exchange(check, "tcp", address, ports, signal, timeout);
  if (second.ok) return { ...judge(check, second.reply), ms: ms() };
  // A resolver that writes names its own way and has no TCP: its answer is all there is.
  if (!reply.truncated) return { ...judge(check, reply), ms: ms() };
  const why = second.finding.detail ?? second.finding.failure ?? "no answer";
  return failed("dns_truncated", `the UDP answer is truncated, and over TCP: ${why}`, {
    ms: ms(),
    evidence: { ...second.finding.evidence, upstream: check.upstream },
  });
}

/** Over TLS the certificate is a fact of its own, as with HTTPS: a bad one must not hide whether the resolver works. */
function certified(
  check: DnsCheck,
  address: string,
  service: Finding,
  shown: ShownCertificate | null,
  ports: DnsPorts,
  ms: Millis,
): Finding {
  if (shown === null) return { ...service, ms };
  const fault = judgeCertificate(shown, check.server_name ?? address, ports.clock.wall());
  const evidence = { ...service.evidence, certificate: { ...shown.facts, trusted: fault === null } };
  if (fault === null) return { ...service, ms, evidence };
  const detail = service.ok ? fault.detail : `${fault.detail}; and ${service.detail ?? service.failure}`;
  return failed(fault.failure, detail, { ms, evidence: { ...evidence, service_ok: service.ok } });
}

type Exchanged =
  | { readonly ok: true; readonly reply: DnsReply; readonly shown: ShownCertificate | null }
  | { readonly ok: false; readonly finding: Finding };

async function exchange(
  check: DnsCheck,
  transport: DnsCheck["transport"],
  address: string,
  ports: DnsPorts,
  signal: AbortSignal,
  timeout: Millis,
): Promise<Exchanged> {
  const id = ports.chance.uint16();
  // Only a datagram can be forged by somebody who has not seen the question.
  const name = transport === "udp" ? mixCase(check.name, ports.chance.uint16) : check.name;
  const seen: { shown: ShownCertificate | null } = { shown: null };
  const request: DnsRequest = {
    address,
    port: check.port,
    transport,
    query: encodeQuery(id, name, check.type, check.ad === true || check.rrsig === true),
    // A handshake takes two more round trips, and a key of a small machine its time.
    timeout: transport === "tls" ? timeout * 2 : timeout,
    ...(transport === "tls"
      ? {
          tls: {
            serverName: check.server_name ?? address,
            caPem: check.ca_pem ?? null,
            onCertificate: (shown: ShownCertificate | null) => {
              seen.shown = shown;
            },
          },
        }
      : {}),
  };
  const answer = await ports.dns.exchange(request, (message) => isAnswerTo(message, id, name, check.type), signal);
  if (!answer.ok) {
    if (signal.aborted) return { ok: false, finding: failed("no_reply", "given up", { evidence: {} }) };
    const view = await ports.neighbours.read(address);
    const evidence = {
      mac: view.mac,
      neighbour_state: view.state,
      on_link: isOnLink(view),
      errno: answer.fault.errno,
      upstream: check.upstream,
    };
    return { ok: false, finding: failed(failureOf(answer.fault, view), answer.fault.message, { evidence }) };
  }
  const reply = parseReply(answer.value, check.type, name);
  if (typeof reply === "string")
    return { ok: false, finding: failed("dns_malformed", reply, { evidence: { upstream: check.upstream } }) };
  return { ok: true, reply, shown: seen.shown };
}

function judge(check: DnsCheck, reply: DnsReply): Finding {
  const evidence = {
    rcode: plain(reply.rcode, 32),
    records: reply.records.slice(0, RECORDS_SHOWN).map((record) => plain(record)),
    upstream: check.upstream,
    ...(check.ad === true ? { authenticated: reply.authenticated } : {}),
    ...(check.rrsig === true ? { signed: reply.signed } : {}),
  };
  if (reply.rcode !== "NOERROR") {
    return failed(RCODE_FAILURES[reply.rcode] ?? "dns_refused", `${check.name} ${check.type}: ${reply.rcode}`, {
      evidence,
    });
  }
  const wanted = check.expect === null ? null : canonicalSet(check.type, check.expect);
  const got = [...new Set(reply.records)];
  if (got.length === 0 && (wanted === null || wanted.length > 0)) {
    return failed("dns_empty", `${check.name} has no ${check.type} record`, { evidence });
  }
  if (wanted !== null && (wanted.length !== got.length || wanted.some((record) => !got.includes(record)))) {
    const detail = `${check.name} is ${got.join(", ")}, expected ${wanted.join(", ") || "nothing"}`;
    return failed("dns_wrong_answer", detail, { evidence });
  }
  if (check.ad === true && !reply.authenticated)
    return failed("dns_wrong_answer", `the resolver does not vouch for ${check.name}: no AD flag`, { evidence });
  if (check.rrsig === true && !reply.signed)
    return failed("dns_wrong_answer", `no signature (RRSIG) came with ${check.name} ${check.type}`, { evidence });
  return passed(null, { evidence });
}

function canonicalSet(type: string, records: readonly string[]): string[] {
  return [...new Set(records.map((record) => canonicalRecord(type, record)))];
}
