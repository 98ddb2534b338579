import request from "undici/lib/api/api-request.js";
import Pool from "undici/lib/dispatcher/pool.js";
import type { SpeakerConfig } from "../../core/config/schema.ts";
import type { Answer, KubePod, Kubernetes, LabelSelector } from "../../host/port.ts";
import { type KubeAccess, readKubeconfig } from "./kubeconfig.ts";

/** One request, from connecting to its last byte. A list of a house's objects takes milliseconds. */
const DEADLINE_MS = 2_500;
const BODY_MAX = 4 * 1_048_576;
const CONNECTIONS = 4;
/** Of each of MetalLB's BGP kinds; the names alone are kept. */
const BGP_MAX = 64;

type Json = Readonly<Record<string, unknown>>;

/** The requests that hairpin makes of Kubernetes, and no others: three writes (delete a pod, annotate a Service), the rest reads. */
export function createKubernetes(
  speaker: SpeakerConfig,
  kubeconfig: string,
): Kubernetes & { readonly close: () => Promise<void> } {
  const api = createApi(() => readKubeconfig(kubeconfig));
  const inNamespace = `/api/v1/namespaces/${encodeURIComponent(speaker.namespace)}`;
  const metallb = `/apis/metallb.io/v1beta1/namespaces/${encodeURIComponent(speaker.namespace)}`;
  const list = async <T>(path: string, item: (object: Json) => T | null): Promise<Answer<readonly T[]>> => {
    const answer = await api.ask("GET", path);
    return answer.ok
      ? { ok: true, value: objects(answer.value["items"]).flatMap((object) => item(object) ?? []) }
      : answer;
  };
  return {
    pods: (node) =>
      list(
        `${inNamespace}/pods?${query({ labelSelector: speaker.selector, ...(node === null ? {} : { fieldSelector: `spec.nodeName=${node}` }) })}`,
        podOf,
      ),
    deletePod: async (name, uid) =>
      nothing(
        await api.ask("DELETE", `${inNamespace}/pods/${encodeURIComponent(name)}`, {
          body: { apiVersion: "v1", kind: "DeleteOptions", preconditions: { uid } },
        }),
      ),
    l2Statuses: () =>
      list(`${metallb}/servicel2statuses`, (object) => {
        const status = record(object["status"]);
        const labels = record(record(object["metadata"])["labels"]);
        const node = text(status["node"]) ?? text(labels["metallb.io/node"]);
        const name = text(status["serviceName"]) ?? text(labels["metallb.io/service-name"]);
        const namespace = text(status["serviceNamespace"]) ?? text(labels["metallb.io/service-namespace"]);
        if (node === null || name === null || namespace === null) return null;
        const interfaces = objects(status["interfaces"]).flatMap((entry) => text(entry["name"]) ?? []);
        return {
          node,
          service: `${namespace}/${name}`,
          interfaces,
          createdAt: time(record(object["metadata"])["creationTimestamp"]),
        };
      }),
    advertisements: () =>
      list(`${metallb}/l2advertisements`, (object) => {
        const spec = record(object["spec"]);
        return {
          name: nameOf(object),
          pools: texts(spec["ipAddressPools"]),
          poolSelectors: objects(spec["ipAddressPoolSelectors"]) as LabelSelector[],
          nodeSelectors: objects(spec["nodeSelectors"]) as LabelSelector[],
          serviceSelectors: objects(spec["serviceSelectors"]) as LabelSelector[],
          interfaces: texts(spec["interfaces"]),
        };
      }),
    pools: () =>
      list(`${metallb}/ipaddresspools`, (object) => ({
        name: nameOf(object),
        labels: strings(record(object["metadata"])["labels"]),
        addresses: texts(record(object["spec"])["addresses"]),
      })),
    nodeLabels: async () => {
      const answer = await api.ask("GET", `/api/v1/nodes/${encodeURIComponent(speaker.node)}`);
      return answer.ok ? { ok: true, value: strings(record(answer.value["metadata"])["labels"]) } : answer;
    },
    service: async (service) => {
      const answer = await api.ask("GET", servicePath(service));
      if (!answer.ok) return answer.status === 404 ? { ok: true, value: { exists: false, labels: {} } } : answer;
      return { ok: true, value: { exists: true, labels: strings(record(answer.value["metadata"])["labels"]) } };
    },
    readyEndpoints: async (service) => {
      const [namespace = "", name = ""] = service.split("/");
      const path = `/apis/discovery.k8s.io/v1/namespaces/${encodeURIComponent(namespace)}/endpointslices?${query({ labelSelector: `kubernetes.io/service-name=${name}` })}`;
      const answer = await list(path, (slice) => objects(slice["endpoints"]).filter(isReady).length);
      return answer.ok ? { ok: true, value: answer.value.reduce((sum, count) => sum + count, 0) } : answer;
    },
    announceFailed: async (service) => {
      const [namespace = "", name = ""] = service.split("/");
      const fieldSelector = `involvedObject.kind=Service,involvedObject.name=${name},reason=announceFailed`;
      return await list(
        `/api/v1/namespaces/${encodeURIComponent(namespace)}/events?${query({ fieldSelector })}`,
        (event) => {
          const involved = record(event["involvedObject"]);
          if (text(event["reason"]) !== "announceFailed" || text(involved["name"]) !== name) return null;
          const at =
            time(record(event["series"])["lastObservedTime"]) ??
            time(event["lastTimestamp"]) ??
            time(event["eventTime"]) ??
            time(event["firstTimestamp"]);
          return { service, host: text(record(event["source"])["host"]), at };
        },
      );
    },
    bgp: async () => {
      const names = async (version: string, resource: string): Promise<Answer<readonly string[]>> => {
        const path = `/apis/metallb.io/${version}/namespaces/${encodeURIComponent(speaker.namespace)}/${resource}`;
        const answer = await list(path, (object) => nameOf(object).slice(0, 128));
        // A cluster without the kind has none of them.
        return answer.ok || answer.status !== 404 ? answer : { ok: true, value: [] };
      };
      const [peers, advertisements] = await Promise.all([
        names("v1beta2", "bgppeers"),
        names("v1beta1", "bgpadvertisements"),
      ]);
      if (!peers.ok) return peers;
      if (!advertisements.ok) return advertisements;
      const capped = (found: readonly string[]) => found.slice(0, BGP_MAX);
      return { ok: true, value: { peers: capped(peers.value), advertisements: capped(advertisements.value) } };
    },
    annotate: async (service, value) =>
      nothing(
        await api.ask("PATCH", servicePath(service), {
          type: "application/merge-patch+json",
          body: { metadata: { annotations: { "hairpin.dev/announce": value } } },
        }),
      ),
    close: api.close,
  };
}

