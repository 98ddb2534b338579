import type { CertificateFacts, FormerMac, MacChange, WhoHasAnswer } from "../core/observation.ts";
import type { Millis, WallMillis } from "../core/units.ts";

/** Time as the probes see it. */
export interface Clock {
  /** Monotonic milliseconds: what durations are measured with. */
  mono(): Millis;
  wall(): WallMillis;
  /** Resolves after the time, or as soon as the signal aborts; never rejects. */
  sleep(millis: Millis, signal?: AbortSignal): Promise<void>;
}

/** Unpredictable numbers: a query id that can be guessed lets anyone on the path answer. */
export interface Chance {
  /** 0 to 65,535. */
  uint16(): number;
}

/** What the network did instead of answering. A DNS exchange has the stage `connect` alone. `message` is for people; `errno` is the system's or the library's word. */
export interface NetFault {
  readonly stage: "connect" | "tls" | "exchange";
  readonly timedOut: boolean;
  readonly errno: string | null;
  readonly message: string;
}

export type Attempt<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly fault: NetFault };

export interface DnsRequest {
  readonly address: string;
  readonly port: number;
  readonly transport: "udp" | "tcp" | "tls";
  readonly query: Uint8Array;
  readonly timeout: Millis;
  /** For the transport `tls` (RFC 7858). */
  readonly tls?: {
    /** Sent in SNI where it is a name, and looked for in the certificate. */
    readonly serverName: string;
    readonly caPem: string | null;
    readonly onCertificate: (shown: ShownCertificate | null) => void;
  };
}

/** What one way of asking this machine's resolver brought; `failure` is the library's word, such as ENOTFOUND or ETIMEOUT. */
export type SystemAnswer =
  | { readonly ok: true; readonly records: readonly string[] }
  | { readonly ok: false; readonly failure: string };

/** The resolver that this machine itself goes by, as c-ares and as libc ask it. It never rejects, and takes 3 s at most. */
export interface SystemResolvers {
  ask(
    name: string,
    type: "A" | "AAAA",
    signal: AbortSignal,
  ): Promise<{ readonly servers: readonly string[]; readonly cares: SystemAnswer; readonly libc: SystemAnswer }>;
}

/**
 * One DNS exchange from a source port of its own. Messages that `accept` refuses are ignored until the time-out (fault 11); for
 * UDP the socket is connected, so that the kernel drops what comes from another address and reports a closed port at once.
 */
export interface DnsTransport {
  exchange(
    request: DnsRequest,
    accept: (message: Uint8Array) => boolean,
    signal: AbortSignal,
  ): Promise<Attempt<Uint8Array>>;
}

/** Opens and closes one TCP connection; the value is how long the handshake took. */
export interface TcpConnect {
  connect(address: string, port: number, timeout: Millis, signal: AbortSignal): Promise<Attempt<Millis>>;
}

export interface HttpsRequest {
  readonly address: string;
  readonly port: number;
  /** Sent in SNI and, with the port where it is not 443, as Host. */
  readonly serverName: string;
  readonly path: string;
  /** Authorities to trust instead of the system's; null: the system's. */
  readonly caPem: string | null;
  readonly bodyMax: number;
  readonly limits: HttpsLimits;
  /** Called once the connection stands: from then on no other try is worth starting. */
  readonly onConnected?: () => void;
}

export interface HttpsLimits {
  readonly connect: Millis;
  readonly tls: Millis;
  /** From the first packet to the last byte of the body. */
  readonly total: Millis;
}

/** How long each phase took, from the start of the request; null: it never came so far. */
export interface HttpsPhases {
  readonly connect: Millis | null;
  readonly tls: Millis | null;
  readonly first_byte: Millis | null;
  readonly total: Millis | null;
}

/** The certificate as it was shown, and what the TLS library thinks of the chain and of the name. */
export interface ShownCertificate {
  readonly facts: CertificateFacts;
  /** OpenSSL's word, such as CERT_HAS_EXPIRED; null when the chain is trusted. */
  readonly chainError: string | null;
  readonly nameMatches: boolean;
}

