import { bracketed, DNS_PORT, DOT_PORT, isIpv6 } from "./address.ts";
import type { DnsCheck, PlanCheck } from "./plan.ts";

/** Commands for a person to paste into a shell, each fit to the address's family and to how the check asks. Pure text. */

const PLAIN = /^[\w@%+=:,./-]+$/;

/** One word of a POSIX shell, in quotes where it needs them: `[` of an IPv6 URL is a pattern, `?` and `&` of a path are more. */
export function shellWord(text: string): string {
  return PLAIN.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** A name out of another program's file, as it may stand in a command; one with other characters is left for the person to fill in. */
export function nameOr(otherwise: string, name: string | null | undefined): string {
  return name != null && /^[\w.-]{1,64}$/.test(name) ? name : otherwise;
}

/**
 * Who has this address. `-I` names the interface to both programs called arping. For IPv6 the kernel is let ask anew: ndisc6 hears
 * only what comes from the address itself, and MetalLB answers from its link-local one (measured).
 */
export function askNeighbour(address: string, device: string | null): string {
  if (isIpv6(address)) {
    const on = device === null ? "" : ` dev ${device}`;
    return `ip -6 neigh flush to ${address}${on}; ping -6 -c 3 ${address}; ip -6 neigh show to ${address}${on}   # ndisc6 would not hear MetalLB`;
  }
  return `arping -c 3 ${device === null ? "" : `-I ${device} `}${address}   # all answers, not the first alone`;
}

/** The question of a check, as dig asks it (9.18 or later for TLS). */
export function askDns(check: DnsCheck, address: string): string {
  const way = { udp: [], tcp: ["+tcp"], tls: ["+tls"] }[check.transport];
  const name =
    check.transport === "tls" && check.server_name !== undefined ? [`+tls-hostname=${check.server_name}`] : [];
  const proof = check.ad === true || check.rrsig === true ? ["+dnssec"] : [];
  const port = check.port === (check.transport === "tls" ? DOT_PORT : DNS_PORT) ? [] : ["-p", String(check.port)];
  const words = [...way, ...name, ...proof, ...port, `@${address}`, check.name, check.type];
  return `dig ${words.map(shellWord).join(" ")}`;
}

/** The certificate that is shown there for a name; an address alone asks without one. */
export function showCertificate(address: string, port: number, name: string | null): string {
  const servername = name === null || name === "" ? "" : ` -servername ${shellWord(name)}`;
  const there = shellWord(`${bracketed(address)}:${port}`);
  return `openssl s_client -connect ${there}${servername} </dev/null | openssl x509 -noout -subject -dates -ext subjectAltName`;
}

/** A URL, asked at this address whatever its name leads to. `-k`: the certificate is another question. */
export function askUrl(url: string, name: string, address: string, port: number): string {
  return `curl -sv -k --resolve ${shellWord(`${name}:${port}:${bracketed(address)}`)} ${shellWord(url)}`;
}

/** Whether anything takes a connection. */
export function knock(address: string, port: number): string {
  return `nc -vz -w 3 ${address} ${port}`;
}

export function ping(address: string): string {
  return `ping ${isIpv6(address) ? "-6 " : ""}-c 3 ${address}`;
}

/** Where a check meets a certificate, and for which name; null where it meets none. */
export function certificateOf(check: PlanCheck): { readonly port: number; readonly name: string | null } | null {
  if (check.kind === "https") return { port: check.port, name: check.host };
  if (check.kind === "oidc") return { port: check.port, name: /^https:\/\/([^/:]+)/.exec(check.issuer)?.[1] ?? null };
  return check.kind === "dns" && check.transport === "tls"
    ? { port: check.port, name: check.server_name ?? null }
    : null;
}