interface Sent {
  readonly type?: string;
  readonly body: unknown;
}

/** Sends requests with the access of a kubeconfig, which is read anew after a 401 or a failure: k0s may rotate or still be writing it. */
export function createApi(read: () => KubeAccess) {
  let access: KubeAccess | null = null;
  let pool: InstanceType<typeof Pool> | null = null;
  const open = (): { access: KubeAccess; pool: InstanceType<typeof Pool> } => {
    if (access === null || pool === null) {
      access = read();
      const { ca, certificate, insecure, serverName } = access;
      const tls = {
        ...(ca === null ? {} : { ca }),
        ...(certificate ?? {}),
        ...(serverName === null ? {} : { servername: serverName }),
        rejectUnauthorized: !insecure,
        timeout: DEADLINE_MS,
      };
      pool = new Pool(access.origin, {
        connections: CONNECTIONS,
        connect: tls,
        headersTimeout: DEADLINE_MS,
        bodyTimeout: DEADLINE_MS,
      });
    }
    return { access, pool };
  };
  const forget = () => {
    void pool?.destroy().catch(() => {});
    pool = null;
    access = null;
  };
  const ask = async (method: "GET" | "POST" | "DELETE" | "PATCH", path: string, sent?: Sent): Promise<Answer<Json>> => {
    try {
      const { access, pool } = open();
      const answer = await request.call(pool, {
        method,
        path: access.prefix + path,
        signal: AbortSignal.timeout(DEADLINE_MS),
        headers: {
          accept: "application/json",
          "user-agent": "hairpin",
          ...(access.token === null ? {} : { authorization: `Bearer ${access.token}` }),
          ...(sent === undefined ? {} : { "content-type": sent.type ?? "application/json" }),
        },
        ...(sent === undefined ? {} : { body: JSON.stringify(sent.body) }),
      });
      const body = parse(await readCapped(answer.body));
      if (answer.statusCode === 401) forget();
      if (answer.statusCode >= 300)
        return {
          ok: false,
          status: answer.statusCode,
          detail: text(body["message"])?.slice(0, 500) ?? `Kubernetes answered ${answer.statusCode}`,
        };
      return { ok: true, value: body };
    } catch (error) {
      forget();
      return { ok: false, status: null, detail: sayError(error) };
    }
  };
  return { ask, close: async () => await pool?.destroy() };
}

