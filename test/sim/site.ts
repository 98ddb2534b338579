import type { House } from "../../src/core/config/house.ts";
import { largestGap } from "../../src/core/cron.ts";
import type { HostSetup } from "../../src/host/port.ts";
import { type Agenda, createAgenda } from "./agenda.ts";
import { type Chance, chanceOf } from "./chance.ts";
import type { Fault } from "./fault.ts";
import { createHostProcess, type HostProcess } from "./host-process.ts";
import { createHubProcess, type HubProcess } from "./hub-process.ts";
import { createJournalFile, type JournalFile } from "./journal-disk.ts";
import { createKernel, type Kernel } from "./kernel.ts";
import type { ToolTrouble } from "./kernel-ports.ts";
import { type Machine, machineOf, WALL_START } from "./life.ts";
import type { Mutant } from "./mutants.ts";
import { createNetwork, type Network } from "./network.ts";
import { houseOf, type Profile, setupOf } from "./profile.ts";
import { createReceiver, type Receiver } from "./receivers.ts";
import { createSpeaker, type Speaker } from "./speaker.ts";
import { createSqlDisk } from "./sql-disk.ts";
import { createVantageProcess, type VantageProcess } from "./vantage-process.ts";
import { createWitness, type Happening, type Witness } from "./witness.ts";

/**
 * Between beats in the quietest stretches, where nothing but ticks and green rounds is due. Within a beat host, vantages and hub come
 * in this order, so that a long beat is no silence. Runs about calm look closer.
 */
const QUIET = 59 * 60_000;
const CALM = 9 * 60_000;

/** A house with everything in it, and all of hairpin: what a seed plays with. */
export interface Site {
  readonly seed: number;
  readonly profile: Profile;
  readonly chance: Chance;
  readonly agenda: Agenda;
  readonly witness: Witness;
  readonly mutant: Mutant;
  readonly house: House;
  readonly setup: HostSetup;
  readonly gap: number;
  readonly net: Network;
  readonly kernel: Kernel;
  readonly speaker: Speaker;
  readonly tools: ToolTrouble;
  readonly journal: JournalFile;
  readonly machines: Readonly<Record<string, Machine>> & { readonly node: Machine; readonly hub: Machine };
  readonly host: HostProcess;
  readonly hubs: HubProcess[];
  readonly vantages: readonly VantageProcess[];
  readonly receivers: readonly Receiver[];
  readonly liars: Set<string>;
  readonly active: Set<Fault>;
  /** Told all that happens while they are here: faults that wait for their moment. */
  readonly watchers: Set<(happening: Happening) => void>;
  /** Runs to the millisecond for so long. */
  heat(millis: number): void;
  wallNow(): number;
  isNodeDown(): boolean;
  powerCut(luck: Chance): void;
  /** Another hub beside the first: a copy of its data as they are, or one that begins anew. */
  addHub(name: string, isCopy: boolean): HubProcess;
  removeHub(hub: HubProcess): void;
  /** Wall clocks do not leap in this run. */
  readonly still: boolean;
  /** From then on the host may be fenced by a stranger's epoch. */
  rogueWasHere(): void;
  hadRogue(): boolean;
}

export function createSite(seed: number, profile: Profile, mutant: Mutant, keepsStory: boolean, still = false): Site {
  const chance = chanceOf(seed);
  const agenda = createAgenda(profile.focus === "calm" ? CALM : QUIET);
  const witness = createWitness(agenda.now, keepsStory);
  const house = houseOf(profile);
  const kernel = createKernel(agenda, chance.fork("kernel"));
  const machines = {
    node: machineOf("node"),
    hub: machineOf("hub"),
    lan: machineOf("lan"),
    vm: machineOf("vm"),
    den: machineOf("den"),
  };
  let rogue = false;
  const site = {
    seed,
    profile,
    chance,
    agenda,
    witness,
    mutant,
    still,
    house,
    setup: setupOf(house),
    gap: largestGap(house.schedule),
    net: createNetwork(agenda, chance.fork("network"), witness),
    kernel,
    speaker: createSpeaker(kernel, agenda, chance.fork("speaker")),
    tools: { slow: 0, fails: 0, hangs: false },
    journal: createJournalFile(chance.fork("journal"), witness),
    machines,
    hubs: [] as HubProcess[],
    liars: new Set<string>(),
    active: new Set<Fault>(),
    watchers: new Set<(happening: Happening) => void>(),
    heat: (millis: number) => agenda.wantPace(0, millis),
    wallNow: () => WALL_START + agenda.now() + machines.node.wallOffset,
    isNodeDown: () => kernel.truth.off,
    powerCut(luck: Chance) {
      if (kernel.truth.off) return;
      witness.note("the node loses power");
      kernel.truth.off = true;
      site.host.kill();
      witness.tell({ kind: "host_died", power: true });
      site.journal.powerCut();
      kernel.truth.links = [];
      kernel.truth.sockets.clear();
      kernel.truth.pod = null;
      agenda.in(luck.between(20_000, 90_000), () => {
        machines.node.bootedAt = agenda.now() - 1_000;
        const late = luck.flip(0.3);
        kernel.boot(!late);
        if (late) agenda.in(luck.between(2_000, 20_000), () => kernel.add());
        site.speaker.ensurePod();
        site.host.start();
        site.heat(30_000);
      });
    },
    addHub(name: string, isCopy: boolean) {
      const disk = isCopy ? site.hubs[0]!.disk.copy() : createSqlDisk(witness);
      const hub = createHubProcess(site, name, machineOf(name), disk);
      site.hubs.push(hub);
      return hub;
    },
    removeHub: (hub: HubProcess) => void site.hubs.splice(site.hubs.indexOf(hub), 1),
    rogueWasHere: () => {
      rogue = true;
    },
    hadRogue: () => rogue,
  } as unknown as Site & { host: HostProcess; vantages: VantageProcess[]; receivers: Receiver[] };
  site.receivers = [
    createReceiver(site, "steady", false),
    createReceiver(site, "flaky", false),
    createReceiver(site, "assistant", true),
  ];
  site.host = createHostProcess(site);
  site.hubs.push(createHubProcess(site, "hub", machines.hub, createSqlDisk(witness)));
  site.vantages = house.vantages.map(({ name, where }) =>
    createVantageProcess(site, name, where === "vm" ? "vm" : "lan", machines[name as "lan"]),
  );
  return site;
}
