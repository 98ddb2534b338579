import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { KeyPair } from "../certificates.ts";
import { type Cluster, type KubeObject, kindOf, stamp } from "./cluster.ts";

/** What the API does beyond reading: the two writes that hairpin's rights allow. */
export interface KubeHooks {
  readonly onServicePatched: (service: KubeObject) => void;
  readonly onPodDeleted: (pod: KubeObject) => void;
}

export interface KubeApi {
  readonly setUp: (up: boolean) => Promise<void>;
}

interface Asked {
  readonly resource: string;
  readonly namespace: string | null;
  readonly name: string | null;
}

const BODY_MAX = 65_536;

function parsePath(path: string): Asked | null {
  const match =
    /^\/(?:api\/v1|apis\/[a-z0-9.]+\/v[a-z0-9]+)(?:\/namespaces\/([^/]+))?\/([a-z0-9]+)(?:\/([^/]+))?$/.exec(path);
  if (match === null || kindOf(match[2]!) === null) return null;
  return {
    namespace: match[1] === undefined ? null : decodeURIComponent(match[1]),
    resource: match[2]!,
    name: match[3] === undefined ? null : decodeURIComponent(match[3]),
  };
}

/** One requirement of a label or field selector: =, ==, !=, in, exists. */
function satisfies(requirement: string, lookUp: (key: string) => string | undefined): boolean {
  const among = /^(\S+)\s+(in|notin)\s+\(([^)]*)\)$/.exec(requirement);
  if (among !== null) {
    const listed = among[3]!
      .split(",")
      .map((each) => each.trim())
      .includes(lookUp(among[1]!) ?? "\0");
    return among[2] === "in" ? listed : !listed;
  }
  const match = /^([^=!]+?)\s*(==?|!=)\s*(.*)$/.exec(requirement);
  if (match === null)
    return requirement.startsWith("!") ? lookUp(requirement.slice(1)) === undefined : lookUp(requirement) !== undefined;
  return (lookUp(match[1]!) === match[3]) === (match[2] !== "!=");
}

function selects(selector: string | null, lookUp: (key: string) => string | undefined): boolean {
  if (selector === null || selector === "") return true;
  return selector.split(/,(?![^(]*\))/).every((requirement) => satisfies(requirement.trim(), lookUp));
}

function field(object: KubeObject, path: string): string | undefined {
  // biome-ignore lint/suspicious/noExplicitAny: a dotted path into an object of any kind.
  const value = path.split(".").reduce<any>((at, key) => at?.[key], object);
  return value === undefined ? undefined : String(value);
}

function status(code: number, reason: string, message: string): { code: number; body: unknown } {
  return {
    code,
    body: { kind: "Status", apiVersion: "v1", status: code < 400 ? "Success" : "Failure", reason, message, code },
  };
}

function preconditionOf(body: string): string | null {
  if (body === "") return null;
  const options = JSON.parse(body) as { preconditions?: { uid?: string } };
  return options.preconditions?.uid ?? null;
}

/** The rights of deploy/kubernetes with announce/, as a SelfSubjectAccessReview asks for them; a right on every Service is not among them. */
function isAllowed(body: string): boolean {
  const { spec } = JSON.parse(body) as { spec: { resourceAttributes: Readonly<Record<string, string>> } };
  const { verb = "", resource = "", subresource, namespace, name } = spec.resourceAttributes;
  if (subresource !== undefined || kindOf(resource) === null) return false;
  if (verb === "patch") return resource === "services" && name !== undefined;
  if (verb === "delete") return resource === "pods" && namespace !== undefined;
  return verb === "get" || verb === "list";
}

/** RFC 7386. */
// biome-ignore lint/suspicious/noExplicitAny: JSON of any shape.
function mergePatch(target: any, patch: any): any {
  if (patch === null || typeof patch !== "object" || Array.isArray(patch)) return patch;
  const merged = target !== null && typeof target === "object" && !Array.isArray(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key];
    else merged[key] = mergePatch(merged[key], value);
  }
  return merged;
}

