import type { ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Target } from "../core/config/house.ts";
import { startBrokers } from "./broker.ts";
import type { Authority } from "./certificates.ts";
import type { HousePlan, Pod } from "./house-plan.ts";
import { WORLD } from "./house-plan.ts";
import { KUBE_PORT, type LabSecrets, MODULES } from "./lab-config.ts";
import { isIpv4, toAddress, toNumber } from "./network.ts";
import { isIpv6 } from "./network6.ts";
import { certificateNames } from "./services.ts";
import { spawnIn } from "./shell.ts";
import type { Said } from "./standins/channel.ts";
import type { ClusterInit } from "./standins/cluster.ts";
import type { KnownRecord } from "./standins/dns-server.ts";
import type { HomeAssistantInit, HomeAssistantOrder } from "./standins/home-assistant.ts";
import type { KubernetesInit, KubernetesOrder } from "./standins/kubernetes.ts";
import type { PodInit, PodOrder } from "./standins/pods.ts";
import type { Receiving } from "./standins/recorder.ts";
import type { WorldInit } from "./standins/world.ts";

/** A stand-in process as the director holds it. */
export interface Standin<Order> {
  readonly name: string;
  readonly child: ChildProcess;
  /** Resolves when the stand-in has done it. */
  readonly order: (order: Order) => Promise<void>;
}

const READY_MS = 20_000;

/** Starts a stand-in in a namespace and waits until it serves. */
export function startStandin<Init, Order>(
  ns: string,
  name: string,
  init: Init,
  onSaid: (said: Said) => void,
): Promise<Standin<Order>> {
  const script = fileURLToPath(new URL(`./${name.includes("/") ? name : `standins/${name}`}.ts`, import.meta.url));
  const child = spawnIn(ns, [process.execPath, script], {
    ipc: true,
    stderr: "pipe",
    env: { NODE_COMPILE_CACHE: MODULES },
  });
  const waiting = new Map<number, () => void>();
  let orders = 0;
  let errors = "";
  child.stderr?.on("data", (chunk) => {
    errors = (errors + chunk).slice(-4_096);
  });
  child.stdout?.resume();
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`the stand-in ${name} was not ready in ${READY_MS / 1_000} s: ${errors}`)),
      READY_MS,
    );
    child.on("exit", (code, signal) => reject(new Error(`the stand-in ${name} ended (${signal ?? code}): ${errors}`)));
    child.on("message", (said: Said) => {
      if (said.what === "ready") {
        clearTimeout(timer);
        resolve({
          name,
          child,
          order: (order) =>
            new Promise((done) => {
              orders += 1;
              waiting.set(orders, done);
              if (child.connected) child.send({ id: orders, order } as never);
              else done();
            }),
        });
      } else if (said.what === "done") {
        const id = Number(said["id"]);
        waiting.get(id)?.();
        waiting.delete(id);
      } else onSaid(said);
    });
    child.send({ init } as never);
  });
}

/** Every record that the configuration asks for, as the servers of the lab know it. */
export function recordsOf(targets: readonly Target[]): readonly KnownRecord[] {
  return targets.flatMap((target) =>
    target.checks.flatMap((check) =>
      check.kind === "dns"
        ? [{ name: check.name, type: check.type, values: check.expect ?? [], upstream: check.upstream }]
        : [],
    ),
  );
}

export function podInit(pod: Pod, authority: Authority): PodInit {
  const names = certificateNames(pod.target);
  const certificates = {
    good: authority.issue(names.length > 0 ? names : ["lab.invalid"]),
    expired: authority.issue(names.length > 0 ? names : ["lab.invalid"], { from: -91, to: -1 }),
    wrongName: authority.issue(["TRAEFIK-DEFAULT.lab.invalid"]),
  };
  const pages = pod.target.checks.flatMap((check) =>
    check.kind === "https"
      ? [{ host: check.host, path: check.path.split("?")[0]!, status: check.status[0] ?? 200 }]
      : [],
  );
  const issuers = pod.target.checks.flatMap((check) => (check.kind === "oidc" ? [check.issuer] : []));
  return {
    target: pod.target.name,
    ips: pod.ip6 === null ? [pod.ip] : [pod.ip, pod.ip6],
    ports: pod.ports,
    records: recordsOf([pod.target]),
    site: { pages, issuers, certificates },
  };
}

/** The receivers of one namespace, grouped by the address and port on which they listen. */
function receivingAt(
  plan: HousePlan,
  authority: Authority,
  accepts: (address: string) => boolean,
): readonly Receiving[] {
  const groups = new Map<
    string,
    { address: string; port: number; tls: boolean; names: Record<string, { kind: string; name: string }> }
  >();
  for (const receiver of plan.receivers) {
    // A broker and an edge are the real programs or nothing: an answer that only looks like theirs would prove nothing.
    if (receiver.kind === "mqtt" || receiver.kind === "edge") continue;
    const address = isIpv4(receiver.host)
      ? receiver.host
      : receiver.kind === "home_assistant"
        ? (plan.homeAssistant?.address ?? WORLD)
        : WORLD;
    if (!accepts(address)) continue;
    const key = `${address}:${receiver.port}`;
    const group = groups.get(key) ?? { address, port: receiver.port, tls: receiver.tls, names: {} };
    group.names[receiver.host] = { kind: receiver.kind, name: receiver.name };
    groups.set(key, group);
  }
  return [...groups.values()].map(({ tls, ...rest }) => ({
    ...rest,
    tls: tls ? authority.issue(Object.keys(rest.names)) : null,
  }));
}

