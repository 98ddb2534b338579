import { createHost, type Host } from "../../src/host/host.ts";
import type { HostPorts } from "../../src/host/port.ts";
import { hashOf } from "./chance.ts";
import { clusterPort } from "./cluster.ts";
import { linksPort, processPort } from "./kernel-ports.ts";
import { Life } from "./life.ts";
import type { Site } from "./site.ts";
import { announces, isHealthy } from "./truth.ts";

/** Host timers come first within a beat, so that vantages and hub meet fresh facts. */
const PHASE = 500;

/** The host process under its supervisor. */
export interface HostProcess {
  start(): void;
  kill(): void;
  /** The process that answers now; null while it is down or not yet ready. */
  current(): { readonly host: Host; readonly life: Life } | null;
  life(): Life | null;
  /** Not restarted while true. */
  heldDown: boolean;
  pauseText: string | null;
}

export function createHostProcess(site: Site): HostProcess {
  const { agenda, witness, kernel } = site;
  const luck = site.chance.fork("host");
  let current: { host: Host; life: Life; ready: boolean } | null = null;
  let starts = 0;
  let unlisten = () => {};

  const died = (life: Life) => {
    witness.tell({ kind: "host_died", power: site.isNodeDown() });
    unlisten();
    if (current?.life === life) current = null;
    witness.note("host died");
    agenda.in(luck.between(500, 4_000), () => process.start());
  };

  const process: HostProcess = {
    heldDown: false,
    pauseText: null,
    current: () => (current?.ready ? current : null),
    life: () => current?.life ?? null,
    start() {
      if (current !== null || process.heldDown || site.isNodeDown()) return;
      starts++;
      const life = new Life("host", site.machines.node, agenda, PHASE, died);
      const bootId = `b${hashOf(`${site.seed} host ${starts}`).toString(16).padStart(8, "0")}`;
      const services = site.setup.speaker?.services ?? [];
      const announced = (_address: string) => {
        if (announces(kernel.truth)) for (const vantage of site.vantages) vantage.announced(kernel.truth);
      };
      const ports: HostPorts = site.mutant.host(
        {
          bootId,
          clock: { mono: life.mono, wall: life.wall, after: life.after },
          disk: site.journal.port(life),
          processes: processPort(
            kernel,
            life,
            site.tools,
            luck.flip,
            announced,
            (millis, run) => void agenda.in(millis, () => !site.isNodeDown() && run()),
            witness,
          ),
          links: linksPort(kernel, life, witness),
          kubernetes:
            site.setup.speaker === null ? null : clusterPort(kernel.truth, site.speaker, life, services, witness),
          pause: { read: () => (process.pauseText === null ? null : { text: process.pauseText, ageMillis: 0 }) },
          log: (level, fields, message) => {
            if (life.alive && level !== "info") witness.note(`host: ${message} ${fields["detail"] ?? ""}`);
            if (life.alive && fields["event"] === "guard") {
              witness.count("guard repairs");
              site.heat(5_000);
            }
          },
        },
        site,
      );
      const host = createHost(site.setup, ports);
      const mine = { host, life, ready: false };
      current = mine;
      unlisten = kernel.listen((events) => {
        if (!life.touch()) return;
        site.heat(3_000);
        host.hear(events.map((event) => ({ ...event, atMono: life.mono() })));
      });
      witness.note(`host starts (${bootId})`);
      site.heat(15_000);
      void host.start().then(() => {
        if (!life.alive) return;
        mine.ready = true;
        witness.tell({ kind: "host_started" });
        witness.note(`host is ready, the addresses ${isHealthy(kernel.truth) ? "work" : "do not work"}`);
      });
    },
    kill: () => current?.life.kill(),
  };
  return process;
}