export interface HttpReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  /** True when the body was longer than `bodyMax`; it was then read no further. */
  readonly tooLarge: boolean;
}

/** The exchange and the certificate are two facts: a bad certificate does not keep the request from being made. */
export interface HttpsExchange {
  readonly phases: HttpsPhases;
  readonly certificate: ShownCertificate | null;
  readonly protocol: string | null;
  readonly reply: Attempt<HttpReply>;
}

/**
 * GET over HTTP/1.1 and TLS at a fixed address. It follows no redirect, keeps no connection and no session, asks for the identity
 * encoding, and reads no body that comes in another one (such a reply has an empty body).
 */
export interface TlsHttp {
  get(request: HttpsRequest, signal: AbortSignal): Promise<HttpsExchange>;
}

/** What the kernel knows of the way to an address. */
export interface NeighbourView {
  /** How the address is reached: `local` is this machine itself, `none` is no route; null: the routes could not be read. */
  readonly way: "on_link" | "gateway" | "local" | "none" | null;
  readonly device: string | null;
  readonly mac: string | null;
  /** REACHABLE, STALE, DELAY, PROBE, INCOMPLETE, FAILED, PERMANENT, NOARP; null: no entry. */
  readonly state: string | null;
}

export interface NeighbourTable {
  /** Reads, and sends nothing. */
  read(address: string): Promise<NeighbourView>;
  /** The gateway of the default route; null without one. */
  gateway(): Promise<string | null>;
}

/** One entry of the kernel's table as it has just become. */
export interface NeighbourEvent {
  readonly address: string;
  /** Null: the entry has none any more, or is gone. */
  readonly mac: string | null;
  readonly state: string | null;
}

/**
 * Follows the kernel's neighbour table; null where it cannot be followed. `began` is called after each start, before which nothing was
 * heard.
 */
export type FollowNeighbours = (
  heard: (event: NeighbourEvent) => void,
  began: () => void,
) => { readonly isRunning: () => boolean } | null;

/** What is remembered of the MACs of an address besides those of this very round. */
export interface MacMemory {
  recall(
    address: string,
    table: string | null,
    answers: readonly string[],
  ): { readonly former_macs: readonly FormerMac[]; readonly mac_changes: readonly MacChange[] | null };
}

export interface WhoHasResult {
  /** False where this process may not send: `answers` then says nothing. */
  readonly asked: boolean;
  readonly answers: readonly WhoHasAnswer[];
  readonly detail: string | null;
}

/** Sends one ARP request, or for IPv6 one neighbour solicitation, and collects every answer of the next half second, not the first alone: two answers are a finding. */
export interface WhoHas {
  ask(address: string, device: string, signal: AbortSignal): Promise<WhoHasResult>;
}

export interface LinkEntry {
  readonly name: string;
  readonly ifindex: number;
  readonly up: boolean;
  readonly mac: string | null;
  readonly kind: string | null;
  readonly mode: string | null;
  readonly parent: string | null;
}

/** The links of this machine; null: they could not be read. */
export interface LinkTable {
  read(): Promise<readonly LinkEntry[] | null>;
}

/** The packet sockets of this machine, from /proc/net/packet; null: it could not be read. */
export interface PacketSockets {
  read(): Promise<readonly { readonly ifindex: number; readonly protocol: number }[] | null>;
}

/** Everything that probes may touch. */
export interface ProbePorts {
  readonly clock: Clock;
  readonly chance: Chance;
  readonly dns: DnsTransport;
  readonly tcp: TcpConnect;
  readonly https: TlsHttp;
  readonly neighbours: NeighbourTable;
  readonly whoHas: WhoHas;
  /** Absent where nothing is remembered from round to round. */
  readonly macs?: MacMemory;
  readonly links: LinkTable;
  readonly packetSockets: PacketSockets;
  /** Absent where there is no system to ask, as on Workers. */
  readonly system?: SystemResolvers;
  /** Whether a JSON Web Key can be imported as a public key; absent: its members alone are looked at. */
  readonly importsKey?: (key: Readonly<Record<string, unknown>>) => boolean;
}
