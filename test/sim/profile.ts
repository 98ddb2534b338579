import { type House, resolveHouse } from "../../src/core/config/house.ts";
import { configSchema } from "../../src/core/config/schema.ts";
import { DAY } from "../../src/core/units.ts";
import type { HostSetup } from "../../src/host/port.ts";
import type { Chance } from "./chance.ts";
import type { Fault, FaultKind } from "./fault.ts";
import { AT_WORK, REPEATED } from "./faults-at-work.ts";
import { HOUSE_FAULTS, PATH_FAULTS } from "./faults-house.ts";
import { PART_FAULTS } from "./faults-parts.ts";
import { ATTACKS, PEOPLE } from "./faults-people.ts";
import { BRIDGE, LINK, MAC, NODE } from "./truth.ts";

/** What a run is about. Each invariant has a focus in which it can be broken. */
export const FOCUSES = ["mixed", "crashes", "hostile", "relapse", "persistent", "parts", "leaps", "calm"] as const;
export type Focus = (typeof FOCUSES)[number];

export interface Profile {
  readonly focus: Focus;
  readonly gap: 10 | 60;
  readonly armed: boolean;
  readonly mode: "auto" | "observe";
  readonly guard: boolean;
  readonly services: boolean;
  readonly vantages: number;
  readonly addresses: number;
  readonly heartbeat: boolean;
}

const WEIGHTS: Readonly<Record<Focus, number>> = {
  mixed: 34,
  crashes: 16,
  hostile: 14,
  relapse: 8,
  persistent: 7,
  parts: 9,
  leaps: 6,
  calm: 2,
};

export function profileOf(luck: Chance): Profile {
  let at = luck.next() * Object.values(WEIGHTS).reduce((sum, weight) => sum + weight, 0);
  const focus = FOCUSES.find((name) => {
    at -= WEIGHTS[name];
    return at < 0;
  })!;
  const strict = focus === "persistent" || focus === "relapse";
  return {
    focus,
    gap: luck.flip(0.5) ? 10 : 60,
    armed: strict || luck.flip(0.93),
    mode: strict || luck.flip(0.93) ? "auto" : "observe",
    guard: luck.flip(0.8),
    services: luck.flip(0.6),
    vantages: luck.int(2, 3),
    addresses: luck.flip(0.3) ? 6 : 0,
    heartbeat: luck.flip(0.2),
  };
}

export function houseOf(profile: Profile): House {
  const names = ["lan", "vm", "den"].slice(0, profile.vantages);
  const parsed = configSchema.parse({
    site: "home",
    schedule: profile.gap === 10 ? "*/10 * * * * *" : "0 * * * * *",
    targets: {
      dns: {
        address: "192.0.2.53",
        service: "network/dns",
        checks: [
          { dns: { name: "a.example", expect: ["192.0.2.50"] } },
          { dns: { name: "example.org", upstream: true } },
        ],
      },
      web: { address: "192.0.2.50", service: "web/proxy", checks: [{ https: { host: "a.example" } }] },
    },
    link: {
      name: LINK,
      parent: BRIDGE,
      mac: MAC,
      addresses: Array.from({ length: profile.addresses }, (_, index) => `192.0.2.${200 + index}/32`),
    },
    speaker: {
      node: NODE,
      kubeconfig_file: "k",
      services: profile.services ? ["network/dns", "web/proxy"] : [],
    },
    host: { armed: profile.armed, guard: profile.guard },
    vantages: Object.fromEntries(names.map((name) => [name, { where: name === "vm" ? "vm" : "lan", key_file: name }])),
    heal: { mode: profile.mode },
  });
  const { house, problems } = resolveHouse(parsed, () => null);
  if (problems.length > 0) throw new Error(JSON.stringify(problems));
  return house;
}

export function setupOf(house: House): HostSetup {
  const group = house.groups[0]!;
  return {
    armed: group.host!.armed,
    guard: group.host!.guard,
    budgetHour: house.heal.budget.hour,
    budgetDay: house.heal.budget.day,
    speaker: group.speaker,
    links: [
      {
        link: group.link!,
        targets: house.targets.map(({ name, addresses, service }) => ({ name, addresses, service })),
      },
    ],
  };
}

const named = (kinds: readonly FaultKind[], ...names: readonly string[]) =>
  kinds.filter(({ kind }) => names.includes(kind));