/** The stand-in for the Kubernetes API server: the requests that hairpin makes, with its rights and no more. */
export function kubeApi(
  cluster: Cluster,
  options: { readonly port: number; readonly token: string; readonly pair: KeyPair; readonly hooks: KubeHooks },
): KubeApi {
  const { token, pair, hooks, port } = options;
  const respond = (method: string, url: URL, body: string): { code: number; body: unknown } => {
    if (["/readyz", "/livez", "/healthz"].includes(url.pathname)) return { code: 200, body: "ok" };
    if (url.pathname === "/version")
      return { code: 200, body: { major: "1", minor: "37", gitVersion: "v1.37.2-lab-stand-in" } };
    if (url.pathname.endsWith("/selfsubjectaccessreviews"))
      return { code: 201, body: { kind: "SelfSubjectAccessReview", status: { allowed: isAllowed(body) } } };
    const asked = parsePath(url.pathname);
    if (asked === null) return status(404, "NotFound", "the lab's stand-in knows no such resource");
    if (method === "GET" && asked.name === null) return { code: 200, body: listOf(cluster, asked, url) };
    const object = asked.name === null ? undefined : cluster.get(asked.resource, asked.namespace, asked.name);
    if (object === undefined) return status(404, "NotFound", `${asked.resource} "${asked.name}" not found`);
    if (method === "GET") return { code: 200, body: object };
    if (method === "DELETE" && asked.resource === "pods") {
      const wanted = preconditionOf(body);
      if (wanted !== null && wanted !== object.metadata.uid)
        return status(409, "Conflict", "the precondition's uid is another pod's");
      object.metadata.deletionTimestamp = stamp();
      hooks.onPodDeleted(object);
      return { code: 200, body: object };
    }
    if (method === "PATCH" && asked.resource === "services") {
      Object.assign(object, mergePatch(object, JSON.parse(body)));
      cluster.touch(object);
      hooks.onServicePatched(object);
      return { code: 200, body: object };
    }
    return status(403, "Forbidden", `the lab's rights do not allow to ${method} ${asked.resource}`);
  };
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    let body = "";
    for await (const chunk of request) if (body.length < BODY_MAX) body += chunk;
    const allowed = request.headers.authorization === `Bearer ${token}`;
    const said = allowed
      ? respond(request.method ?? "GET", new URL(request.url ?? "/", "https://lab"), body)
      : status(401, "Unauthorized", "Unauthorized");
    const text = typeof said.body === "string" ? said.body : JSON.stringify(said.body);
    response.writeHead(said.code, {
      "content-type": typeof said.body === "string" ? "text/plain" : "application/json",
      "content-length": Buffer.byteLength(text),
    });
    response.end(text);
  };
  let server: Server | null = null;
  const open = () =>
    new Promise<void>((resolve, reject) => {
      const made = createServer({ cert: pair.certificate, key: pair.key }, (request, response) => {
        answer(request, response).catch(() => response.destroy());
      });
      made.on("tlsClientError", () => {});
      made.once("error", reject);
      made.listen(port, "127.0.0.1", () => {
        server = made;
        resolve();
      });
    });
  return {
    setUp: async (up) => {
      if (up && server === null) return open();
      if (!up && server !== null) {
        const closing = server;
        server = null;
        closing.closeAllConnections();
        await new Promise<void>((resolve) => closing.close(() => resolve()));
      }
    },
  };
}

function listOf(cluster: Cluster, asked: Asked, url: URL): unknown {
  const [apiVersion, kind] = kindOf(asked.resource)!;
  const items = cluster
    .list(asked.resource, asked.namespace)
    .filter(
      (object) =>
        selects(url.searchParams.get("labelSelector"), (key) => object.metadata.labels[key]) &&
        selects(url.searchParams.get("fieldSelector"), (key) => field(object, key)),
    );
  return { kind: `${kind}List`, apiVersion, metadata: { resourceVersion: cluster.version() }, items };
}
