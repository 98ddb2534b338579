import { DNS_PORT, DOT_PORT } from "../core/address.ts";
import { resolverOf } from "../core/config/edge-checks.ts";
import type { OutsideCheck, OutsideObservation } from "../core/edge/wire.ts";
import { askDns } from "../probes/dns.ts";
import { type Finding, failed, plain } from "../probes/finding.ts";
import { askHttps } from "../probes/https.ts";
import { askOidc } from "../probes/oidc.ts";
import type { DnsTransport, NeighbourTable, ProbePorts } from "../probes/port.ts";
import { askTcp } from "../probes/tcp.ts";
import { staggered } from "../probes/tries.ts";

/** What a Worker can ask with. It has no UDP, no neighbours, and shows no certificate. */
export interface OutsidePorts extends Pick<ProbePorts, "clock" | "chance" | "tcp" | "https"> {
  /** Over TCP, or over TLS where the request says so. */
  readonly dnsOverTcp: DnsTransport;
  readonly dnsOverHttps: DnsTransport;
}

/** A lost packet on the Internet is no finding: a check fails when both tries fail. */
const TRIES = 2;
/** Of the six connections that one invocation may have open; two tries of one check may overlap. */
const AT_ONCE = 3;
/** The Internet is further away than a LAN: a handshake through a VPN of a mobile operator may take a second. */
const DNS_TIMEOUT = 3_000;
const CONNECT_TIMEOUT = 4_000;
const LIMITS = { connect: CONNECT_TIMEOUT, tls: 4_000, total: 8_000 };
const NO_RESOLVER = "the edge's own resolver";

const neighbours: NeighbourTable = {
  read: async () => ({ way: "gateway", device: null, mac: null, state: null }),
  gateway: async () => null,
};

/** Everything that the house wants to know from outside, at most a few at once. Never rejects for what the network does. */
export async function askOutside(
  checks: readonly OutsideCheck[],
  ports: OutsidePorts,
  signal: AbortSignal,
): Promise<readonly OutsideObservation[]> {
  const found: OutsideObservation[] = [];
  const waiting = [...checks];
  const lane = async (): Promise<void> => {
    for (let check = waiting.shift(); check !== undefined; check = waiting.shift())
      found.push(await observe(check, ports, signal));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  return checks.flatMap((check) => found.filter(({ id }) => id === check.id).slice(0, 1));
}

async function observe(check: OutsideCheck, ports: OutsidePorts, signal: AbortSignal): Promise<OutsideObservation> {
  const { result } = await staggered(TRIES, (own, commit) => ask(check, ports, own, commit), ports.clock, signal);
  return {
    id: check.id,
    kind: check.kind,
    ok: result.ok,
    failure: result.failure,
    detail: result.detail === null ? null : plain(result.detail),
    ms: result.ms === null ? null : Math.max(0, Math.round(result.ms)),
    observed_at: new Date(ports.clock.wall()).toISOString(),
  };
}

function ask(check: OutsideCheck, ports: OutsidePorts, signal: AbortSignal, commit: () => void): Promise<Finding> {
  const own = { ...ports, neighbours };
  switch (check.kind) {
    case "dns":
      return askName(check, own, signal);
    case "https": {
      const { id, host, path, port, status, body, headers } = check;
      const plan = { kind: "https", id, host, path, port, status, ca_pem: null, cert_days_min: 0 } as const;
      return askHttps({ ...plan, body, headers }, check.address ?? host, own, signal, commit, LIMITS);
    }
    case "oidc": {
      const { id, issuer, port, algorithm } = check;
      const host = /^https:\/\/\[?([^/:\]]+)/.exec(issuer)?.[1] ?? issuer;
      return askOidc(
        { kind: "oidc", id, issuer, port, algorithm, ca_pem: null },
        check.address ?? host,
        own,
        signal,
        commit,
        LIMITS,
      );
    }
    case "tcp":
      return askTcp(check.host, check.port, own, signal, CONNECT_TIMEOUT);
  }
}

/** Over HTTPS at the edge's own resolver (RFC 8484), or over TCP or TLS (RFC 7858) at the one that was named. */
async function askName(
  check: Extract<OutsideCheck, { kind: "dns" }>,
  ports: OutsidePorts & { readonly neighbours: NeighbourTable },
  signal: AbortSignal,
): Promise<Finding> {
  const { id, name, type, expect, server, server_name, ad, rrsig } = check;
  const transport = server === null ? "tcp" : (check.transport ?? "tcp");
  const usual = transport === "tls" ? DOT_PORT : DNS_PORT;
  const at = server === null ? { address: NO_RESOLVER, port: 443 } : resolverOf(server, usual);
  if (at === null) return failed("unclassified", `not ADDRESS or ADDRESS:PORT: ${server}`);
  const own = { kind: "dns", id, name, type, expect, transport, upstream: false, port: at.port } as const;
  const dns = server === null ? ports.dnsOverHttps : ports.dnsOverTcp;
  return askDns({ ...own, server_name, ad, rrsig }, at.address, { ...ports, dns }, signal, DNS_TIMEOUT);
}
