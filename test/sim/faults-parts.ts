import type { FaultKind } from "./fault.ts";
import type { Manner } from "./receivers.ts";
import type { Site } from "./site.ts";

const S = 1_000;
const M = 60_000;

const once = (kind: string, strike: (site: Site, luck: Parameters<FaultKind["begin"]>[1]) => void): FaultKind => ({
  kind,
  group: "part",
  length: [S, S],
  begin(site, luck) {
    strike(site, luck);
    return () => {};
  },
});

const impaired = (kind: string, channel: (site: Site, pick: number) => string): FaultKind => ({
  kind,
  group: "part",
  length: [M, 20 * M],
  begin(site, luck) {
    const name = channel(site, luck.int(0, 99));
    site.net.impair(name, {
      loss: luck.flip(0.6) ? luck.between(0, 0.5) : 0,
      delay: luck.flip(0.6) ? luck.between(0, 8_000) : 0,
      twice: luck.flip(0.7) ? luck.between(0.1, 1) : 0,
      down: luck.flip(0.15),
    });
    return () => site.net.heal(name);
  },
});

const held = (
  kind: string,
  part: (site: Site, pick: number) => { heldDown: boolean; kill(): void; start(): void },
): FaultKind => ({
  kind,
  group: "part",
  length: [5 * S, 30 * M],
  begin(site, luck) {
    const process = part(site, luck.int(0, 99));
    process.heldDown = true;
    process.kill();
    return () => {
      process.heldDown = false;
      process.start();
    };
  },
});

/** Kills at one of the next port calls, again and again for a while: every await point is one of them. */
const mined = (
  kind: string,
  life: (site: Site) => { killAtCall(count: number): void; alive: boolean } | null,
  within: number,
): FaultKind => ({
  kind,
  group: "part",
  length: [M, 10 * M],
  begin(site, luck) {
    let runs = true;
    const arm = () => {
      if (!runs) return;
      life(site)?.killAtCall(luck.int(0, within));
      site.agenda.in(luck.between(2 * S, 40 * S), arm);
    };
    arm();
    return () => {
      runs = false;
    };
  },
});

export const MANNERS: readonly Manner[] = ["500", "404", "410", "429", "hangs", "resets", "answer lost"];

const LEAPS = [1, 10, 60, -120, 24 * 60, -24 * 60, 13 * 365 * 24 * 60, -56 * 365 * 24 * 60].map(
  (minutes) => minutes * M,
);

/** The wall clock leaps, and NTP puts it right after a while. */
const leap = (kind: string, machines: (site: Site) => readonly { wallOffset: number }[]): FaultKind => ({
  kind,
  group: "part",
  length: [M, 90 * M],
  begin(site, luck) {
    const leaping = machines(site);
    const by = site.still ? 0 : luck.pick(LEAPS);
    for (const machine of leaping) machine.wallOffset = by;
    return () => {
      for (const machine of leaping) machine.wallOffset = 0;
    };
  },
});

/** What breaks of hairpin itself, and of what it stands on. */
export const PART_FAULTS: readonly FaultKind[] = [
  once("host-crash", (site) => site.host.kill()),
  once("hub-crash", (site) => site.hubs[0]?.kill()),
  once("vantage-crash", (site, luck) => luck.pick(site.vantages).kill()),
  once("power-cut", (site, luck) => site.powerCut(luck)),
  held("host-away", (site) => site.host),
  held("hub-away", (site) => site.hubs[0]!),
  held("vantage-away", (site, pick) => site.vantages[pick % site.vantages.length]!),
  mined("host-mined", (site) => site.host.life(), 40),
  mined("hub-mined", (site) => site.hubs[0]?.life() ?? null, 200),
  impaired("hub-host-impaired", () => "hub-host"),
  impaired("vantage-hub-impaired", (site, pick) => `${site.vantages[pick % site.vantages.length]!.name}-hub`),
  leap("clock-leaps-at-the-node", (site) => [site.machines.node]),
  leap("clock-leaps-at-the-hub", (site) => [site.machines.hub]),
  leap("clock-leaps-everywhere", (site) => Object.values(site.machines)),
  {
    kind: "journal-disk-full",
    group: "part",
    length: [30 * S, 10 * M],
    begin(site, luck) {
      site.journal.trouble = luck.flip(0.6) ? "full" : "sync_fails";
      return () => {
        site.journal.trouble = null;
      };
    },
  },
  {
    kind: "hub-disk-full",
    group: "part",
    length: [30 * S, 10 * M],
    begin(site) {
      const disk = site.hubs[0]!.disk;
      disk.full = true;
      return () => {
        disk.full = false;
      };
    },
  },
  {
    kind: "commands-fail",
    group: "part",
    length: [10 * S, 5 * M],
    begin(site, luck) {
      site.tools.fails = luck.between(0.2, 1);
      return () => {
        site.tools.fails = 0;
      };
    },
  },
  {
    kind: "commands-hang",
    group: "part",
    length: [10 * S, 5 * M],
    begin(site, luck) {
      if (luck.flip(0.5)) site.tools.hangs = true;
      else site.tools.slow = luck.between(1_000, 9_900);
      return () => {
        site.tools.hangs = false;
        site.tools.slow = 0;
      };
    },
  },
  {
    kind: "netlink-loses-events",
    group: "part",
    length: [M, 20 * M],
    begin(site) {
      site.kernel.netlinkLoss = 0.8;
      return () => {
        site.kernel.netlinkLoss = 0;
      };
    },
  },
  {
    kind: "kubernetes-down",
    group: "part",
    length: [30 * S, 15 * M],
    begin(site, luck) {
      const { truth } = site.kernel;
      if (luck.flip(0.7)) truth.apiDown = true;
      else truth.apiSlow = luck.between(500, 4_000);
      return () => {
        truth.apiDown = false;
        truth.apiSlow = 0;
      };
    },
  },
  {
    kind: "receiver-in-trouble",
    group: "part",
    length: [M, 40 * M],
    begin(site, luck) {
      const receiver = luck.pick(site.receivers.filter(({ name }) => name !== "steady"));
      receiver.manner = luck.pick(MANNERS);
      return () => {
        receiver.manner = "ok";
      };
    },
  },
  {
    kind: "assistant-does-not-confirm",
    group: "part",
    length: [M, 60 * M],
    begin(site) {
      for (const receiver of site.receivers) receiver.acknowledges = false;
      return () => {
        for (const receiver of site.receivers) receiver.acknowledges = true;
      };
    },
  },
];