const without = (kinds: readonly FaultKind[], ...names: readonly string[]) =>
  kinds.filter(({ kind }) => !names.includes(kind));

/** What may happen in a run, with how often in a day at most. */
function menuOf(focus: Focus): {
  readonly kinds: readonly (readonly FaultKind[])[];
  readonly perDay: readonly [number, number];
} {
  switch (focus) {
    case "mixed":
      return {
        kinds: [
          HOUSE_FAULTS,
          HOUSE_FAULTS,
          PATH_FAULTS,
          PART_FAULTS,
          named(PART_FAULTS, "receiver-in-trouble"),
          PEOPLE,
        ],
        perDay: [2, 7],
      };
    case "crashes":
      return {
        kinds: [
          HOUSE_FAULTS,
          AT_WORK,
          AT_WORK,
          named(PART_FAULTS, "host-mined", "hub-mined", "host-crash", "hub-crash", "power-cut", "commands-hang"),
          named(PEOPLE, "heal-asked", "heals-asked-without-end"),
        ],
        perDay: [4, 8],
      };
    case "hostile":
      return {
        kinds: [
          ATTACKS,
          ATTACKS,
          HOUSE_FAULTS,
          named(PEOPLE, "heal-comes-too-late", "heal-asked"),
          named(PART_FAULTS, "hub-host-impaired", "hub-crash"),
          [REPEATED],
        ],
        perDay: [2, 6],
      };
    case "parts":
      return {
        kinds: [without(PART_FAULTS, "power-cut")],
        perDay: [4, 10],
      };
    case "leaps":
      return {
        kinds: [
          HOUSE_FAULTS.filter(({ kind }) => kind !== "link-recreated-other-mac"),
          named(PART_FAULTS, "clock-leaps-everywhere"),
        ],
        perDay: [4, 8],
      };
    default:
      return { kinds: [], perDay: [0, 0] };
  }
}

/** The plan of a run: drawn beforehand, so that a fault can be left out and the rest stays as it was. */
export function planOf(profile: Profile, days: number, luck: Chance): readonly Fault[] {
  const draft: { at: number; length: number; kind: FaultKind }[] = [];
  const add = (at: number, kind: FaultKind, length = luck.between(kind.length[0], kind.length[1])) =>
    draft.push({ at, kind, length });
  const hour = DAY / 24;
  for (let day = 0; day < Math.ceil(days); day++) {
    const start = day * DAY;
    if ((profile.focus === "persistent" || profile.focus === "relapse") && luck.flip(0.5)) continue;
    if (profile.focus === "persistent") {
      const kinds = named(HOUSE_FAULTS, "speaker-stopped", "speaker-broken", "speaker-killed");
      for (const at of [start + luck.between(hour, 3 * hour), start + luck.between(13 * hour, 15 * hour)]) {
        add(at, luck.pick(kinds), 100 * 60_000);
        add(at + 150 * 60_000, named(PEOPLE, "breakers-reset")[0]!);
      }
    } else if (profile.focus === "relapse") {
      const at = start + luck.between(hour, 6 * hour);
      add(at, named(HOUSE_FAULTS, "speaker-relapses")[0]!);
      const leaps = PART_FAULTS.filter(({ kind }) => kind.startsWith("clock-leaps"));
      for (let count = 0; count < 6; count++) add(at + luck.between(0, 100 * 60_000), luck.pick(leaps));
      add(at + 4 * hour, named(PEOPLE, "breakers-reset")[0]!);
    } else {
      const { kinds, perDay } = menuOf(profile.focus);
      // Most days nothing happens at all.
      if (luck.flip(0.7)) continue;
      // Trouble comes in clusters: most of a day is quiet, and the rest overlaps.
      let at = start + luck.between(0, 8 * hour);
      for (let count = luck.int(perDay[0], perDay[1]); count > 0; count--) {
        add(at, luck.pick(luck.pick(kinds)));
        at += luck.flip(0.75) ? luck.between(0, 6 * 60_000) : luck.between(hour, 5 * hour);
      }
      if (luck.flip(0.5)) add(Math.max(at, start + 18 * hour), named(PEOPLE, "breakers-reset")[0]!);
    }
  }
  return draft
    .filter(({ at }) => at < days * DAY)
    .sort((a, b) => a.at - b.at)
    .map((fault, index) => ({ ...fault, index }));
}
