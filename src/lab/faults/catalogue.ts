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
