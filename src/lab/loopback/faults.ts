import type { Bench } from "../bench.ts";
import { findFault } from "../faults/catalogue.ts";
import type { Fault } from "../faults/fault.ts";
import type { SimulatedHostOrder } from "./simulated-host.ts";
import type { LoopbackStandins } from "./standins.ts";

const tell = (act: SimulatedHostOrder["act"]) => (bench: Bench) =>
  (bench.house.standins as LoopbackStandins).host.order({ act });

/** The faults that sockets alone can play; the ones of the link and the speaker are simulated, and say so. */
export const LOOPBACK_FAULTS: readonly Fault[] = [
  {
    name: "link-deleted",
    title: ({ link }) => `ip link del ${link.name} (simulated)`,
    cause: "link_missing",
    ending: "guard",
    inject: tell("delete-link"),
    restore: tell("restore"),
  },
  {
    name: "speaker-killed",
    title: () => "the MetalLB speaker is killed (simulated): the addresses fall silent",
    cause: "not_announced",
    ending: "heal",
    hostSees: true,
    inject: tell("kill-speaker"),
    restore: tell("restore"),
  },
  ...[
    "pod-dead",
    "dns-servfail",
    "http-503",
    "dns-wrong-answer",
    "oidc-wrong-issuer",
    "certificate-expired",
    "certificate-wrong-name",
  ].flatMap((name) => findFault(name) ?? []),
];

export const LOOPBACK_TOUR: readonly string[] = ["link-deleted", "speaker-killed", "pod-dead"];
