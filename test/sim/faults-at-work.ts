import type { FaultKind } from "./fault.ts";
import { askHeal } from "./faults-people.ts";
import type { Life } from "./life.ts";
import type { Site } from "./site.ts";
import { LINK, OTHER_MAC } from "./truth.ts";
import type { Happening } from "./witness.ts";

const S = 1_000;
const M = 60_000;

/** Kills a part at one of the next port calls whenever `isMoment` says so, and gives it work in the meantime. */
const atWork = (
  kind: string,
  isMoment: (happening: Happening) => boolean,
  life: (site: Site) => Life | null,
  within: number,
  withPower: boolean,
): FaultKind => ({
  kind,
  group: "outside",
  length: [2 * M, 8 * M],
  begin(site, luck) {
    let runs = true;
    const watch = (happening: Happening) => {
      const part = life(site);
      if (part === null || !isMoment(happening) || luck.flip(0.3)) return;
      part.killAtCall(luck.int(0, within));
      // Sometimes the whole machine goes at that moment: what was not flushed is lost, or torn.
      if (withPower && luck.flip(0.4)) part.atDeath(() => site.powerCut(luck));
    };
    const give = () => {
      if (!runs) return;
      const { kernel } = site;
      const jobs = [
        () => kernel.remove(LINK),
        () => kernel.change(LINK, { mac: OTHER_MAC }),
        () => kernel.change(LINK, { up: false }),
        () => askHeal(site, "recreate-link", { force: true, override: true }),
        () => askHeal(site, "restart-speaker", { force: true, override: true }),
      ];
      luck.pick(jobs)();
      site.heat(5 * S);
      site.agenda.in(luck.between(10 * S, 50 * S), give);
    };
    site.watchers.add(watch);
    give();
    return () => {
      runs = false;
      site.watchers.delete(watch);
    };
  },
});

/** Crashes in the middle of something: between an intent, each command and its end; between a saved state and its effects. */
export const AT_WORK: readonly FaultKind[] = [
  atWork(
    "host-killed-at-work",
    (happening) => happening.kind === "journalled" && happening.record.kind === "intent",
    (site) => site.host.life(),
    24,
    true,
  ),
  atWork(
    "hub-killed-at-work",
    (happening) => happening.kind === "requested" || (happening.kind === "group" && happening.after.flight !== null),
    (site) => site.hubs[0]?.life() ?? null,
    60,
    false,
  ),
];

/** A proxy that repeats, a machine restored in mid-request: what was asked once arrives again, minutes later. */
export const REPEATED: FaultKind = {
  kind: "requests-come-twice",
  group: "outside",
  length: [10 * M, 40 * M],
  begin(site, luck) {
    site.net.impair("hub-host", { twice: 1 });
    for (const wait of [luck.between(S, 20 * S), luck.between(3 * M, 8 * M)])
      site.agenda.in(wait, () =>
        askHeal(site, luck.pick(["recreate-link", "restart-speaker"]), { force: true, override: true }),
      );
    return () => site.net.heal("hub-host");
  },
};
