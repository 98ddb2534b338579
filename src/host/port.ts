import type { LinkConfig, SpeakerConfig } from "../core/config/schema.ts";
import type { BgpFacts } from "../core/facts.ts";
import type { CommandReport } from "../core/repair.ts";
import type { Millis, WallMillis } from "../core/units.ts";
import type { LookAround } from "./surroundings.ts";

/**
 * Everything the host reaches outside of itself: clock, disk, processes, kernel, Kubernetes. The neutral code in this folder
 * sees only these, so that a test can record the order in which a disk is flushed and a command is started.
 */
export interface HostPorts {
  readonly clock: Clock;
  readonly disk: JournalDisk;
  readonly processes: Processes;
  readonly links: Links;
  /** Null where no speaker is declared. */
  readonly kubernetes: Kubernetes | null;
  readonly pause: PauseFile;
  /** Absent where there is nothing around a link to look at, as in the simulation. */
  readonly lookAround?: LookAround;
  readonly log: Log;
  /** A fresh identity of this process: letters and digits, 8 to 32 of them. */
  readonly bootId: string;
}

export interface Clock {
  /** Monotonic milliseconds of this machine's clock, comparable with the arrival of a link event. */
  readonly mono: () => Millis;
  readonly wall: () => WallMillis;
  /** Calls once after `ms`; the returned function cancels. */
  readonly after: (ms: Millis, call: () => void) => () => void;
}

export type Log = (
  level: "info" | "warn" | "error",
  fields: Readonly<Record<string, unknown>>,
  message: string,
) => void;

/** One append-only file. Every method throws when the disk refuses; nothing is durable before `sync` returns. */
export interface JournalDisk {
  /** The whole file, or null when there is none yet. */
  readonly read: () => Uint8Array | null;
  readonly append: (bytes: Uint8Array) => void;
  readonly sync: () => void;
  /** Makes the name of the file itself durable: wanted once, after its creation. */
  readonly syncDirectory: () => void;
  readonly truncate: (length: number) => void;
  /** Puts other content in the place of the file, all or nothing, durably. */
  readonly replace: (bytes: Uint8Array) => void;
  /** Bytes free on its file system; null when that cannot be asked. */
  readonly free: () => number | null;
}

/** The programs that the host may start. There is no other: what is not listed here cannot be run. */
export type Tool = "ip" | "bridge" | "arping";

export interface Processes {
  /** Runs one command to its end, at most 10 s. A missing program is an exit of null with the reason in `output`. */
  readonly run: (tool: Tool, args: readonly string[]) => Promise<CommandReport>;
}

/** A link as the kernel shows it. */
export interface LinkRow {
  readonly name: string;
  readonly ifindex: number;
  /** Administratively up; whether frames pass also depends on the parent. */
  readonly up: boolean;
  readonly carrier: boolean;
  readonly mac: string | null;
  /** The link underneath, by name. */
  readonly parent: string | null;
  /** The bridge it is a port of. */
  readonly master: string | null;
  readonly kind: string | null;
  readonly mode: string | null;
  readonly hairpin: boolean | null;
}

/** One line of `ip monitor link`: what the kernel said, at the monotonic time at which it was read. */
export interface LinkEvent {
  readonly deleted: boolean;
  readonly name: string;
  readonly ifindex: number;
  readonly up: boolean;
  readonly mac: string | null;
  readonly parent: string | null;
  readonly atMono: Millis;
}

export const SYSCTLS = ["rp_filter", "arp_ignore"] as const;
export type Sysctl = (typeof SYSCTLS)[number];

export interface Neighbour {
  readonly address: string;
  readonly mac: string | null;
  readonly state: string;
}

