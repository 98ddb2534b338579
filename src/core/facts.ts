import { z } from "zod";
import { hubInstance } from "./repair.ts";

/** What the host sees: the body of `GET /v1/facts`. Unknown is null, never false. */
export const linkFacts = z.object({
  exists: z.boolean().nullable(),
  up: z.boolean().nullable(),
  kind: z.string().nullable(),
  mode: z.string().nullable(),
  mac: z.string().nullable(),
  parent: z.string().nullable(),
  ifindex: z.number().int().nullable(),
  rp_filter: z.number().int().nullable(),
  arp_ignore: z.number().int().nullable(),
});

export const parentFacts = z.object({
  exists: z.boolean().nullable(),
  up: z.boolean().nullable(),
  mac: z.string().nullable(),
});

export const portFacts = z.object({
  name: z.string(),
  carrier: z.boolean().nullable(),
  hairpin: z.boolean().nullable(),
  /** Whether the port leads out of the host (a NIC) rather than to a guest: judged by its name and device. */
  uplink: z.boolean().nullable(),
});

export const podFacts = z.object({
  name: z.string(),
  node: z.string().nullable(),
  ready: z.boolean().nullable(),
  restarts: z.number().int().nullable(),
  age_s: z.number().nullable(),
});

export const speakerFacts = z.object({
  /** Whether a packet socket of protocol 0806 is open on the link's ifindex: the speaker listens on that very link. */
  listening: z.boolean().nullable(),
  pods: z.array(podFacts).nullable(),
  /** Guarded Services ("namespace/name") that a ServiceL2Status of this node names. */
  announcing: z.array(z.string()).nullable(),
  /** Whether an announceFailed event newer than the newest ServiceL2Status exists for a guarded Service. */
  announce_failed: z.boolean().nullable(),
});

export const advertisedFacts = z.object({
  service: z.string(),
  addresses: z.array(z.string()),
  /** Whether pool, node selector and interfaces of some L2Advertisement cover this Service, node and link. */
  covered: z.boolean(),
  /** The interfaces that will announce; null: all of them, because an advertisement names none. */
  interfaces: z.array(z.string()).nullable(),
  reason: z.string().nullable(),
  /** Other declared nodes that are to announce it instead of this one, where it is not covered here. */
  nodes: z.array(z.string()).optional(),
});

/** An entry of the bridge's table for the link's MAC. Without one the bridge floods what is meant for the link (facts/l2). */
export const fdbFacts = z.object({
  /** The port behind which the bridge believes the MAC: the bridge itself where the entry was set, a port where it was learnt. */
  port: z.string().max(64),
  state: z.string().max(32).nullable(),
});

/** One network card of a virtual machine, as libvirt's file has it. */
export const guestFacts = z.object({
  name: z.string().max(128),
  /** bridge; direct, which is macvtap; network and others. */
  type: z.string().max(32),
  /** The bridge, card or network that it is plugged into; a network of libvirt is followed to its bridge or card. */
  source: z.string().max(64).nullable(),
  mac: z.string().max(32).nullable(),
  /** The nwfilter in front of it. */
  filter: z.string().max(128).nullable(),
});

/** What makes the link at boot. */
export const persistenceFacts = z.object({
  /** The file of systemd-networkd or the unit; null: nothing makes it. */
  made_by: z.string().max(256).nullable(),
  /** Whether it gives the link its declared MAC. */
  mac: z.boolean().nullable(),
  /** Whether the cluster's services come after it; null where none is installed here. */
  before_cluster: z.boolean().nullable(),
});

/** MetalLB's BGP resources by their names: left over from another time, or announcing the same addresses a second way. */
export const bgpFacts = z.object({ peers: z.array(z.string()).max(64), advertisements: z.array(z.string()).max(64) });

/** What the guard has done since the host process started; `revision` grows with each entry. */
export const guardFact = z.object({
  id: z.string(),
  link: z.string(),
  cause: z.enum(["link_missing", "link_down", "link_drifted"]),
  step: z.literal("ensure-link"),
  outcome: z.enum(["done", "failed", "stopped"]),
  /** From the kernel's event to the link being up with its settings. */
  ms: z.number().nullable(),
  at: z.string(),
  detail: z.string().nullable(),
});

export const hostFacts = z.object({
  node: z.string().nullable(),
  boot_id: z.string(),
  /** Grows whenever something here changes; `GET /v1/facts?after=N&wait_ms=M` waits for the next one. */
  revision: z.number().int(),
  armed: z.boolean(),
  guard: z.boolean(),
  paused_until: z.string().nullable(),
  link: linkFacts,
  parent: parentFacts,
  ports: z.array(portFacts).nullable(),
  brnf: z.number().int().nullable(),
  rp_filter_drops: z.number().nullable(),
  neighbours: z.array(z.object({ address: z.string(), mac: z.string().nullable(), state: z.string() })).nullable(),
  speaker: speakerFacts,
  endpoints: z.array(z.object({ service: z.string(), ready: z.number().int() })).nullable(),
  advertised: z.array(advertisedFacts).nullable(),
  kubernetes: z.object({ reachable: z.boolean().nullable(), detail: z.string().nullable() }),
  /** These four are absent from a host of an older version. */
  fdb: z.array(fdbFacts).max(64).nullish(),
  guests: z.array(guestFacts).max(128).nullish(),
  persistence: persistenceFacts.nullish(),
  bgp: bgpFacts.nullish(),
  /** MACs that the link had before, newest first, from the host's journal. */
  former_macs: z.array(z.string()),
  guard_log: z.array(guardFact).max(64),
  guard_stopped: z.boolean(),
  /** Whether a repair is running, and the host's own ledger, enforced a second time here. */
  in_flight: z.string().nullable(),
  budget_left_hour: z.number().int(),
  breaker: z.enum(["closed", "open"]),
  journal: z.enum(["ok", "unreadable", "unwritable"]),
});

/** The query of `GET /v1/facts`: waits until the revision is above `after`, at most `wait_ms`. */
export const factsQuery = z.strictObject({
  after: z
    .string()
    .regex(/^\d{1,15}$/, "a revision")
    .transform(Number)
    .optional(),
  wait_ms: z
    .string()
    .regex(/^\d{1,6}$/, "milliseconds")
    .transform(Number)
    .optional(),
  link: z
    .string()
    .regex(/^[A-Za-z0-9_.-]{1,15}$/, "the name of a link")
    .optional(),
  /** Who asks: a hub that is heard keeps the lease that it has. */
  hub: hubInstance.optional(),
});

export type LinkFacts = z.infer<typeof linkFacts>;
export type PortFacts = z.infer<typeof portFacts>;
export type PodFacts = z.infer<typeof podFacts>;
export type SpeakerFacts = z.infer<typeof speakerFacts>;
export type AdvertisedFacts = z.infer<typeof advertisedFacts>;
export type FdbFacts = z.infer<typeof fdbFacts>;
export type GuestFacts = z.infer<typeof guestFacts>;
export type PersistenceFacts = z.infer<typeof persistenceFacts>;
export type BgpFacts = z.infer<typeof bgpFacts>;
export type GuardFact = z.infer<typeof guardFact>;
export type HostFacts = z.infer<typeof hostFacts>;
