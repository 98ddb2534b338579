import type { GuardFact, HostFacts, PortFacts } from "../core/facts.ts";
import { HOUR, type Millis } from "../core/units.ts";
import { announceFailed, announcing, type ClusterSight } from "./cluster.ts";
import type { Journal } from "./journal.ts";
import type { Keeper } from "./keeper.ts";
import type { Ledger } from "./ledger.ts";
import type { Pause } from "./pause.ts";
import type { HostPorts, HostSetup, LinkRow, Neighbour } from "./port.ts";
import type { Surroundings } from "./surroundings.ts";

/** More ports or neighbours than a house has are cut off: the facts stay under some tens of KiB. */
const PORTS_MAX = 128;
const NEIGHBOURS_MAX = 256;

/** Everything that the facts of one link are put together from. */
export interface FactsView {
  readonly ports: HostPorts;
  readonly setup: HostSetup;
  readonly keeper: Keeper;
  readonly table: readonly LinkRow[] | null;
  readonly neighbours: readonly Neighbour[] | null;
  readonly listening: boolean | null;
  readonly cluster: ClusterSight | null;
  readonly surroundings: Surroundings | null;
  readonly ledger: Ledger;
  readonly journal: Journal;
  readonly pause: Pause | null;
  readonly guardLog: readonly GuardFact[];
  readonly guardStopped: boolean;
  readonly inFlight: string | null;
}

export function buildFacts(view: FactsView): Omit<HostFacts, "revision"> {
  const { ports, setup, keeper, cluster, ledger } = view;
  const sight = keeper.sight();
  const row = sight?.row ?? null;
  const parent = sight?.parent ?? null;
  const speaker = setup.speaker;
  return {
    node: speaker?.node ?? null,
    boot_id: ports.bootId,
    armed: setup.armed,
    guard: setup.guard,
    paused_until: view.pause?.until ?? null,
    link: {
      exists: sight === null ? null : row !== null,
      up: row?.up ?? null,
      kind: row?.kind ?? null,
      mode: row?.mode ?? null,
      mac: row?.mac ?? null,
      parent: row?.parent ?? null,
      ifindex: row?.ifindex ?? null,
      rp_filter: sight?.sysctls.rp_filter ?? null,
      arp_ignore: sight?.sysctls.arp_ignore ?? null,
    },
    parent: { exists: sight === null ? null : parent !== null, up: parent?.up ?? null, mac: parent?.mac ?? null },
    ports: view.table === null ? null : portsOf(view.table, keeper.declared.parent),
    brnf: ports.links.brnf(),
    rp_filter_drops: ports.links.reversePathDrops(),
    neighbours:
      view.neighbours === null ? null : view.neighbours.slice(0, NEIGHBOURS_MAX).map((neighbour) => ({ ...neighbour })),
    speaker: {
      listening: view.listening,
      pods:
        cluster?.pods?.map((pod) => ({
          name: pod.name,
          node: pod.node,
          ready: pod.ready,
          restarts: pod.restarts,
          age_s: ageOf(pod.startedAt, ports),
        })) ?? null,
      announcing: cluster === null || speaker === null ? null : announcing(cluster, speaker),
      announce_failed: hasFailed(cluster, setup),
    },
    endpoints: endpointsOf(cluster, keeper),
    advertised: cluster?.advertised?.filter((fact) => servicesOf(keeper).includes(fact.service)) ?? null,
    kubernetes: { reachable: cluster?.reachable ?? null, detail: cluster?.detail ?? null },
    fdb: view.surroundings?.fdb?.map((entry) => ({ ...entry })) ?? null,
    guests: view.surroundings?.guests?.map((guest) => ({ ...guest })) ?? null,
    persistence: view.surroundings?.persistence ?? null,
    bgp: cluster?.bgp ?? null,
    former_macs: [...ledger.formerMacs(keeper.declared.name)],
    guard_log: view.guardLog.filter((fact) => fact.link === keeper.declared.name),
    guard_stopped: view.guardStopped,
    in_flight: view.inFlight,
    budget_left_hour: Math.max(0, setup.budgetHour - ledger.spent("hub", HOUR)),
    breaker: ledger.breaker().open ? "open" : "closed",
    journal: view.journal.health(),
  };
}

/**
 * The facts without what moves by itself: ages, neighbour states, a counter. Two facts with the same digest are the same to
 * whoever waits for news. That the counter moves at all is news; by how much is not.
 */
export function digest(facts: Omit<HostFacts, "revision">, dropsBefore: number | null): string {
  const pods = facts.speaker.pods?.map(({ age_s: _, ...pod }) => pod) ?? null;
  const rising = facts.rp_filter_drops !== null && dropsBefore !== null && facts.rp_filter_drops > dropsBefore;
  return JSON.stringify({
    ...facts,
    neighbours: null,
    rp_filter_drops: rising,
    speaker: { ...facts.speaker, pods },
    kubernetes: facts.kubernetes.reachable,
  });
}

/** Whether the speaker listens on this very link. False only when it has had the time to look at a link that is up. */
export function isListening(keeper: Keeper, sockets: ReadonlySet<number> | null): boolean | null {
  const row = keeper.sight()?.row ?? null;
  if (row === null || sockets === null) return null;
  if (sockets.has(row.ifindex)) return true;
  return keeper.isScanned() ? false : null;
}

function hasFailed(cluster: ClusterSight | null, { speaker }: HostSetup): boolean | null {
  if (cluster === null || speaker === null) return null;
  const failed = announceFailed(cluster, speaker);
  return failed === null ? null : failed.length > 0;
}

function ageOf(startedAt: number | null, ports: HostPorts): number | null {
  return startedAt === null ? null : Math.max(0, Math.round((ports.clock.wall() - startedAt) / 1_000));
}

function servicesOf(keeper: Keeper): string[] {
  return [...new Set(keeper.guarded.targets.flatMap((target) => (target.service === null ? [] : [target.service])))];
}

function endpointsOf(cluster: ClusterSight | null, keeper: Keeper): { service: string; ready: number }[] | null {
  if (cluster === null || cluster.reachable !== true) return null;
  return servicesOf(keeper).flatMap((service) => {
    const ready = cluster.endpoints[service];
    return ready === undefined ? [] : [{ service, ready }];
  });
}

function portsOf(table: readonly LinkRow[], bridge: string): PortFacts[] {
  return table
    .filter((row) => row.master === bridge)
    .slice(0, PORTS_MAX)
    .map((row) => ({ name: row.name, carrier: row.carrier, hairpin: row.hairpin, uplink: isUplink(row) }));
}

const GUESTS = /^(vnet|tap|macvtap|veth|cali|lxc|docker|fwpr|vif|vb-|ve-|cni|kube)/;
const UPLINKS = /^(en|eth|wl|ww|bond|team|lan|wan|uplink|sfp|p\d)/;

/** A port without a kind is a real card; otherwise the name says it, as the people who named it meant it. */
export function isUplink(row: LinkRow): boolean | null {
  if (GUESTS.test(row.name) || row.kind === "tun") return false;
  if (row.kind === null || row.kind === "bond" || row.kind === "team" || row.kind === "vlan" || UPLINKS.test(row.name))
    return true;
  return null;
}

/** How long a listener may wait for news. */
export const WAIT_MAX: Millis = 25_000;
