import { lookup } from "node:dns/promises";
import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import type { House } from "../../core/config/house.ts";
import type { SpeakerConfig } from "../../core/config/schema.ts";
import type { HostToken } from "./kube-rights.ts";
import type { KubeAccess } from "./kubeconfig.ts";
import type { Owner } from "./private-file.ts";

const RBAC = new URL("../../../deploy/kubernetes/rbac.yaml", import.meta.url);
/** The namespace that the shipped manifests carry. */
const SHIPPED = "metallb-system";
const ACCOUNT = "hairpin-host";
const LOOKUP_MS = 2_000;

/** The kubeconfig of the host process: one server, one token. */
export function hostKubeconfig(site: string, server: string, serverName: string | null, token: HostToken): string {
  const q = JSON.stringify; // A JSON string is a YAML one.
  return [
    "# Written by `hairpin kubeconfig`. Holds a token: readable by its owner alone.",
    "apiVersion: v1",
    "kind: Config",
    `clusters: [{ name: ${q(site)}, cluster: { server: ${q(server)}, certificate-authority-data: ${q(token.ca)}${serverName === null ? "" : `, tls-server-name: ${q(serverName)}`} } }]`,
    `users: [{ name: ${ACCOUNT}, user: { token: ${q(token.token)} } }]`,
    `contexts: [{ name: ${q(site)}, context: { cluster: ${q(site)}, user: ${ACCOUNT} } }]`,
    `current-context: ${q(site)}`,
    "",
  ].join("\n");
}

export const serverOf = (access: KubeAccess): string => `${access.origin}${access.prefix}`;

/** What is wrong with a server that the host is to depend on, and what is only doubtful. */
export interface ServerVerdict {
  readonly problem: string | null;
  readonly warning: string | null;
}

/**
 * The control path never depends on what it heals: the API server must not be reached over a guarded address, nor by a name that
 * leads to one, and better not by a name at all.
 */
export async function judgeServer(house: House, server: string): Promise<ServerVerdict> {
  const advice = "--server https://ADDRESS:6443 names another one, such as https://127.0.0.1:6443 on a controller";
  if (!/^https?:\/\/[^/]+/.test(server) || !URL.canParse(server))
    return { problem: `${server}: an https:// URL is wanted`, warning: null };
  const host = new URL(server).hostname.replace(/^\[|\]$/g, "").toLowerCase();
  const guarded = new Map(
    house.targets.flatMap((target) => target.addresses.map((address) => [address.toLowerCase(), target.name] as const)),
  );
  const own = guarded.get(host);
  if (own !== undefined)
    return {
      problem: `${server} is the guarded address of target ${own}: repairs would need what they repair; ${advice}`,
      warning: null,
    };
  if (isIP(host) !== 0 || host === "localhost") return { problem: null, warning: null };
  const led = (await addressesOf(host)).find((address) => guarded.has(address));
  if (led !== undefined)
    return {
      problem: `${host} leads to ${led}, the guarded address of target ${guarded.get(led)}; ${advice}`,
      warning: null,
    };
  return {
    problem: null,
    warning: `${host} is a name: it may stop resolving with the very DNS that is guarded; ${advice}`,
  };
}

/** None when the name does not resolve in time: then it is only a name. */
async function addressesOf(host: string): Promise<readonly string[]> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<readonly string[]>((end) => {
    timer = setTimeout(() => end([]), LOOKUP_MS);
  });
  const found = lookup(host, { all: true }).then(
    (all) => all.map(({ address }) => address.toLowerCase()),
    () => [],
  );
  const addresses = await Promise.race([found, late]);
  clearTimeout(timer);
  return addresses;
}

/** deploy/kubernetes/rbac.yaml with the configured namespace, and with the right of `announce` when that is asked for. */
export function manifest(speaker: SpeakerConfig, withAnnounce: boolean): string {
  const shipped = readFileSync(RBAC, "utf8").replaceAll(`namespace: ${SHIPPED}`, `namespace: ${speaker.namespace}`);
  return withAnnounce ? `${shipped.trimEnd()}\n${announceRoles(speaker)}` : shipped;
}

/** One Role for each namespace, on the named Services alone. */
function announceRoles(speaker: SpeakerConfig): string {
  const names = new Map<string, string[]>();
  for (const service of speaker.services) {
    const [namespace = "", name = ""] = service.split("/");
    names.set(namespace, [...(names.get(namespace) ?? []), name]);
  }
  const api = "apiVersion: rbac.authorization.k8s.io/v1";
  const roles = [...names].flatMap(([namespace, services]) => [
    "---",
    "# Kubernetes cannot grant an annotation alone: this right also allows changes of the spec of these Services.",
    `${api}\nkind: Role\nmetadata:\n  name: ${ACCOUNT}-announce\n  namespace: ${namespace}`,
    `rules:\n  - apiGroups: [""]\n    resources: [services]\n    resourceNames: [${services.join(", ")}]\n    verbs: [patch]`,
    "---",
    `${api}\nkind: RoleBinding\nmetadata:\n  name: ${ACCOUNT}-announce\n  namespace: ${namespace}`,
    `roleRef:\n  apiGroup: rbac.authorization.k8s.io\n  kind: Role\n  name: ${ACCOUNT}-announce`,
    `subjects:\n  - kind: ServiceAccount\n    name: ${ACCOUNT}\n    namespace: ${speaker.namespace}`,
  ]);
  return roles.length === 0 ? "" : `${roles.join("\n")}\n`;
}

/** The user that the host process runs as, where it is installed (deploy/host/systemd); null elsewhere, and for who is not root. */
export function hostUser(): Owner | null {
  if (process.getuid?.() !== 0) return null;
  try {
    const line = readFileSync("/etc/passwd", "utf8")
      .split("\n")
      .find((entry) => entry.startsWith(`${ACCOUNT}:`));
    const [, , uid, gid] = line?.split(":") ?? [];
    return uid === undefined || gid === undefined ? null : { uid: Number(uid), gid: Number(gid) };
  } catch {
    return null;
  }
}
