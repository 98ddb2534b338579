import { writeFileSync } from "node:fs";
import { encodeLine } from "../../src/host/journal.ts";
import { ip, LINK, type Life, makeLinkRight, removeLink, type World } from "./host-world.ts";

/** Something that makes the host act, and how the link stood before. */
export interface Scenario {
  readonly name: string;
  /** The id of the repair that is asked for; null where the guard acts by itself. */
  readonly id: string | null;
  readonly guard: boolean;
  readonly prepare: (world: World) => void;
  readonly trigger: (life: Life) => Promise<void>;
}

const ID = "asked-once";

export const bodyOf = (step: string): string => JSON.stringify({ id: ID, step, epoch: 1, ttl_ms: 60_000 });

const asked = (step: string, before: () => void = () => {}): Scenario => ({
  name: step,
  id: ID,
  // The guard would be faster than the request in the one case in which the link is missing.
  guard: step !== "ensure-link",
  prepare: makeLinkRight,
  trigger: async (life) => {
    before();
    await life.call("POST", "/v1/repairs", bodyOf(step));
  },
});

const guarded = (name: string, fault: () => void): Scenario => ({
  name: `guard: ${name}`,
  id: null,
  guard: true,
  prepare: makeLinkRight,
  trigger: async () => fault(),
});

export const SCENARIOS: readonly Scenario[] = [
  asked("recreate-link"),
  asked("ensure-link", removeLink),
  asked("announce"),
  asked("restart-speaker"),
  guarded("link deleted", removeLink),
  guarded("link with another MAC", () => ip("link", "set", LINK, "address", "02:00:00:00:00:66")),
  guarded("link down", () => ip("link", "set", LINK, "down")),
  {
    name: "start without the link",
    id: null,
    guard: true,
    prepare: removeLink,
    trigger: async () => {},
  },
  {
    name: "start after a crash between delete and create",
    id: null,
    guard: true,
    prepare: (world) => {
      removeLink();
      const at = new Date().toISOString();
      const left = {
        kind: "intent",
        at,
        ledger: 1,
        id: "left",
        step: "recreate-link",
        by: "hub",
        link: LINK,
        epoch: 1,
      };
      writeFileSync(world.journalFile, encodeLine(left as Parameters<typeof encodeLine>[0]), { mode: 0o600 });
    },
    trigger: async () => {},
  },
];