export function worldInit(plan: HousePlan, authority: Authority): WorldInit {
  const served = new Set([...plan.lanAddresses, ...plan.worldAddresses]);
  const outgoing = plan.receivers.filter((receiver) => !isIpv4(receiver.host));
  const records = outgoing.map(
    (receiver): KnownRecord => ({
      name: receiver.host,
      type: "A",
      values: [receiver.kind === "home_assistant" ? (plan.homeAssistant?.address ?? WORLD) : WORLD],
      upstream: false,
    }),
  );
  return {
    resolvers: plan.resolvers.filter(({ address }) => served.has(address)),
    records: [...records, ...recordsOf(plan.house.targets).filter((record) => record.upstream)],
    receiving: receivingAt(plan, authority, (address) => served.has(address)),
  };
}

/** Null when the configuration tells no Home Assistant. */
export function homeAssistantInit(plan: HousePlan, secrets: LabSecrets): HomeAssistantInit | null {
  const machine = plan.homeAssistant;
  const receiver = plan.receivers.find((each) => each.kind === "home_assistant");
  if (machine === null || receiver === undefined) return null;
  const token = plan.house.hub.tokens.find((each) => each.scopes.includes("ack"));
  const key =
    token === undefined ? undefined : [...secrets.keys].find(([path]) => path.endsWith(`/token-${token.name}`))?.[1];
  const hub = plan.house.hub.url ?? `http://${plan.hub.address}:${plan.hub.port}`;
  return {
    receiving: {
      address: machine.address,
      port: receiver.port,
      tls: receiver.tls ? secrets.authority.issue([receiver.host]) : null,
      names: { "*": { kind: "home_assistant", name: "Home Assistant" } },
    },
    acknowledge: key === undefined ? null : { hub, token: key },
  };
}

function clusterInit(plan: HousePlan): ClusterInit {
  const speaker = Object.values(plan.house.speakers)[0];
  const groups = plan.house.groups.filter((group) => group.targets.length > 0);
  const name = (group: string) => (groups.length === 1 ? "homelab" : group.replace(/[^a-z0-9-]/gi, "-").toLowerCase());
  const addressesOf = (group: string) =>
    plan.pods.filter((pod) => pod.target.group === group).flatMap((pod) => pod.addresses);
  return {
    node: plan.node.name,
    nodeAddress: plan.node.address,
    speaker: {
      namespace: speaker?.namespace ?? "metallb-system",
      selector: speaker?.selector ?? "app.kubernetes.io/component=speaker",
    },
    services: plan.pods.map((pod) => ({
      key: pod.service,
      addresses: pod.addresses,
      podIp: pod.ip,
      ports: pod.ports,
      pool: `${name(pod.target.group)}-pool`,
    })),
    pools: groups.map((group) => {
      const all = addressesOf(group.name);
      const four = all.filter(isIpv4).map(toNumber);
      const range = [
        ...(four.length === 0 ? [] : [`${toAddress(Math.min(...four))}-${toAddress(Math.max(...four))}`]),
        ...all.filter(isIpv6).map((address) => `${address}/128`),
      ];
      return {
        name: `${name(group.name)}-pool`,
        addresses: range,
        interfaces: [group.link?.name ?? plan.node.bridge],
        advertisement: `${name(group.name)}-l2`,
      };
    }),
  };
}

export function kubernetesInit(plan: HousePlan, secrets: LabSecrets, startSpeaker: boolean): KubernetesInit {
  return {
    cluster: clusterInit(plan),
    api: { port: KUBE_PORT, token: secrets.kubeToken, pair: secrets.authority.issue(["127.0.0.1", "localhost"]) },
    rescanMs: 10_000,
    startSpeaker,
  };
}

/** All stand-ins of the house. */
export interface Standins {
  readonly pods: Standin<PodOrder>;
  readonly world: Standin<never>;
  readonly homeAssistant: Standin<HomeAssistantOrder> | null;
  kubernetes: Standin<KubernetesOrder>;
}

export async function startStandins(
  plan: HousePlan,
  secrets: LabSecrets,
  onSaid: (who: string, said: Said) => void,
  hasAssistant: boolean,
): Promise<Standins> {
  const { authority } = secrets;
  const assistant = hasAssistant ? homeAssistantInit(plan, secrets) : null;
  const [pods, world, homeAssistant, kubernetes] = await Promise.all([
    startStandin<readonly PodInit[], PodOrder>(
      plan.ns.pods,
      "pods",
      plan.pods.map((pod) => podInit(pod, authority)),
      (said) => onSaid("pods", said),
    ),
    startStandin<WorldInit, never>(plan.ns.switch, "world", worldInit(plan, authority), (said) =>
      onSaid("world", said),
    ),
    assistant === null
      ? null
      : startStandin<HomeAssistantInit, HomeAssistantOrder>(
          plan.homeAssistant!.ns,
          "home-assistant",
          assistant,
          (said) => onSaid("home-assistant", said),
        ),
    startKubernetes(plan, secrets, true, onSaid),
    startBrokers(plan, secrets, onSaid),
  ]);
  return { pods, world, homeAssistant, kubernetes };
}

export function startKubernetes(
  plan: HousePlan,
  secrets: LabSecrets,
  startSpeaker: boolean,
  onSaid: (who: string, said: Said) => void,
): Promise<Standin<KubernetesOrder>> {
  return startStandin<KubernetesInit, KubernetesOrder>(
    plan.node.ns,
    "kubernetes",
    kubernetesInit(plan, secrets, startSpeaker),
    (said) => onSaid("kubernetes", said),
  );
}
