import type { Answer, Kubernetes } from "../../src/host/port.ts";
import type { Life } from "./life.ts";
import { WALL_START } from "./life.ts";
import type { Speaker } from "./speaker.ts";
import { announces, LINK, NODE, type Truth } from "./truth.ts";
import type { Witness } from "./witness.ts";

const DEADLINE = 2_500;

/**
 * The Kubernetes API as the host's port shows it. The cluster's own time stamps follow a clock that does not leap: comparing two of
 * them is MetalLB's and Kubernetes' affair, not hairpin's.
 */
export function clusterPort(truth: Truth, speaker: Speaker, life: Life, services: readonly string[], witness: Witness) {
  const stamp = (at: number) => WALL_START + Math.floor(at / 1_000) * 1_000;
  const ask = async <T>(value: () => T): Promise<Answer<T>> => {
    if (!life.touch()) return new Promise(() => {});
    if (truth.apiDown) return { ok: false, status: null, detail: "connection refused" };
    if (truth.apiSlow > 0) {
      await life.exactly(Math.min(DEADLINE, truth.apiSlow));
      if (truth.apiSlow >= DEADLINE) return { ok: false, status: null, detail: "no answer in 2.5 s" };
    }
    return { ok: true, value: value() };
  };
  const kubernetes: Kubernetes = {
    pods: () =>
      ask(() =>
        truth.pod === null
          ? []
          : [
              {
                name: truth.pod.name,
                uid: truth.pod.uid,
                node: NODE,
                ready: truth.pod.ready,
                restarts: 0,
                startedAt: truth.pod.startedAt === null ? null : stamp(truth.pod.startedAt),
                terminating: truth.pod.terminating,
              },
            ],
      ),
    deletePod: async (name, uid) => {
      if (!life.touch()) return new Promise(() => {});
      witness.tell({ kind: "command", tool: "kubernetes", args: ["delete", name], right: true });
      await life.exactly(5);
      if (truth.apiDown) return { ok: false, status: null, detail: "connection refused" };
      if (truth.pod?.uid !== uid) return { ok: false, status: 404, detail: "not found" };
      speaker.deletePod();
      return life.answer({ ok: true, value: null });
    },
    l2Statuses: () =>
      ask(() =>
        announces(truth)
          ? services.map((service) => ({
              node: NODE,
              service,
              interfaces: [LINK],
              createdAt: stamp(truth.pod!.startedAt!),
            }))
          : [],
      ),
    advertisements: () =>
      ask(() =>
        truth.advertised
          ? [{ name: "l2", pools: [], poolSelectors: [], nodeSelectors: [], serviceSelectors: [], interfaces: [LINK] }]
          : [],
      ),
    pools: () => ask(() => [{ name: "pool", labels: {}, addresses: ["192.0.2.0/24"] }]),
    nodeLabels: () => ask(() => ({ "kubernetes.io/hostname": NODE })),
    service: () => ask(() => ({ exists: true, labels: {} })),
    readyEndpoints: () => ask(() => truth.endpoints),
    announceFailed: (service) =>
      ask(() => (truth.gaveUp && truth.gaveUpAt !== null ? [{ service, host: NODE, at: stamp(truth.gaveUpAt) }] : [])),
    annotate: async () => {
      if (!life.touch()) return new Promise(() => {});
      witness.tell({ kind: "command", tool: "kubernetes", args: ["annotate"], right: true });
      await life.exactly(5);
      if (truth.apiDown) return { ok: false, status: null, detail: "connection refused" };
      speaker.tellAgain();
      return life.answer({ ok: true, value: null });
    },
  };
  return kubernetes;
}
