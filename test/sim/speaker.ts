import type { Agenda } from "./agenda.ts";
import type { Chance } from "./chance.ts";
import type { Kernel } from "./kernel.ts";
import { BRIDGE, LINK, linkOf, speakerRuns } from "./truth.ts";

/** MetalLB's speaker looks at the links every 10 s (measured, facts/l2). */
const SCAN = 10_000;

/** The speaker's pod, its kubelet and its daemon set, as far as the addresses feel them. */
export interface Speaker {
  /** Deletes the pod; a successor follows unless no kubelet is there to start one. */
  deletePod(): void;
  /** Starts a pod where there is none. */
  ensurePod(): void;
  /** The annotation of a Service: announce again. */
  tellAgain(): void;
}

export function createSpeaker(kernel: Kernel, agenda: Agenda, chance: Chance): Speaker {
  const { truth } = kernel;
  let scanning = false;

  const scan = () => {
    scanning = false;
    if (!speakerRuns(truth)) return;
    for (const index of [...truth.sockets.keys()])
      if (!truth.links.some((link) => link.ifindex === index)) truth.sockets.delete(index);
    const link = linkOf(truth, LINK);
    if (link?.up && !truth.gaveUp && !truth.sockets.has(link.ifindex)) truth.sockets.set(link.ifindex, link.mac);
  };
  const wantScan = (within: number) => {
    if (scanning) return;
    scanning = true;
    agenda.in(within, scan);
  };
  kernel.atChange(() => wantScan(chance.between(50, SCAN)));

  const begin = () => {
    const uid = `uid-${++truth.pods}`;
    const pod = {
      name: `speaker-${truth.pods}`,
      uid,
      startedAt: null as number | null,
      ready: false,
      terminating: false,
    };
    truth.pod = pod;
    agenda.in(chance.between(800, 4_000) + truth.podSlow, () => {
      // A speaker that starts without the API exits and is started again (facts/l2, F15).
      if (truth.pod !== pod) return;
      if (truth.apiDown) {
        truth.pod = null;
        agenda.in(5_000, () => speaker.ensurePod());
        return;
      }
      pod.startedAt = agenda.now();
      truth.sockets.clear();
      truth.deaf = truth.broken;
      truth.gaveUp = linkOf(truth, LINK) === null && linkOf(truth, BRIDGE) !== null;
      if (truth.gaveUp) truth.gaveUpAt = agenda.now() + 1_000;
      scan();
      agenda.in(chance.between(500, 3_000), () => {
        pod.ready = !pod.terminating;
      });
    });
  };

  const speaker: Speaker = {
    deletePod() {
      const { pod } = truth;
      if (pod === null || pod.terminating) return;
      pod.terminating = true;
      pod.ready = false;
      truth.sockets.clear();
      agenda.in(chance.between(300, 2_000), () => {
        if (truth.pod === pod) truth.pod = null;
        speaker.ensurePod();
      });
    },
    ensurePod() {
      if (truth.pod === null && !truth.kubeletDown && !truth.off) begin();
    },
    tellAgain() {
      if (!speakerRuns(truth)) return;
      truth.gaveUp = linkOf(truth, LINK) === null;
      scan();
    },
  };
  return speaker;
}
