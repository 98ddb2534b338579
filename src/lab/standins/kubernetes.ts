import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { KeyPair } from "../certificates.ts";
import { say, serve } from "./channel.ts";
import { Cluster, type ClusterInit, type KubeObject, labelsOf, populate, putAdvertisement, stamp } from "./cluster.ts";
import { kubeApi } from "./kube-api.ts";

export interface KubernetesInit {
  readonly cluster: ClusterInit;
  readonly api: { readonly port: number; readonly token: string; readonly pair: KeyPair };
  readonly rescanMs: number;
  /** False: the speaker waits for `speaker: "start"`. */
  readonly startSpeaker: boolean;
}

export type KubernetesOrder =
  | { readonly kind: "api"; readonly up: boolean }
  /** kill and stop are signals that no kubelet answers; remove and start are a machine that goes down and comes up. */
  | { readonly kind: "speaker"; readonly act: "kill" | "stop" | "remove" | "start" | "ensure" }
  | {
      readonly kind: "advertisement";
      readonly interfaces?: readonly string[] | null;
      readonly node?: string;
      readonly deleted?: boolean;
    }
  | { readonly kind: "endpoints"; readonly services: readonly string[]; readonly ready: boolean };

/** What a speaker is told of the cluster: the stand-in for its watches. */
export interface SpeakerView {
  readonly node: string;
  readonly nodeLabels: Readonly<Record<string, string>>;
  readonly services: readonly KubeObject[];
  readonly slices: readonly KubeObject[];
  readonly advertisements: readonly KubeObject[];
}

/** What a speaker writes to the API: its status, and events. */
export type SpeakerReport =
  | { readonly kind: "status"; readonly service: string; readonly interfaces: readonly string[] | null }
  | {
      readonly kind: "event";
      readonly service: string;
      readonly reason: string;
      readonly type: "Normal" | "Warning";
      readonly message: string;
    }
  | { readonly kind: "ready" }
  | { readonly kind: "log"; readonly text: string };

const SPEAKER = fileURLToPath(new URL("./speaker.ts", import.meta.url));
/** MetalLB's terminationGracePeriodSeconds. */
const GRACE_MS = 2_000;

/** The stand-in for a single-node Kubernetes: API, DaemonSet, and as much of a kubelet as starts the speaker's next pod. */
class Kubernetes {
  readonly cluster = new Cluster();
  readonly #init: KubernetesInit;
  readonly #api;
  #apiUp = true;
  #speaker: { child: ChildProcess; pod: KubeObject; deleting: boolean } | null = null;
  #pods = 0;

  constructor(init: KubernetesInit) {
    this.#init = init;
    populate(this.cluster, init.cluster);
    const hooks = {
      onServicePatched: (service: KubeObject) => this.#push([keyOf(service)]),
      onPodDeleted: (pod: KubeObject) => void this.#replace(pod),
    };
    this.#api = kubeApi(this.cluster, { ...init.api, hooks });
  }

