import type { House } from "../config/house.ts";
import type { Delivery } from "../delivery.ts";
import type { HostFacts } from "../facts.ts";
import type { CheckResult, Observation } from "../observation.ts";
import type { Plan, Where } from "../plan.ts";
import type { EdgeSight } from "./edge.ts";
import type { HubSight } from "./hub-sight.ts";

/** Everything that `hairpin doctor` looked at, as plain data: what the findings are made from. Unknown is null, never false. */
export interface Examination {
  readonly house: House;
  /** The configuration file as it was named. */
  readonly file: string;
  readonly warnings: readonly string[];
  /** A vantage without a configuration: `file` is then that of the plan, and the house what the plan tells of it. */
  readonly fromPlan?: { readonly plan: Plan; readonly savedAt: string | null };
  /** `host` where the declared link, its parent or the speaker's node is this machine; otherwise a vantage of some kind. */
  readonly where: Where;
  readonly control: Observation["control"];
  /** One round from here, each check with three tries. */
  readonly checks: readonly CheckResult[];
  /** How each guarded address is reached from here. */
  readonly ways: readonly WaySight[];
  readonly names: readonly NameSight[];
  /** The Kubernetes host as this vantage sees it: whose MAC it has tells who answers in its place. */
  readonly neighbourOfHost: { readonly address: string; readonly mac: string } | null;
  /** Away from the host: whether anybody answers for the host's own address; absent or null where that could not be asked. */
  readonly hostHeard?: { readonly address: string; readonly heard: boolean } | null;
  /** On the host: who answers who-has on the parent. Its own speaker never does (facts/l2), so an answer is a stranger's. */
  readonly strangers: readonly { readonly address: string; readonly macs: readonly string[] }[] | null;
  /** On the host, one for each link declared here. */
  readonly links: readonly LinkSight[];
  readonly boot: BootSight | null;
  readonly homeAssistants: readonly HomeAssistantSight[];
  readonly brokers?: readonly BrokerSight[];
  /** The edge verifier; absent or null where the house has none. */
  readonly edge?: EdgeSight | null;
  /** What the hub says; absent or null where it was not looked for. */
  readonly hub?: HubSight | null;
  /** Whether the hub's own address is this machine's: events are sent from there, so only its path to receivers counts. */
  readonly isHub: boolean | null;
}

export interface WaySight {
  readonly address: string;
  readonly way: "on_link" | "gateway" | "local" | "none" | null;
  readonly device: string | null;
}

/** A name of the configuration as this machine resolves it: libc's way (most programs) and c-ares' (Home Assistant). */
export interface NameSight {
  readonly name: string;
  /** The addresses that it ought to lead to. */
  readonly wanted: readonly string[];
  readonly libc: Resolved;
  readonly cares: Resolved;
}

export type Resolved =
  | { readonly ok: true; readonly addresses: readonly string[] }
  /** `absent`: the resolver says that there is no such name; otherwise nobody answered. */
  | { readonly ok: false; readonly absent: boolean; readonly detail: string };

/** One declared link, with all that the host knows of it. */
export interface LinkSight {
  readonly link: string;
  readonly facts: HostFacts;
  /** net.ipv4.conf.all.rp_filter: the kernel takes the greater of this and the link's own. */
  readonly rpFilterAll: number | null;
  /** IPv4 addresses on the link itself. */
  readonly addresses: readonly string[] | null;
  readonly parentKind: string | null;
  /** macvtap devices on the parent: guests that never pass a port of the bridge. */
  readonly macvtaps: readonly string[];
  /** Other links with a packet socket for ARP. */
  readonly otherListeners: readonly string[];
  /** The value of --gratuitous-arp-interval; null: not given; undefined: the speaker's arguments are not known. */
  readonly gratuitousInterval: string | null | undefined;
  readonly process: ProcessSight | null;
}

/** The running `hairpin host`, asked at its own door. */
export type ProcessSight =
  | {
      readonly running: true;
      readonly armed: boolean;
      readonly guard: boolean;
      readonly pausedUntil: string | null;
      readonly guardStopped: boolean;
      readonly breakerOpen: boolean;
      readonly journal: HostFacts["journal"];
    }
  /** `isAsked` false: this user may not ask it, so that nothing is known. */
  | { readonly running: false; readonly detail: string; readonly isAsked?: boolean };

/** What would make the links at the next boot. */
export interface BootSight {
  readonly netdevs: readonly {
    readonly path: string;
    readonly name: string;
    readonly kind: string;
    readonly mac: string | null;
  }[];
  readonly units: readonly {
    readonly path: string;
    readonly unit: string;
    readonly link: string | null;
    readonly enabled: boolean;
  }[];
  /** Services of the cluster that are installed here, such as k0scontroller, and whether a drop-in orders them after the link's unit. */
  readonly clusters: readonly { readonly service: string; readonly after: readonly string[] }[];
}

/** A broker of `notify.mqtt`, asked with the hub's own login. */
export interface BrokerSight {
  /** Scheme, host and port, without any secret. */
  readonly origin: string;
  readonly isNamed: boolean;
  readonly isConnected: boolean;
  /** Why there is no connection; or, with one, which topics are refused. */
  readonly detail: string | null;
  /** It answered, and refused the login or the protocol. */
  readonly isRefused: boolean;
  readonly isDiscovered: boolean;
  /** What the hub's availability says there; null: nothing. */
  readonly isOnline: boolean | null;
  readonly homeAssistantSeenAt: string | null;
  readonly birthTopic: string;
  readonly discoveryTopic: string;
}

export interface HomeAssistantSight {
  readonly name: string;
  /** Scheme, host and port, without any secret. */
  readonly origin: string;
  readonly isNamed: boolean;
  /** The status of GET /manifest.json; null: no answer, and `detail` says why. */
  readonly status: number | null;
  readonly detail: string | null;
  /** What the hub knows of its reports there; absent where the hub was not asked. */
  readonly reports?: ReportsSight;
}

/** The latest report to a Home Assistant, and when it last confirmed one. */
export interface ReportsSight {
  readonly confirmed_at: string | null;
  readonly latest: Pick<Delivery, "kind" | "state" | "last_status" | "last_error" | "created_at"> | null;
}
