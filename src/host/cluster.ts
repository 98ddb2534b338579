import type { SpeakerConfig } from "../core/config/schema.ts";
import type { AdvertisedFacts, BgpFacts } from "../core/facts.ts";
import type { Millis } from "../core/units.ts";
import { evaluateAdvertised } from "./advertised.ts";
import type { Answer, Clock, GuardedLink, KubeAnnounceFailed, KubeL2Status, KubePod, Kubernetes } from "./port.ts";

/** What was last heard of the cluster. Null: not known, because nobody answered or the right is missing. */
export interface ClusterSight {
  readonly reachable: boolean | null;
  readonly detail: string | null;
  /** The right to list the speaker's pods is missing. */
  readonly forbidden: boolean;
  readonly pods: readonly KubePod[] | null;
  readonly statuses: readonly KubeL2Status[] | null;
  readonly endpoints: Readonly<Record<string, number>>;
  readonly advertised: readonly AdvertisedFacts[] | null;
  readonly failures: readonly KubeAnnounceFailed[] | null;
  readonly bgp?: BgpFacts | null;
  readonly atMono: Millis;
}

export interface Cluster {
  readonly sight: () => ClusterSight;
  /** Asks again, unless what is known is younger than `maxAge`. Never throws; one question at a time. */
  readonly refresh: (maxAge: Millis) => Promise<ClusterSight>;
}

const NOTHING = {
  forbidden: false,
  pods: null,
  statuses: null,
  endpoints: {},
  advertised: null,
  failures: null,
} as const;
/** Peers are made and forgotten by people. */
const BGP_AGE: Millis = 60_000;

/** Follows the cluster of one speaker, for the Services that are announced over the given links. */
export function createCluster(
  kubernetes: Kubernetes,
  speaker: SpeakerConfig,
  links: readonly GuardedLink[],
  clock: Clock,
): Cluster {
  let sight: ClusterSight = { reachable: null, detail: null, ...NOTHING, atMono: Number.NEGATIVE_INFINITY };
  let running: Promise<ClusterSight> | null = null;
  const declared = links.flatMap((guarded) =>
    guarded.targets.flatMap((target) => (target.service === null ? [] : [target.service])),
  );
  const services = [...new Set([...declared, ...speaker.services])];
  let bgp: BgpFacts | null = null;
  let bgpMono = Number.NEGATIVE_INFINITY;
  const askBgp = async (): Promise<BgpFacts | null> => {
    if (kubernetes.bgp === undefined || clock.mono() - bgpMono < BGP_AGE) return bgp;
    const answer = await kubernetes.bgp();
    bgpMono = clock.mono();
    bgp = answer.ok ? answer.value : null;
    return bgp;
  };

  const ask = async (): Promise<ClusterSight> => {
    const pods = await kubernetes.pods(null);
    const atMono = clock.mono();
    if (!pods.ok && pods.status === null) return { reachable: false, detail: pods.detail, ...NOTHING, atMono };
    const [statuses, advertised, endpoints, failures, leftover] = await Promise.all([
      kubernetes.l2Statuses(),
      askAdvertised(kubernetes, speaker, links),
      askAll(services, (service) => kubernetes.readyEndpoints(service)),
      askAll(speaker.services, (service) => kubernetes.announceFailed(service)),
      askBgp(),
    ]);
    const failed = Object.values(failures);
    return {
      reachable: true,
      detail: pods.ok ? null : pods.detail,
      forbidden: !pods.ok && pods.status === 403,
      pods: pods.ok ? pods.value : null,
      statuses: statuses.ok ? statuses.value : null,
      endpoints,
      advertised,
      failures: failed.length < speaker.services.length ? null : failed.flat(),
      bgp: leftover,
      atMono,
    };
  };
  return {
    sight: () => sight,
    refresh: async (maxAge) => {
      if (clock.mono() - sight.atMono <= maxAge) return sight;
      running ??= ask().finally(() => {
        running = null;
      });
      sight = await running;
      return sight;
    },
  };
}

