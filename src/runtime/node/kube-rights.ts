import type { House } from "../../core/config/house.ts";
import type { SpeakerConfig } from "../../core/config/schema.ts";
import type { Answer } from "../../host/port.ts";
import type { createApi } from "./kubernetes.ts";

/** One thing that a token may or may not do. */
export interface Right {
  readonly verb: string;
  /** API group; empty for the core one. */
  readonly group: string;
  /** With its subresource after a slash, as in pods/exec. */
  readonly resource: string;
  /** Empty: in all namespaces. */
  readonly namespace: string;
  /** One object; null: every object. */
  readonly name: string | null;
  /** `needed`; `optional`: one step or one fact is poorer without it; `forbidden`: the host must not have it. */
  readonly wanted: "needed" | "optional" | "forbidden";
  /** What it is for, or what it would allow. */
  readonly why: string;
}

export interface CheckedRight extends Right {
  /** `unknown`: the API did not say. */
  readonly state: "there" | "missing" | "too_much" | "absent" | "unknown";
}

type Api = ReturnType<typeof createApi>;

const READ = ["get", "list"];
const METALLB = ["servicel2statuses", "l2advertisements", "ipaddresspools"];
const BGP = ["bgppeers", "bgpadvertisements"];
/** A house names a handful of Services; the requests are one for each right and namespace. */
const NAMESPACES_MAX = 16;

/** The namespaces of the Services that hairpin reads; all of them when none is named, as the shipped ClusterRole has it. */
function serviceNamespaces(house: House, speaker: SpeakerConfig): readonly string[] {
  const services = [...house.targets.flatMap((target) => target.service ?? []), ...speaker.services];
  const found = [...new Set(services.map((service) => service.split("/")[0]!))].slice(0, NAMESPACES_MAX);
  return found.length === 0 ? [""] : found;
}

/** What docs/safety.md ("Rights") allows the host in the cluster, and what a right too many would cost. */
export function rightsOf(house: House, speaker: SpeakerConfig): readonly Right[] {
  const own = { namespace: speaker.namespace, name: null };
  const needed = (verbs: readonly string[], group: string, resource: string, namespace: string, why: string): Right[] =>
    verbs.map((verb) => ({ verb, group, resource, namespace, name: null, wanted: "needed", why }));
  const namespaces = serviceNamespaces(house, speaker);
  return [
    ...needed(READ, "", "pods", speaker.namespace, "sees the speaker's pod"),
    ...needed(["delete"], "", "pods", speaker.namespace, "restart-speaker"),
    ...METALLB.flatMap((resource) =>
      needed(READ, "metallb.io", resource, speaker.namespace, "sees who announces what, and where"),
    ),
    ...BGP.map((resource): Right => {
      const why = "sees BGP resources left over from another time";
      return { verb: "list", group: "metallb.io", resource, ...own, wanted: "optional", why };
    }),
    ...namespaces.flatMap((namespace) => [
      ...needed(READ, "", "services", namespace, "sees whether the Service is there"),
      ...needed(READ, "", "events", namespace, "sees announceFailed"),
      ...needed(READ, "discovery.k8s.io", "endpointslices", namespace, "sees whether anybody would answer"),
    ]),
    ...speaker.services.map((service): Right => {
      const [namespace = "", name = ""] = service.split("/");
      const why = "announce: makes MetalLB announce it again";
      return { verb: "patch", group: "", resource: "services", namespace, name, wanted: "optional", why };
    }),
    ...forbidden(own, namespaces),
  ];
}

function forbidden(own: Pick<Right, "namespace" | "name">, namespaces: readonly string[]): readonly Right[] {
  const no = (verb: string, group: string, resource: string, why: string): Right => ({
    ...{ verb, group, resource, ...own, why },
    wanted: "forbidden",
  });
  return [
    no("patch", "apps", "daemonsets", "is root on every node"),
    no("update", "apps", "daemonsets", "is root on every node"),
    no("create", "", "pods", "is root on this node"),
    no("create", "", "pods/exec", "is root on this node, through the speaker"),
    no("get", "", "secrets", "shows the tokens of others"),
    ...namespaces.map((namespace): Right => {
      const why = "changes every Service, not only the named ones";
      return { verb: "patch", group: "", resource: "services", namespace, name: null, wanted: "forbidden", why };
    }),
    { ...no("delete", "", "pods", "deletes pods anywhere, not only the speaker's"), namespace: "" },
  ];
}

/** Asks the API for each right with the token itself (SelfSubjectAccessReview, which every account may). */
export async function reviewRights(api: Api, rights: readonly Right[]): Promise<Answer<readonly CheckedRight[]>> {
  const checked: CheckedRight[] = [];
  for (const right of rights) {
    const answer = await review(api, right);
    if (!answer.ok && (answer.status === null || answer.status === 401)) return answer;
    checked.push({ ...right, state: answer.ok ? judged(right, answer.value) : "unknown" });
  }
  return { ok: true, value: checked };
}

function judged(right: Right, allowed: boolean): CheckedRight["state"] {
  if (right.wanted === "forbidden") return allowed ? "too_much" : "absent";
  if (allowed) return "there";
  return right.wanted === "optional" ? "absent" : "missing";
}

async function review(api: Api, right: Right): Promise<Answer<boolean>> {
  const [resource, subresource] = right.resource.split("/");
  const answer = await api.ask("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", {
    body: {
      apiVersion: "authorization.k8s.io/v1",
      kind: "SelfSubjectAccessReview",
      spec: {
        resourceAttributes: {
          verb: right.verb,
          group: right.group,
          resource,
          ...(subresource === undefined ? {} : { subresource }),
          ...(right.namespace === "" ? {} : { namespace: right.namespace }),
          ...(right.name === null ? {} : { name: right.name }),
        },
      },
    },
  });
  if (!answer.ok) return answer;
  const status = answer.value["status"] as { readonly allowed?: unknown } | undefined;
  if (typeof status?.allowed !== "boolean") return { ok: false, status: 200, detail: "no answer to the review" };
  return { ok: true, value: status.allowed };
}

/** The token and the authority of the ServiceAccount's secret. */
export interface HostToken {
  readonly token: string;
  /** PEM, in base64 as a kubeconfig has it. */
  readonly ca: string;
}

export const SECRET = "hairpin-host-token";

/** Reads the secret with an administrator's access. `ok` with null: it is there, and Kubernetes has not filled it in yet. */
export async function readHostToken(api: Api, namespace: string): Promise<Answer<HostToken | null>> {
  const answer = await api.ask("GET", `/api/v1/namespaces/${encodeURIComponent(namespace)}/secrets/${SECRET}`);
  if (!answer.ok) return answer;
  const data = (answer.value["data"] ?? {}) as Readonly<Record<string, unknown>>;
  const [token, ca] = [data["token"], data["ca.crt"]];
  if (typeof token !== "string" || typeof ca !== "string" || token === "" || ca === "")
    return { ok: true, value: null };
  return { ok: true, value: { token: Buffer.from(token, "base64").toString("utf8"), ca } };
}
