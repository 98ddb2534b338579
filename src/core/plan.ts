import type { Millis } from "./units.ts";

/** What one vantage has to do: the body of `GET /v1/plan`. The vantage keeps the last one on disk. */
export interface Plan {
  readonly type: "hairpin.plan.v1";
  readonly site: string;
  readonly vantage: string;
  readonly where: Where;
  /** Cron with seconds, UTC. */
  readonly schedule: string;
  /** Added to each scheduled time, so that vantages do not all ask at once and one of them sees a fault sooner. */
  readonly offset_ms: Millis;
  readonly control: { readonly gateway: string | null; readonly reference: string | null };
  readonly targets: readonly PlanTarget[];
  /** On a `where: host` vantage: the links to look at. */
  readonly links: readonly PlanLink[];
  /** For how long observations are kept while the hub is away, as a count of observations. */
  readonly spool_max: number;
}

/** `auto` gateway: the default route of this machine, when it is on-link. */
export type Where = "vm" | "lan" | "routed" | "host";

export interface PlanTarget {
  readonly name: string;
  readonly addresses: readonly string[];
  /** The MAC that ought to answer, and the parent's and other nodes' MACs where known. */
  readonly mac: string | null;
  readonly also: Readonly<Record<string, string>>;
  readonly checks: readonly PlanCheck[];
}

export interface PlanLink {
  readonly name: string;
  readonly parent: string;
  readonly mac: string;
  readonly mode: string;
}

interface CheckBase {
  /** Unique within the target, e.g. "dns:auth.example.lan". */
  readonly id: string;
  /** Cron of its own; the plan's when absent. */
  readonly schedule?: string;
}

export interface DnsCheck extends CheckBase {
  readonly kind: "dns";
  readonly name: string;
  readonly type: string;
  /** The exact set of records; null: any answer. */
  readonly expect: readonly string[] | null;
  readonly transport: "udp" | "tcp" | "tls";
  /** For `tls`: the name in the certificate; the address when absent. */
  readonly server_name?: string | undefined;
  readonly ca_pem?: string | null | undefined;
  /** The resolver must vouch for the answer (AD flag); a signature must come with it. */
  readonly ad?: boolean | undefined;
  readonly rrsig?: boolean | undefined;
  /** Ask this machine's own resolver as well, through c-ares and through libc; told, and never a failure. A and AAAA alone. */
  readonly as_system?: boolean | undefined;
  /** Says something of the Internet behind the resolver, not of the address. */
  readonly upstream: boolean;
  readonly port: number;
}

export interface HttpsCheck extends CheckBase {
  readonly kind: "https";
  readonly host: string;
  readonly path: string;
  readonly port: number;
  readonly status: readonly number[];
  readonly ca_pem: string | null;
  readonly cert_days_min: number;
  readonly body?: TextRule | undefined;
  /** By the header's name in any case. */
  readonly headers?: Readonly<Record<string, TextRule>> | undefined;
}

/** What a text must be or hold, letter by letter; an expression of a stranger could take for ever. */
export interface TextRule {
  readonly equals?: string | undefined;
  readonly contains?: readonly string[] | undefined;
  readonly lacks?: readonly string[] | undefined;
}

export interface OidcCheck extends CheckBase {
  readonly kind: "oidc";
  readonly issuer: string;
  readonly port: number;
  readonly ca_pem: string | null;
  /** How id tokens must be signed. */
  readonly algorithm?: string | undefined;
  /** Other hosts of the document that the house has declared, and where each is to be asked. */
  readonly peers?: readonly OidcPeer[];
  /** The issuer's host and the peers', and which guarded resolver is asked for each. */
  readonly names?: readonly OidcName[];
}

export interface OidcPeer {
  readonly host: string;
  readonly address: string;
  readonly port: number;
  readonly ca_pem: string | null;
}

/** A host that an endpoint may name. `expect` is what a dns check of the house says of it; null: nothing says what is right. */
export interface OidcName extends Pick<DnsCheck, "type" | "expect" | "transport" | "port" | "server_name" | "ca_pem"> {
  readonly host: string;
  readonly resolver: string;
  /** The addresses of the targets that serve it by declaration. */
  readonly declared: readonly string[];
}

export interface TcpCheck extends CheckBase {
  readonly kind: "tcp";
  readonly port: number;
}

export interface NeighbourCheck extends CheckBase {
  readonly kind: "neighbour";
}

export type PlanCheck = DnsCheck | HttpsCheck | OidcCheck | TcpCheck | NeighbourCheck;

/** What a join token carries: base64url of this as JSON, behind "hairpin1.". */
export interface JoinToken {
  readonly hub: string;
  readonly site: string;
  readonly vantage: string;
  /** Standard Webhooks secret, "whsec_…". */
  readonly key: string;
}
