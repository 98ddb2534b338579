import { ANNOUNCER_FAULTS } from "./announcer.ts";
import type { Fault } from "./fault.ts";
import { BOOT_ORDER, LINK_FAULTS } from "./link.ts";
import { PROCESS_FAULTS } from "./process.ts";
import { SERVICE_FAULTS } from "./service.ts";

export const FAULTS: readonly Fault[] = [
  ...LINK_FAULTS,
  BOOT_ORDER,
  ...ANNOUNCER_FAULTS,
  ...SERVICE_FAULTS,
  ...PROCESS_FAULTS,
];

/** What `hairpin lab` shows without --fault: a repair at once, a repair by inference, and one that is a person's. */
export const TOUR: readonly string[] = ["link-deleted", "speaker-before-link", "announced-on-bridge"];

export function findFault(name: string): Fault | undefined {
  return FAULTS.find((fault) => fault.name === name);
}

/** No fault at all, for so long: a healthy house is one of which nothing is told (I22). */
export function calm(lastsMs: number): Fault {
  return {
    name: "healthy",
    title: () => "nothing is broken",
    cause: null,
    ending: "quiet",
    inject: async () => {},
    lastsMs,
    limitMs: lastsMs + 60_000,
  };
}
