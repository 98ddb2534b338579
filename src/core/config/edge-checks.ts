import type { OutsideCheck } from "../edge/wire.ts";
import type { EdgeConfig } from "./schema.ts";

/**
 * What a check of a target may say and a check of the edge may not, with the reason and the way out: a Worker has no UDP, is shown
 * no certificate, and knows none but the public authorities. Nothing of it is dropped in silence.
 */
const AUTHORITIES = "the edge trusts public authorities alone: leave it out, or ask at a vantage (targets)";
const PACE = "the edge asks about once a minute, whatever stands here: leave it out";
const REFUSED: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  dns: {
    ca_file: AUTHORITIES,
    schedule: PACE,
    as_system: "a Worker has no resolver of its machine: ask at a vantage (targets)",
    upstream: "it says something of a resolver in the house: leave it out",
    port: "the edge asks at `server`: write server: ADDRESS:PORT",
  },
  https: {
    ca_file: AUTHORITIES,
    schedule: PACE,
    cert_days_min: "a Worker is shown no certificate, so it cannot count days: ask at a vantage (targets)",
  },
  oidc: { ca_file: AUTHORITIES, schedule: PACE },
  tcp: { schedule: PACE },
};
const NO_UDP =
  "a Worker has no UDP: leave it out to ask by DNS over HTTPS, or say tcp or tls beside server: ADDRESS or ADDRESS:PORT";

/** Why the edge cannot do what stands at this place of the configuration; null: it is no such place. */
export function refusedAtEdge(path: readonly (string | number)[], value: unknown): string | null {
  const [edge, checks, index, kind, key] = path;
  if (path.length !== 5 || edge !== "edge" || checks !== "checks" || typeof index !== "number") return null;
  if (kind === "dns" && key === "transport" && value === "udp") return NO_UDP;
  const table = REFUSED[String(kind)];
  return table !== undefined && Object.hasOwn(table, String(key)) ? table[String(key)]! : null;
}

/** The checks go with every heartbeat, and the site's row holds them: long bodies to compare would crowd out the status. */
const CHECKS_BYTES_MAX = 32_768;

/** What is wrong with the checks together. */
export function edgeChecksProblem(checks: EdgeConfig["checks"], sent: readonly OutsideCheck[]): string | null {
  const size = JSON.stringify(sent).length;
  if (checks.length === 0 || size <= CHECKS_BYTES_MAX) return null;
  return `${size} characters as they go with each heartbeat, at most ${CHECKS_BYTES_MAX}: shorten the texts of body and headers`;
}

/** The ports of what the edge asks at a named resolver: "192.0.2.1", "192.0.2.1:53", "2001:db8::1", "[2001:db8::1]:53". */
export function resolverOf(server: string, usual: number): { readonly address: string; readonly port: number } | null {
  const found =
    /^\[([0-9a-fA-F:.]+)\](?::(\d{1,5}))?$/.exec(server) ??
    /^([0-9.]+)(?::(\d{1,5}))?$/.exec(server) ??
    /^([0-9a-fA-F:.]+)$/.exec(server);
  const port = Number(found?.[2] ?? usual);
  return found === null || port < 1 || port > 65_535 ? null : { address: found[1]!, port };
}