  async start(): Promise<void> {
    await this.#api.setUp(true);
    if (this.#init.startSpeaker) await this.#startSpeaker();
  }

  async obey(order: KubernetesOrder): Promise<void> {
    switch (order.kind) {
      case "api":
        this.#apiUp = order.up;
        return this.#api.setUp(order.up);
      case "endpoints":
        for (const service of order.services) this.#setReady(service, order.ready);
        return this.#push(order.services);
      case "advertisement": {
        const { cluster, speaker } = { cluster: this.cluster, speaker: this.#init.cluster.speaker };
        for (const pool of this.#init.cluster.pools) {
          if (order.deleted === true) cluster.remove("l2advertisements", speaker.namespace, pool.advertisement);
          else putAdvertisement(cluster, this.#init.cluster, pool, order);
        }
        return this.#push(cluster.list("services", null).map(keyOf));
      }
      case "speaker":
        return this.#speakerOrder(order.act);
    }
  }

  async #speakerOrder(act: "kill" | "stop" | "remove" | "start" | "ensure"): Promise<void> {
    const running = this.#speaker;
    if (act === "kill") return this.#end("SIGKILL");
    if (act === "stop") return void running?.child.kill("SIGSTOP");
    if (act === "remove") {
      await this.#end("SIGKILL");
      if (running !== null) this.cluster.remove("pods", null, running.pod.metadata.name);
      return;
    }
    if (act === "start") return this.#startSpeaker();
    // ensure: a running one goes on, whatever happened to it before; a dead one gets its successor.
    if (running !== null && running.child.exitCode === null && running.child.signalCode === null)
      return void running.child.kill("SIGCONT");
    if (running !== null) this.cluster.remove("pods", null, running.pod.metadata.name);
    await this.#startSpeaker();
  }

  #setReady(key: string, ready: boolean): void {
    const [namespace = "", name = ""] = key.split("/");
    for (const slice of this.cluster.list("endpointslices", namespace)) {
      if (slice.metadata.labels["kubernetes.io/service-name"] !== name) continue;
      for (const endpoint of slice["endpoints"] as { conditions: { ready: boolean; serving: boolean } }[])
        Object.assign(endpoint.conditions, { ready, serving: ready });
      this.cluster.touch(slice);
    }
  }

  #view(): SpeakerView {
    const { node } = this.#init.cluster;
    return {
      node,
      nodeLabels: this.cluster.get("nodes", null, node)?.metadata.labels ?? {},
      services: this.cluster.list("services", null),
      slices: this.cluster.list("endpointslices", null),
      advertisements: this.cluster.list("l2advertisements", this.#init.cluster.speaker.namespace),
    };
  }

  /** Tells the speaker that these Services are to be looked at again; a speaker without its API hears nothing. */
  #push(services: readonly string[]): void {
    const child = this.#speaker?.child;
    if (this.#apiUp && child?.connected) child.send({ view: this.#view(), changed: services });
  }

  #startSpeaker(): Promise<void> {
    const { speaker, node } = this.#init.cluster;
    const name = `speaker-${(++this.#pods).toString(36)}${Math.floor(process.uptime() * 1_000).toString(36)}`;
    const pod = this.cluster.put(
      "pods",
      {
        name,
        namespace: speaker.namespace,
        labels: { app: "metallb", component: "speaker", ...labelsOf(speaker.selector) },
      },
      {
        spec: { nodeName: node, terminationGracePeriodSeconds: 2 },
        status: {
          phase: "Running",
          startTime: stamp(),
          conditions: [{ type: "Ready", status: "False" }],
          containerStatuses: [{ name: "speaker", ready: false, restartCount: 0 }],
        },
      },
    );
    const child = spawn(process.execPath, [SPEAKER], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    const running = { child, pod, deleting: false };
    this.#speaker = running;
    say({ what: "speaker", state: "started", pid: child.pid ?? null, pod: name });
    return new Promise((resolve) => {
      child.on("message", (report: SpeakerReport) => {
        this.#report(report, pod);
        if (report.kind === "ready") resolve();
      });
      child.on("exit", (code, signal) => {
        this.#podReady(pod, false);
        say({ what: "speaker", state: "ended", pid: child.pid ?? null, pod: name, detail: signal ?? `exit ${code}` });
        resolve();
      });
      child.send({ view: this.#apiUp ? this.#view() : null, rescanMs: this.#init.rescanMs });
    });
  }

  #podReady(pod: KubeObject, ready: boolean): void {
    Object.assign(pod["status"].conditions[0], { status: ready ? "True" : "False", lastTransitionTime: stamp() });
    pod["status"].containerStatuses[0].ready = ready;
    this.cluster.touch(pod);
  }

  #report(report: SpeakerReport, pod: KubeObject): void {
    say({ what: "speaker-report", pod: pod.metadata.name, report });
    if (report.kind === "ready") this.#podReady(pod, true);
    if (report.kind === "ready" || !this.#apiUp || report.kind === "log") return;
    const [namespace = "", name = ""] = report.service.split("/");
    const { speaker, node } = this.#init.cluster;
    if (report.kind === "event") {
      const at = stamp();
      this.cluster.put(
        "events",
        { name: `${name}.${this.cluster.version()}`, namespace },
        {
          involvedObject: { kind: "Service", namespace, name },
          reason: report.reason,
          type: report.type,
          message: report.message,
          source: { component: "metallb-speaker", host: node },
          reportingComponent: "metallb-speaker",
          firstTimestamp: at,
          lastTimestamp: at,
          count: 1,
        },
      );
      return;
    }
    const existing = this.cluster
      .list("servicel2statuses", speaker.namespace)
      .find(
        (each) =>
          each.metadata.labels["metallb.io/service-name"] === name &&
          each.metadata.labels["metallb.io/service-namespace"] === namespace,
      );
    if (existing !== undefined) this.cluster.remove("servicel2statuses", speaker.namespace, existing.metadata.name);
    if (report.interfaces === null) return;
    const labels = {
      "metallb.io/node": node,
      "metallb.io/service-name": name,
      "metallb.io/service-namespace": namespace,
    };
    const status = {
      node,
      serviceName: name,
      serviceNamespace: namespace,
      interfaces: report.interfaces.map((each) => ({ name: each })),
    };
    this.cluster.put(
      "servicel2statuses",
      { name: `l2-${this.cluster.version()}`, namespace: speaker.namespace, labels },
      { spec: {}, status },
    );
  }

  /** The pod is deleted: SIGTERM, after its grace SIGKILL, then the DaemonSet's next one. */
  async #replace(pod: KubeObject): Promise<void> {
    const running = this.#speaker;
    if (running === null || running.pod.metadata.name !== pod.metadata.name || running.deleting)
      return this.cluster.remove("pods", null, pod.metadata.name);
    running.deleting = true;
    await this.#end("SIGTERM");
    this.cluster.remove("pods", null, pod.metadata.name);
    await this.#startSpeaker();
  }

  #end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    const child = this.#speaker?.child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(() => child.kill("SIGKILL"), GRACE_MS);
      child.once("exit", () => {
        clearTimeout(timer);
        resolve();
      });
      child.kill(signal);
    });
  }
}

function keyOf(object: KubeObject): string {
  return `${object.metadata.namespace}/${object.metadata.name}`;
}

serve<KubernetesInit, KubernetesOrder>(async (init) => {
  const kubernetes = new Kubernetes(init);
  await kubernetes.start();
  return (order) => kubernetes.obey(order);
});
