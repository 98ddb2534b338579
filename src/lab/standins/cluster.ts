/** Kubernetes objects as far as hairpin reads them, kept in memory. */
export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: {
    name: string;
    namespace?: string;
    uid: string;
    resourceVersion: string;
    creationTimestamp: string;
    deletionTimestamp?: string;
    labels: Record<string, string>;
    annotations: Record<string, string>;
  };
  // biome-ignore lint/suspicious/noExplicitAny: the objects of an API stand-in are whatever their kind says.
  [key: string]: any;
}

export interface ClusterInit {
  readonly node: string;
  readonly nodeAddress: string;
  readonly speaker: { readonly namespace: string; readonly selector: string };
  readonly services: readonly {
    readonly key: string;
    readonly addresses: readonly string[];
    readonly podIp: string;
    readonly ports: readonly { readonly port: number; readonly protocol: string }[];
    readonly pool: string;
  }[];
  readonly pools: readonly {
    readonly name: string;
    readonly addresses: readonly string[];
    readonly interfaces: readonly string[];
    readonly advertisement: string;
  }[];
}

const KINDS: Readonly<Record<string, readonly [string, string]>> = {
  pods: ["v1", "Pod"],
  nodes: ["v1", "Node"],
  services: ["v1", "Service"],
  events: ["v1", "Event"],
  endpointslices: ["discovery.k8s.io/v1", "EndpointSlice"],
  servicel2statuses: ["metallb.io/v1beta1", "ServiceL2Status"],
  l2advertisements: ["metallb.io/v1beta1", "L2Advertisement"],
  ipaddresspools: ["metallb.io/v1beta1", "IPAddressPool"],
  bgppeers: ["metallb.io/v1beta2", "BGPPeer"],
  bgpadvertisements: ["metallb.io/v1beta1", "BGPAdvertisement"],
};

export function kindOf(resource: string): readonly [string, string] | null {
  return KINDS[resource] ?? null;
}

/** Kubernetes keeps whole seconds. */
export function stamp(): string {
  return `${new Date().toISOString().slice(0, 19)}Z`;
}

/** "a=b,c=d" as labels: what a pod must carry for a selector to find it. */
export function labelsOf(selector: string): Record<string, string> {
  const pairs = selector.split(",").map((part) => part.split(/==?/).map((side) => side.trim()));
  return Object.fromEntries(
    pairs.filter(([key, value]) => key !== undefined && value !== undefined && !key.endsWith("!")),
  );
}

/** The store: objects by resource, with versions that grow. */
export class Cluster {
  readonly #objects = new Map<string, KubeObject[]>();
  #version = 1_000;
  #serial = 0;

  list(resource: string, namespace: string | null): readonly KubeObject[] {
    const all = this.#objects.get(resource) ?? [];
    return namespace === null ? all : all.filter((object) => object.metadata.namespace === namespace);
  }

  get(resource: string, namespace: string | null, name: string): KubeObject | undefined {
    return this.list(resource, namespace).find((object) => object.metadata.name === name);
  }

  put(
    resource: string,
    metadata: {
      name: string;
      namespace?: string;
      labels?: Record<string, string>;
      annotations?: Record<string, string>;
    },
    body: Record<string, unknown>,
  ): KubeObject {
    const [apiVersion, kind] = KINDS[resource]!;
    this.remove(resource, metadata.namespace ?? null, metadata.name);
    this.#version += 1;
    this.#serial += 1;
    const uid = `00000000-0000-4000-8000-${String(this.#serial).padStart(12, "0")}`;
    const full = {
      labels: {},
      annotations: {},
      ...metadata,
      uid,
      resourceVersion: String(this.#version),
      creationTimestamp: stamp(),
    };
    const object: KubeObject = { apiVersion, kind, metadata: full, ...body };
    this.#objects.set(resource, [...(this.#objects.get(resource) ?? []), object]);
    return object;
  }

  /** Marks an object as changed. */
  touch(object: KubeObject): void {
    this.#version += 1;
    object.metadata.resourceVersion = String(this.#version);
  }

  remove(resource: string, namespace: string | null, name: string): void {
    const kept = (this.#objects.get(resource) ?? []).filter(
      (object) => object.metadata.name !== name || (namespace !== null && object.metadata.namespace !== namespace),
    );
    this.#objects.set(resource, kept);
  }

  version(): string {
    return String(this.#version);
  }
}

/** Fills a cluster with the house: node, pools, advertisements, Services and their endpoints. */
export function populate(cluster: Cluster, init: ClusterInit): void {
  const hostname = { "kubernetes.io/hostname": init.node };
  cluster.put(
    "nodes",
    { name: init.node, labels: hostname },
    {
      status: {
        addresses: [{ type: "InternalIP", address: init.nodeAddress }],
        conditions: [{ type: "Ready", status: "True" }],
      },
    },
  );
  for (const pool of init.pools) {
    cluster.put(
      "ipaddresspools",
      { name: pool.name, namespace: init.speaker.namespace },
      { spec: { addresses: pool.addresses, autoAssign: true } },
    );
    putAdvertisement(cluster, init, pool, {});
  }
  for (const service of init.services) {
    const [namespace = "default", name = "service"] = service.key.split("/");
    const ports = service.ports.map(({ port, protocol }) => ({
      name: `${protocol}-${port}`,
      port,
      protocol: protocol.toUpperCase(),
      targetPort: port,
    }));
    cluster.put(
      "services",
      { name, namespace, annotations: { "metallb.io/ip-allocated-from-pool": service.pool } },
      {
        spec: { type: "LoadBalancer", externalTrafficPolicy: "Cluster", ports },
        status: { loadBalancer: { ingress: service.addresses.map((ip) => ({ ip, ipMode: "VIP" })) } },
      },
    );
    cluster.put(
      "endpointslices",
      { name: `${name}-x7k2p`, namespace, labels: { "kubernetes.io/service-name": name } },
      {
        addressType: "IPv4",
        endpoints: [
          {
            addresses: [service.podIp],
            conditions: { ready: true, serving: true, terminating: false },
            nodeName: init.node,
          },
        ],
        ports: ports.map(({ name: each, port, protocol }) => ({ name: each, port, protocol })),
      },
    );
  }
}

/** Writes a pool's advertisement; the changes are what faults make of it. */
export function putAdvertisement(
  cluster: Cluster,
  init: ClusterInit,
  pool: ClusterInit["pools"][number],
  changes: { readonly interfaces?: readonly string[] | null; readonly node?: string },
): void {
  const interfaces = changes.interfaces === undefined ? pool.interfaces : changes.interfaces;
  const spec: Record<string, unknown> = {
    ipAddressPools: [pool.name],
    nodeSelectors: [{ matchLabels: { "kubernetes.io/hostname": changes.node ?? init.node } }],
  };
  if (interfaces !== null) spec["interfaces"] = interfaces;
  cluster.put("l2advertisements", { name: pool.advertisement, namespace: init.speaker.namespace }, { spec });
}