/** Those of the answers that came, by Service. */
async function askAll<T>(
  services: readonly string[],
  ask: (service: string) => Promise<Answer<T>>,
): Promise<Record<string, T>> {
  const answers = await Promise.all(services.map(async (service) => [service, await ask(service)] as const));
  return Object.fromEntries(answers.flatMap(([service, answer]) => (answer.ok ? [[service, answer.value]] : [])));
}

async function askAdvertised(
  kubernetes: Kubernetes,
  speaker: SpeakerConfig,
  links: readonly GuardedLink[],
): Promise<readonly AdvertisedFacts[] | null> {
  const [advertisements, pools, labels] = await Promise.all([
    kubernetes.advertisements(),
    kubernetes.pools(),
    kubernetes.nodeLabels(),
  ]);
  if (!advertisements.ok || !pools.ok) return null;
  const wanted = links.flatMap((guarded) =>
    [...byService(guarded)].map(([service, addresses]) => ({
      link: guarded.link.name,
      others: Object.keys(guarded.link.also),
      service,
      addresses,
    })),
  );
  const facts = await Promise.all(
    wanted.map(async ({ link, others, service, addresses }) => {
      const found = await kubernetes.service(service);
      if (!found.ok && found.status === null) return null;
      return evaluateAdvertised({
        service,
        serviceExists: found.ok ? found.value.exists : true,
        serviceLabels: found.ok ? found.value.labels : {},
        addresses,
        node: speaker.node,
        nodeLabels: labels.ok ? labels.value : null,
        link,
        others,
        advertisements: advertisements.value,
        pools: pools.value,
      });
    }),
  );
  return facts.flatMap((fact) => (fact === null ? [] : [fact]));
}

function byService(guarded: GuardedLink): Map<string, string[]> {
  const table = new Map<string, string[]>();
  for (const { service, addresses } of guarded.targets) {
    if (service !== null) table.set(service, [...(table.get(service) ?? []), ...addresses]);
  }
  return table;
}

/** Guarded Services that a ServiceL2Status of this node names; null when unknown. */
export function announcing(sight: ClusterSight, speaker: SpeakerConfig): string[] | null {
  if (sight.statuses === null) return null;
  return [...new Set(sight.statuses.filter((status) => status.node === speaker.node).map((status) => status.service))];
}

/**
 * Guarded Services that this node could not announce: an announceFailed event newer than the newest ServiceL2Status of the Service
 * here, and newer than the speaker that runs now, whose start began afresh. Null when unknown.
 */
export function announceFailed(sight: ClusterSight, speaker: SpeakerConfig): string[] | null {
  if (sight.failures === null) return null;
  const podStart = newestStart(sight, speaker.node);
  return speaker.services.filter((service) => {
    const newest = Math.max(
      -1,
      ...(sight.statuses ?? [])
        .filter((s) => s.service === service && s.node === speaker.node)
        .map((s) => s.createdAt ?? -1),
    );
    return sight.failures!.some((failure) => {
      if (failure.service !== service || failure.at === null) return false;
      if (failure.host !== null && failure.host !== speaker.node) return false;
      return failure.at >= newest && (podStart === null || failure.at >= podStart);
    });
  });
}

/** Kubernetes writes seconds: an event in the second of the start belongs to this start. */
function newestStart(sight: ClusterSight, node: string): number | null {
  const starts = (sight.pods ?? [])
    .filter((pod) => pod.node === node && pod.startedAt !== null)
    .map((pod) => pod.startedAt!);
  return starts.length === 0 ? null : Math.floor(Math.max(...starts) / 1_000) * 1_000;
}

/** Whether the addresses of a link have, as far as is known, no endpoint that is ready: no step helps then, and each would harm. */
export function hasNoEndpoints(sight: ClusterSight | null, guarded: GuardedLink): boolean {
  if (sight === null) return false;
  const services = guarded.targets.flatMap((target) => (target.service === null ? [] : [target.service]));
  const known = services.filter((service) => sight.endpoints[service] !== undefined);
  return (
    known.length > 0 && known.length === services.length && known.every((service) => sight.endpoints[service] === 0)
  );
}
