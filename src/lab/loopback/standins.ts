import type { HousePlan } from "../house-plan.ts";
import { CONFIG_FILE, type LabSecrets } from "../lab-config.ts";
import type { LogLine } from "../processes.ts";
import { NO_SPACE } from "../shell.ts";
import { homeAssistantInit, podInit, type Standin, type Standins, startStandin } from "../standin-processes.ts";
import type { Said } from "../standins/channel.ts";
import type { HomeAssistantInit, HomeAssistantOrder } from "../standins/home-assistant.ts";
import type { PodInit, PodOrder } from "../standins/pods.ts";
import type { SimulatedHostInit, SimulatedHostOrder } from "./simulated-host.ts";

/** The one lab on loopback has one simulated host; its faults reach it here. */
export interface LoopbackStandins extends Standins {
  readonly host: Standin<SimulatedHostOrder>;
}

/** What the director hears of the simulated host, as if it were a process of hairpin's own. */
export const SIMULATED = "host (simulated)";

export async function startLoopbackStandins(
  plan: HousePlan,
  secrets: LabSecrets,
  onSaid: (who: string, said: Said) => void,
  hasAssistant: boolean,
): Promise<LoopbackStandins> {
  const assistant = hasAssistant ? homeAssistantInit(plan, secrets) : null;
  const inits = plan.pods.map((pod) => podInit(pod, secrets.authority));
  const pods = await startStandin<readonly PodInit[], PodOrder>(NO_SPACE, "pods", inits, (said) =>
    onSaid("pods", said),
  );
  const homeAssistant =
    assistant === null
      ? null
      : await startStandin<HomeAssistantInit, HomeAssistantOrder>(NO_SPACE, "home-assistant", assistant, (said) =>
          onSaid("home-assistant", said),
        );
  const targets = plan.pods.map((pod) => pod.target.name);
  let isAnnounced = true;
  const host = await startStandin<SimulatedHostInit, SimulatedHostOrder>(
    NO_SPACE,
    "loopback/simulated-host",
    { config: CONFIG_FILE },
    (said) => {
      if (said.what !== "announced") return onSaid(SIMULATED, said);
      if (said["yes"] === isAnnounced) return;
      isAnnounced = said["yes"] === true;
      void pods.order({ targets, fault: isAnnounced ? null : "unreachable" });
    },
  );
  const absent = host as unknown as Standins["kubernetes"]; // There is no Kubernetes here: the simulated host plays its answers.
  return { pods, homeAssistant, world: absent as unknown as Standins["world"], kubernetes: absent, host };
}

/** A log line of the simulated host. */
export function lineOf(said: Said): LogLine | null {
  return said.what === "line" ? (said["line"] as LogLine) : null;
}
