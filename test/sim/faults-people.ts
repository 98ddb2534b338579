import type { RepairRequest, Step } from "../../src/core/repair.ts";
import { STEPS } from "../../src/core/repair.ts";
import type { Hub } from "../../src/engine/hub.ts";
import type { FaultKind } from "./fault.ts";
import { submitTo } from "./hub-process.ts";
import { lie } from "./liar.ts";
import { Life } from "./life.ts";
import type { Site } from "./site.ts";
import { LINK } from "./truth.ts";

const S = 1_000;
const M = 60_000;

/** A call to the hub's own interface, which answers 503 when its store takes no writes. */
export function withHub(site: Site, use: (hub: Hub) => void): void {
  const there = site.hubs[0]?.current();
  if (there == null) return;
  site.heat(10 * S);
  try {
    use(there.hub);
  } catch (error) {
    if (!(error instanceof Error && error.name === "StoreError")) throw error;
  }
}

export function askHeal(
  site: Site,
  step: Step | null,
  more: { override?: boolean; force?: boolean; key?: string } = {},
) {
  withHub(site, (hub) => {
    const answer = hub.ask({
      step,
      reason: "sim",
      by: "anna",
      dryRun: false,
      override: more.override ?? false,
      force: more.force ?? false,
      target: null,
      incident: null,
      key: more.key ?? null,
      digest: `${step}`,
    });
    const said = answer.kind === "answer" ? answer.answer : null;
    site.witness.note(`anna asks for ${step ?? "the founding repair"}: ${said?.state ?? answer.kind}`);
    if (said?.status === 202 && said.id !== null) site.witness.tell({ kind: "asked", hub: "hub", id: said.id });
  });
}

const act = (kind: string, length: readonly [number, number], begin: FaultKind["begin"]): FaultKind => ({
  kind,
  group: "person",
  length,
  begin,
});

/** Resets what only a person may reset (I12). */
export function resetBreakers(site: Site): void {
  withHub(site, (hub) => {
    site.witness.tell({ kind: "reset", side: "hub" });
    hub.resetBreaker();
  });
  const there = site.host.current();
  if (there !== null) {
    site.witness.tell({ kind: "reset", side: "host" });
    there.host.resetBreaker();
  }
}

export const PEOPLE: readonly FaultKind[] = [
  act("hub-paused", [M, 90 * M], (site, luck) => {
    withHub(site, (hub) => hub.pause(luck.between(M, 60 * M), "sim"));
    return () => withHub(site, (hub) => hub.resume());
  }),
  act("host-paused", [M, 40 * M], (site) => {
    const mine = JSON.stringify({ until: new Date(site.wallNow() + 3 * 60 * M).toISOString(), reason: "sim" });
    site.host.pauseText = mine;
    return () => {
      if (site.host.pauseText === mine) site.host.pauseText = null;
    };
  }),
  act("breakers-reset", [S, S], (site) => {
    resetBreakers(site);
    return () => {};
  }),
  act("heal-asked", [S, 60 * S], (site, luck) => {
    const step = luck.flip(0.4) ? null : luck.pick(STEPS);
    const key = `key-${luck.int(0, 999_999)}`;
    const options = { override: luck.flip(0.3), force: luck.flip(0.6), key };
    askHeal(site, step, options);
    // The button is pressed again, and the browser repeats it.
    if (luck.flip(0.5)) site.agenda.in(luck.between(10, 20 * S), () => askHeal(site, step, options));
    return () => {};
  }),
  act("heals-asked-without-end", [M, 5 * M], (site, luck) => {
    let runs = true;
    const press = () => {
      if (!runs) return;
      askHeal(site, luck.pick(STEPS), { force: true, override: true });
      site.agenda.in(luck.between(S, 30 * S), press);
    };
    press();
    return () => {
      runs = false;
    };
  }),
  act("dead-letters-replayed", [S, S], (site) => {
    withHub(site, (hub) => {
      for (const row of hub.deliveries(true).deliveries.slice(0, 5)) {
        site.witness.count("dead letters replayed");
        hub.replay(row.id);
      }
      hub.testNotification();
    });
    return () => {};
  }),
  // The guard holds the link's lock while its commands crawl, so a heal that a person asked for waits beyond its time to live.
  act("heal-comes-too-late", [3 * M, 3 * M], (site, luck) => {
    site.tools.slow = 9_500;
    site.kernel.remove(LINK);
    site.agenda.in(luck.between(S, 4 * S), () => askHeal(site, "recreate-link", { force: true, override: true }));
    return () => {
      site.tools.slow = 0;
    };
  }),
];

/** Whoever has a key that is not his. */
export const ATTACKS: readonly FaultKind[] = [
  {
    // Fewer keys than the quorum.
    kind: "lying-vantage",
    group: "attack",
    length: [5 * M, 30 * M],
    begin(site, luck) {
      const vantage = luck.pick(site.vantages);
      if (site.liars.size + 1 >= site.house.heal.quorum) return () => {};
      site.liars.add(vantage.name);
      const life = new Life(
        `liar ${vantage.name}`,
        vantage.life()?.machine ?? site.machines.hub,
        site.agenda,
        0,
        () => {},
      );
      const instead = luck.flip(0.5);
      if (instead) {
        vantage.heldDown = true;
        vantage.kill();
      }
      lie(site, vantage.name, life, luck);
      return () => {
        life.kill();
        vantage.heldDown = false;
        vantage.start();
        // What it said stays in the hub's view until it is old.
        site.agenda.in(10 * M, () => site.liars.delete(vantage.name));
      };
    },
  },
  {
    // A hub with a bug, or a stolen hub key: whatever it asks, the host's own limits hold (I10).
    kind: "rogue-hub",
    group: "attack",
    length: [M, 30 * M],
    begin(site, luck) {
      const life = new Life("rogue", site.machines.hub, site.agenda, 0, () => {});
      let epoch = luck.int(0, 3);
      let count = 0;
      const ask = () => {
        if (!life.alive) return;
        if (luck.flip(0.1)) epoch = luck.int(0, 60);
        const request: RepairRequest = {
          id: luck.flip(0.2) ? `rogue-${luck.int(0, 5)}` : `rogue-${site.seed}-${++count}-${luck.int(0, 1e6)}`,
          step: luck.pick(STEPS),
          epoch,
          ttl_ms: luck.pick([1, 1_000, 60_000]),
          manual: luck.flip(0.4),
          override: luck.flip(0.5),
        };
        site.witness.count("requests of a rogue hub");
        void submitTo(site, "rogue", life, request);
        site.agenda.in(luck.flip(0.4) ? luck.between(1, 500) : luck.between(S, 60 * S), ask);
      };
      site.rogueWasHere();
      ask();
      return () => life.kill();
    },
  },
  {
    // A restored snapshot of the hub's machine runs beside it, or a second hub that somebody set up anew.
    kind: "second-hub",
    group: "attack",
    length: [10 * M, 90 * M],
    begin(site, luck) {
      const name = `hub${site.hubs.length + 1}-${Math.round(site.agenda.now())}`;
      const second = site.addHub(name, luck.flip(0.6));
      second.start();
      return () => {
        second.heldDown = true;
        second.kill();
        site.removeHub(second);
      };
    },
  },
];
