import { isIpv6 } from "../core/address.ts";
import type { Evidence } from "../core/observation.ts";
import type { DnsCheck } from "../core/plan.ts";
import { canonicalRecord } from "./dns-message.ts";
import { type Finding, plain } from "./finding.ts";
import type { SystemAnswer, SystemResolvers } from "./port.ts";

type SystemSight = NonNullable<Evidence["system"]>;

/** The schema's limits. */
const RECORDS_MAX = 64;
const SERVERS_MAX = 8;
/** c-ares' words for "there is none": right where nothing is expected. */
const ABSENT: readonly string[] = ["ENOTFOUND", "ENODATA"];

/**
 * What this machine's own resolver makes of the name, asked both ways: through c-ares, as Home Assistant does, and through libc, as
 * most programs do. It says nothing of the guarded address, so it never changes the check's result: it is told beside it.
 */
export async function askSystem(check: DnsCheck, system: SystemResolvers, signal: AbortSignal): Promise<SystemSight> {
  const type = check.type === "AAAA" ? "AAAA" : "A";
  return systemSight({ ...check, type }, await system.ask(check.name, type, signal));
}

type Asked = Pick<DnsCheck, "name" | "type" | "expect">;

/** Its answers as evidence: bounded, harmless to print, and compared with what is declared. */
export function systemSight(check: Asked, said: Awaited<ReturnType<SystemResolvers["ask"]>>): SystemSight {
  const sight = {
    cares: {
      ...shown(check.type, said.cares),
      servers: said.servers.slice(0, SERVERS_MAX).map((server) => plain(server, 64)),
    },
    libc: shown(check.type, said.libc),
  };
  const note = systemNote(check, sight);
  return { ...sight, note: note === null ? null : plain(note) };
}

/** The check's finding with what the system's resolver says; ok stays ok, and a failure stays the failure that it is. */
export function withSystem(finding: Finding, system: SystemSight): Finding {
  const detail = [finding.detail, system.note ?? null].filter((part) => part !== null).join("; ");
  return { ...finding, detail: detail === "" ? null : detail, evidence: { ...finding.evidence, system } };
}

function shown(type: string, answer: SystemAnswer): SystemSight["libc"] {
  if (!answer.ok) return { records: null, failure: plain(answer.failure, 32) };
  const records = [...new Set(answer.records.map((record) => canonicalRecord(type, record)))].sort();
  return { records: records.slice(0, RECORDS_MAX).map((record) => plain(record, 64)), failure: null };
}

/** The difference in one sentence without its full stop; null when both ways lead to what is declared. */
export function systemNote(check: Asked, { cares, libc }: Pick<SystemSight, "cares" | "libc">): string | null {
  const wanted = check.expect?.map((record) => canonicalRecord(check.type, record)).sort() ?? null;
  const [byCares, byLibc] = [saying(check.name, wanted, cares), saying(check.name, wanted, libc)];
  const servers = (cares.servers ?? []).join(", ") || "no server";
  if (byCares === null && byLibc === null) return null;
  if (byCares === byLibc) return `the system's resolver (${servers}) ${byCares}`;
  if (byLibc === null) return `c-ares, as Home Assistant asks (${servers}), ${byCares}; libc answers rightly`;
  if (byCares === null) return `libc ${byLibc}; c-ares, as Home Assistant asks (${servers}), answers rightly`;
  return `c-ares, as Home Assistant asks (${servers}), ${byCares}; libc ${byLibc}`;
}

function saying(name: string, wanted: readonly string[] | null, answer: SystemSight["libc"]): string | null {
  const { records, failure } = answer;
  if (records == null || records.length === 0) {
    const word = failure ?? "ENODATA";
    if (wanted?.length === 0 && ABSENT.includes(word)) return null;
    return ABSENT.includes(word) ? `knows no ${name} (${word})` : `does not answer for ${name} (${word})`;
  }
  if (wanted === null) return null;
  if (wanted.length === records.length && wanted.every((record) => records.includes(record))) return null;
  const outside = records.some((record) => !isOfTheHouse(record)) && wanted.length > 0 && wanted.every(isOfTheHouse);
  const what = `answers ${records.slice(0, 4).join(", ")}${outside ? ", a public address," : ""} for ${name} instead of ${wanted.slice(0, 4).join(", ") || "nothing"}`;
  return outside ? `${what}: it fell back to a public resolver` : what;
}

/** Whether an address is one that the public DNS does not hand out (RFC 1918, 6598, 3927, 4193, 4291). */
function isOfTheHouse(address: string): boolean {
  if (isIpv6(address)) return /^(::1$|f[cd]|fe[89ab])/i.test(address);
  const [a, b] = address.split(".").map(Number) as [number, number];
  return (
    a === 10 ||
    a === 127 ||
    (a === 172 && b >= 16 && b < 32) ||
    (a === 192 && b === 168) ||
    (a === 169 && b === 254) ||
    (a === 100 && b >= 64 && b < 128)
  );
}