async function readCapped(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > BODY_MAX) throw new Error(`an answer of more than ${BODY_MAX} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function parse(body: string): Json {
  try {
    return record(JSON.parse(body));
  } catch {
    return {};
  }
}

function sayError(error: unknown): string {
  const { name, code, message } = error as { name?: string; code?: string; message?: string };
  if (name === "TimeoutError") return `no answer from the Kubernetes API in ${DEADLINE_MS / 1_000} s`;
  return `${code ?? name ?? "error"}: ${message ?? "?"}`.slice(0, 300);
}

function servicePath(service: string): string {
  const [namespace = "", name = ""] = service.split("/");
  return `/api/v1/namespaces/${encodeURIComponent(namespace)}/services/${encodeURIComponent(name)}`;
}

function podOf(object: Json): KubePod | null {
  const metadata = record(object["metadata"]);
  const status = record(object["status"]);
  const uid = text(metadata["uid"]);
  if (uid === null) return null;
  const ready = objects(status["conditions"]).find((condition) => condition["type"] === "Ready");
  const restarts = objects(status["containerStatuses"]).map((container) => Number(container["restartCount"] ?? 0));
  return {
    name: nameOf(object),
    uid,
    node: text(record(object["spec"])["nodeName"]),
    ready: ready === undefined ? null : ready["status"] === "True",
    restarts: restarts.length === 0 ? null : restarts.reduce((sum, count) => sum + count, 0),
    startedAt: time(status["startTime"]) ?? time(metadata["creationTimestamp"]),
    terminating: metadata["deletionTimestamp"] !== undefined,
    args: objects(record(object["spec"])["containers"]).flatMap((container) => texts(container["args"])),
  };
}

/** Kubernetes: a missing `ready` condition has to be taken as true (EndpointConditions). */
function isReady(endpoint: Json): boolean {
  return record(endpoint["conditions"])["ready"] !== false;
}

function query(fields: Readonly<Record<string, string>>): string {
  return Object.entries(fields)
    .map(([key, value]) => `${key}=${encodeURIComponent(value)}`)
    .join("&");
}

function nothing(answer: Answer<Json>): Answer<null> {
  return answer.ok ? { ok: true, value: null } : answer;
}

function record(value: unknown): Json {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : {};
}

function objects(value: unknown): Json[] {
  return Array.isArray(value) ? value.map(record) : [];
}

function text(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.flatMap((entry) => text(entry) ?? []) : [];
}

function strings(value: unknown): Record<string, string> {
  return Object.fromEntries(
    Object.entries(record(value)).flatMap(([key, entry]) => (typeof entry === "string" ? [[key, entry]] : [])),
  );
}

function nameOf(object: Json): string {
  return text(record(object["metadata"])["name"]) ?? "?";
}

function time(value: unknown): number | null {
  const millis = typeof value === "string" ? Date.parse(value) : Number.NaN;
  return Number.isFinite(millis) ? millis : null;
}
