import type { CheckResult, Evidence } from "../core/observation.ts";
import type { OidcName } from "../core/plan.ts";
import type { Millis } from "../core/units.ts";
import { askDns, DNS_TIMEOUT } from "./dns.ts";
import { canonicalRecord } from "./dns-message.ts";
import { type Finding, plain } from "./finding.ts";
import type { ProbePorts } from "./port.ts";

export type NamePorts = Pick<ProbePorts, "dns" | "clock" | "chance" | "neighbours">;

/** A document names five endpoints; a dual-stack host is asked for both kinds of address. */
const ASKED_MAX = 10;
/** Of the records told of one name. */
const RECORDS_SHOWN = 8;
/** With less than this left an answer could hardly come; the names then go unsaid, which is no failure. */
const TIME_MIN: Millis = 250;

/** There is no such host. A resolver that does not answer is the dns check's finding, and none of this one. */
const NOWHERE: ReadonlySet<Finding["failure"]> = new Set(["dns_nxdomain", "dns_empty"]);

export interface NamesFinding {
  readonly evidence: Pick<Evidence, "names">;
  /** Where a dns check of the house says what is right, and the resolver says something else. */
  readonly failure: NonNullable<Finding["failure"]> | null;
  readonly detail: string | null;
}

/**
 * Resolves the hosts of a document's endpoints at the guarded resolver, each once and all at the same time. A host that leads
 * elsewhere is a failure only where a dns check of the house says where it ought to lead: a resolver that answers with a public
 * address, or that knows nothing of a zone, is a healthy house too (split DNS). `endpoints` is each host with its field's name.
 */
export async function askNames(
  names: readonly OidcName[],
  endpoints: ReadonlyMap<string, string>,
  ports: NamePorts,
  signal: AbortSignal,
  left: Millis,
): Promise<NamesFinding> {
  const wanted = names.filter(({ host }) => endpoints.has(host)).slice(0, ASKED_MAX);
  if (wanted.length === 0 || left < TIME_MIN) return { evidence: {}, failure: null, detail: null };
  // Twice: a truncated answer is asked again over TCP.
  const timeout = Math.min(DNS_TIMEOUT, left / 2);
  const seen = await Promise.all(
    wanted.map(async (name) => ({ name, found: await askName(name, ports, signal, timeout) })),
  );
  const evidence = {
    names: seen.map(({ name, found }) => ({
      host: plain(name.host, 253),
      resolver: name.resolver,
      records: found.evidence.records?.slice(0, RECORDS_SHOWN).map((record) => plain(record, 64)) ?? null,
      failure: found.failure,
    })),
  };
  const wrong = seen.find(({ name, found }) => name.expect !== null && isWrong(name, name.expect, found));
  if (wrong !== undefined)
    return { evidence, failure: wrong.found.failure, detail: saying(wrong.name, wrong.found, endpoints) };
  const other = seen.find(({ name, found }) => name.expect === null && isElsewhere(name, found));
  return { evidence, failure: null, detail: other === undefined ? null : saying(other.name, other.found, endpoints) };
}

function askName(name: OidcName, ports: NamePorts, signal: AbortSignal, timeout: Millis): Promise<Finding> {
  const { host, resolver, type, expect, transport, port, server_name, ca_pem } = name;
  const check = { kind: "dns", id: host, name: host, upstream: false, type, expect, transport, port } as const;
  return askDns({ ...check, server_name, ca_pem }, resolver, ports, signal, timeout);
}

/** One that is missing among several still leads to the right place: the dns check tells of it. */
function isWrong(name: OidcName, expect: readonly string[], found: Finding): boolean {
  if (found.failure !== "dns_wrong_answer") return NOWHERE.has(found.failure);
  const right = expect.map((record) => canonicalRecord(name.type, record));
  return (found.evidence.records ?? []).some((record) => !right.includes(record));
}

/** Some of its addresses are enough: a house need not declare every one. */
function isElsewhere(name: OidcName, found: Finding): boolean {
  if (!found.ok) return false;
  const declared = name.declared.map((address) => canonicalRecord(name.type, address));
  return !(found.evidence.records ?? []).some((record) => declared.includes(record));
}

function saying(name: OidcName, found: Finding, endpoints: ReadonlyMap<string, string>): string {
  const records = (found.evidence.records ?? []).slice(0, 4).join(", ") || "nothing";
  const right = name.expect ?? name.declared;
  const held = name.expect === null ? "it is declared at" : "not";
  return plain(
    `${endpoints.get(name.host)} ${name.host} resolves to ${records} at ${name.resolver}, ${held} ${right.slice(0, 4).join(", ") || "anything"}`,
  );
}

/** The name that a dns check's id carries, whichever of several it is: "dns:NAME", "dns:NAME#2", "dns:NAME@ADDRESS". */
const nameIn = (id: string | undefined): string =>
  (id ?? "")
    .replace(/^dns:/, "")
    .replace(/[#@].*$/, "")
    .replace(/\.$/, "")
    .toLowerCase();

/**
 * What is wrong at the resolver is the resolver's: where its own dns check fails in the same round, the login says it in words and
 * does not fail beside it, or a house would be told that its web server answers wrongly. With a dns check on another schedule the
 * login is the first to know.
 */
export function unlessTold(results: readonly CheckResult[]): readonly CheckResult[] {
  const told = new Set(results.flatMap(({ check, ok, id }) => (check === "dns" && !ok ? [nameIn(id)] : [])));
  return results.map((result) => {
    if (result.check !== "oidc" || result.failure?.startsWith("dns_") !== true) return result;
    const wrong = (result.evidence?.names ?? []).filter(({ failure }) => failure !== null);
    return wrong.some(({ host }) => told.has(host)) ? { ...result, ok: true, failure: null } : result;
  });
}