export interface Links {
  /** Every link of this network namespace; null when the kernel could not be asked. */
  readonly table: () => Promise<readonly LinkRow[] | null>;
  /** The addresses on a link with their prefix lengths; null when unknown. */
  readonly addresses: (name: string) => Promise<readonly string[] | null>;
  readonly sysctl: (name: string, key: Sysctl) => number | null;
  /** Null when written, else why not. */
  readonly setSysctl: (name: string, key: Sysctl, value: number) => string | null;
  /** Interface indexes that have a packet socket of protocol 0806 (ARP); null when unreadable. */
  readonly arpSockets: () => ReadonlySet<number> | null;
  /** net.bridge.bridge-nf-call-iptables; null where br_netfilter is not loaded. */
  readonly brnf: () => number | null;
  /** TcpExtIPReversePathFilter. */
  readonly reversePathDrops: () => number | null;
  readonly neighbours: (dev: string) => Promise<readonly Neighbour[] | null>;
  /** Programs seen on this host that like to rearrange links, for the advice of a guard that stops. */
  readonly suspects: () => readonly string[];
}

export interface PauseFile {
  /** The text of the file and its age; null when there is none. */
  readonly read: () => { readonly text: string; readonly ageMillis: Millis } | null;
}

/** An answer of the Kubernetes API: never an exception for what a network does. */
export type Answer<T> =
  | { readonly ok: true; readonly value: T }
  /** `status` null: no answer at all. */
  | { readonly ok: false; readonly status: number | null; readonly detail: string };

export interface KubePod {
  readonly name: string;
  readonly uid: string;
  readonly node: string | null;
  readonly ready: boolean | null;
  readonly restarts: number | null;
  /** Wall clock of its start, null when it has not started. */
  readonly startedAt: WallMillis | null;
  readonly terminating: boolean;
  /** The arguments of its containers, where they were asked for. */
  readonly args?: readonly string[];
}

export interface LabelSelector {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: string;
    readonly values?: readonly string[];
  }[];
}

export interface KubeAdvertisement {
  readonly name: string;
  readonly pools: readonly string[];
  readonly poolSelectors: readonly LabelSelector[];
  readonly nodeSelectors: readonly LabelSelector[];
  readonly serviceSelectors: readonly LabelSelector[];
  readonly interfaces: readonly string[];
}

export interface KubePool {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** CIDR or FIRST-LAST. */
  readonly addresses: readonly string[];
}

export interface KubeL2Status {
  readonly node: string;
  /** "namespace/name". */
  readonly service: string;
  readonly interfaces: readonly string[];
  readonly createdAt: WallMillis | null;
}

/** An `announceFailed` event of a Service. */
export interface KubeAnnounceFailed {
  readonly service: string;
  readonly host: string | null;
  readonly at: WallMillis | null;
}

export interface KubeService {
  readonly exists: boolean;
  readonly labels: Readonly<Record<string, string>>;
}

/** Just the requests that hairpin makes. Every one has a deadline of its own. */
export interface Kubernetes {
  readonly pods: (node: string | null) => Promise<Answer<readonly KubePod[]>>;
  readonly deletePod: (name: string, uid: string) => Promise<Answer<null>>;
  readonly l2Statuses: () => Promise<Answer<readonly KubeL2Status[]>>;
  readonly advertisements: () => Promise<Answer<readonly KubeAdvertisement[]>>;
  readonly pools: () => Promise<Answer<readonly KubePool[]>>;
  readonly nodeLabels: () => Promise<Answer<Readonly<Record<string, string>>>>;
  readonly service: (service: string) => Promise<Answer<KubeService>>;
  readonly readyEndpoints: (service: string) => Promise<Answer<number>>;
  readonly announceFailed: (service: string) => Promise<Answer<readonly KubeAnnounceFailed[]>>;
  /** MetalLB's BGP resources; absent where nobody can be asked for them. */
  readonly bgp?: () => Promise<Answer<BgpFacts>>;
  /** Sets the annotation hairpin.dev/announce, which makes MetalLB announce the Service again. */
  readonly annotate: (service: string, value: string) => Promise<Answer<null>>;
}

/** What one host process guards: from its own configuration file, never from the network. */
export interface HostSetup {
  readonly armed: boolean;
  readonly guard: boolean;
  readonly budgetHour: number;
  readonly budgetDay: number;
  readonly speaker: SpeakerConfig | null;
  readonly links: readonly GuardedLink[];
}

export interface GuardedLink {
  readonly link: LinkConfig;
  /** The addresses that are announced over it, and their Services where declared. */
  readonly targets: readonly {
    readonly name: string;
    readonly addresses: readonly string[];
    readonly service: string | null;
  }[];
}
