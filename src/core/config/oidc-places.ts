import { isIpv6 } from "../address.ts";
import type { DnsCheck, OidcName, OidcPeer, PlanCheck } from "../plan.ts";
import { hostOfUrl, type Target } from "./house.ts";

/** A document names five endpoints at most; a house may declare more hosts than any one document names. */
const PEERS_MAX = 16;
const NAMES_MAX = 16;
const LITERAL = /^(\d{1,3}(\.\d{1,3}){3}|.*:.*)$/;

/**
 * The hosts that a document of this issuer may name, where each is to be asked, and who is to resolve it: what the house itself
 * declares as https and dns checks. Nothing else is dialled, or a document could send a vantage anywhere.
 */
export function withPlaces(target: Target, all: readonly Target[]): Target {
  const declared = all.flatMap(({ addresses, checks }) =>
    checks.flatMap((check) => (check.kind === "https" ? [peerOf(check, addresses)] : [])),
  );
  const checks = target.checks.map((check): PlanCheck => {
    if (check.kind !== "oidc") return check;
    const issuer = hostOfUrl(check.issuer);
    const others = declared.filter(({ host }) => host !== issuer);
    const peers = others.filter(({ host }, index) => others.findIndex((other) => other.host === host) === index);
    const names = [
      ...namesOf(issuer, target.addresses, all),
      ...peers.flatMap(({ host }) =>
        namesOf(
          host,
          others.flatMap((other) => (other.host === host ? other.all : [])),
          all,
        ),
      ),
    ];
    return {
      ...check,
      ...(peers.length === 0 ? {} : { peers: peers.slice(0, PEERS_MAX).map(({ all: _all, ...peer }) => peer) }),
      ...(names.length === 0 ? {} : { names: names.slice(0, NAMES_MAX) }),
    };
  });
  return { ...target, checks };
}

function peerOf(
  { host, port, ca_pem }: Extract<PlanCheck, { kind: "https" }>,
  addresses: readonly string[],
): OidcPeer & { readonly all: readonly string[] } {
  return { host: host.toLowerCase(), address: addresses[0]!, port, ca_pem, all: addresses };
}

/**
 * Who resolves a host: the dns checks of that very name, which also know what is right where they say `expect`; else the first
 * guarded resolver, whose answer is then only something to look at.
 */
function namesOf(host: string, declared: readonly string[], all: readonly Target[]): OidcName[] {
  if (LITERAL.test(host) || host === "") return [];
  const asked = all.flatMap(({ addresses, checks }) =>
    checks.flatMap((check) => (check.kind === "dns" && !check.upstream ? [{ check, resolver: addresses[0]! }] : [])),
  );
  const own = asked.filter(
    ({ check }) => check.name.toLowerCase().replace(/\.$/, "") === host && ["A", "AAAA"].includes(check.type),
  );
  const byType = own.filter(({ check }, index) => own.findIndex((one) => one.check.type === check.type) === index);
  if (byType.length > 0)
    return byType.map(({ check, resolver }) => nameOf(host, check, resolver, declared, check.type, check.expect));
  const [first] = asked;
  if (first === undefined) return [];
  const type = declared[0] !== undefined && isIpv6(declared[0]) ? "AAAA" : "A";
  return [nameOf(host, first.check, first.resolver, declared, type, null)];
}

function nameOf(
  host: string,
  { transport, port, server_name, ca_pem }: DnsCheck,
  resolver: string,
  declared: readonly string[],
  type: string,
  expect: readonly string[] | null,
): OidcName {
  return {
    host,
    resolver,
    type,
    expect,
    declared,
    transport,
    port,
    ...(server_name === undefined ? {} : { server_name }),
    ...(ca_pem === undefined ? {} : { ca_pem }),
  };
}
