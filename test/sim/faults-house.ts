import type { FaultKind } from "./fault.ts";
import type { Site } from "./site.ts";
import { BRIDGE, LINK, OTHER_MAC, ROGUE_MAC, type Truth } from "./truth.ts";

const S = 1_000;
const M = 60_000;

/** A fault that is one value of the truth, put back at its end. */
const flag = <K extends keyof Truth>(
  kind: string,
  key: K,
  value: Truth[K],
  length: readonly [number, number],
): FaultKind => ({
  kind,
  group: "outside",
  length,
  begin({ kernel: { truth } }) {
    const before = truth[key];
    truth[key] = value;
    return () => {
      truth[key] = before;
    };
  },
});

/** Something done to the links at once; nothing is put back. */
const blow = (kind: string, strike: (site: Site) => void): FaultKind => ({
  kind,
  group: "outside",
  length: [S, S],
  begin(site) {
    strike(site);
    return () => {};
  },
});

/** What breaks the addresses: links, speaker, cluster, services (faults.md). */
export const HOUSE_FAULTS: readonly FaultKind[] = [
  blow("link-deleted", ({ kernel }) => kernel.remove(LINK)),
  blow("link-down", ({ kernel }) => kernel.change(LINK, { up: false })),
  blow("link-other-mac", ({ kernel }) => {
    kernel.remove(LINK);
    kernel.add({ mac: OTHER_MAC });
  }),
  blow("mac-changed-in-place", ({ kernel }) => kernel.change(LINK, { mac: OTHER_MAC })),
  blow("reverse-path-filter", ({ kernel: { truth } }) => void truth.sysctls.set(`${LINK}.rp_filter`, 1)),
  {
    kind: "link-churn",
    group: "outside",
    length: [30 * S, 5 * M],
    begin(site, luck) {
      let runs = true;
      const strike = () => {
        if (!runs) return;
        if (luck.flip(0.5)) site.kernel.remove(LINK);
        else site.kernel.change(LINK, { mac: OTHER_MAC });
        site.heat(2 * S);
        site.agenda.in(luck.between(2 * S, 20 * S), strike);
      };
      strike();
      return () => {
        runs = false;
      };
    },
  },
  {
    kind: "foreign-link",
    group: "outside",
    length: [2 * M, 20 * M],
    begin({ kernel }) {
      kernel.remove(LINK);
      kernel.add({ kind: "dummy", parent: null, mode: null, mac: OTHER_MAC });
      return () => {
        if (kernel.truth.links.some((link) => link.name === LINK && link.kind === "dummy")) kernel.remove(LINK);
      };
    },
  },
  {
    kind: "bridge-deleted",
    group: "outside",
    length: [15 * S, 3 * M],
    begin({ kernel }) {
      kernel.remove(BRIDGE);
      return () =>
        void kernel.add({ name: BRIDGE, kind: "bridge", mac: "02:00:00:00:00:aa", parent: null, mode: null });
    },
  },
  {
    kind: "bridge-down",
    group: "outside",
    length: [10 * S, 3 * M],
    begin({ kernel }) {
      kernel.change(BRIDGE, { up: false });
      return () => kernel.change(BRIDGE, { up: true });
    },
  },
  {
    // Clients have met another MAC while nobody guarded; then the link is right again.
    kind: "link-recreated-other-mac",
    group: "outside",
    length: [40 * S, 90 * S],
    begin(site) {
      const { host, kernel } = site;
      host.pauseText ??= JSON.stringify({ until: new Date(site.wallNow() + 60 * M).toISOString(), reason: "sim" });
      const mine = host.pauseText;
      kernel.remove(LINK);
      kernel.add({ mac: OTHER_MAC });
      kernel.truth.sysctls.set(`${LINK}.rp_filter`, 0);
      return () => {
        if (host.pauseText === mine) host.pauseText = null;
      };
    },
  },
  {
    // The speaker goes deaf without dying; only a new pod helps.
    kind: "speaker-stopped",
    group: "outside",
    length: [5 * M, 40 * M],
    begin({ kernel: { truth } }) {
      truth.deaf = true;
      const { pod } = truth;
      return () => {
        if (truth.pod === pod) truth.deaf = false;
      };
    },
  },
  {
    kind: "speaker-broken",
    group: "outside",
    length: [10 * M, 150 * M],
    begin({ kernel: { truth }, speaker }) {
      truth.broken = true;
      truth.deaf = true;
      return () => {
        truth.broken = false;
        speaker.deletePod();
      };
    },
  },
  {
    kind: "speaker-killed",
    group: "outside",
    length: [3 * M, 60 * M],
    begin({ kernel: { truth }, speaker }) {
      truth.kubeletDown = true;
      speaker.deletePod();
      return () => {
        truth.kubeletDown = false;
        speaker.ensurePod();
      };
    },
  },
  {
    kind: "speaker-before-link",
    group: "outside",
    length: [10 * M, 30 * M],
    begin({ kernel: { truth }, agenda }) {
      truth.gaveUp = true;
      truth.gaveUpAt = agenda.now();
      truth.sockets.clear();
      return () => {};
    },
  },
  {
    kind: "speaker-restarts",
    group: "outside",
    length: [S, S],
    begin({ speaker }) {
      speaker.deletePod();
      return () => {};
    },
  },
  flag("pods-start-slowly", "podSlow", 70 * S, [5 * M, 30 * M]),
  flag("advertisement-deleted", "advertised", false, [2 * M, 30 * M]),
  flag("announced-on-bridge", "onParent", true, [2 * M, 20 * M]),
  flag("rogue-announcer", "rogue", ROGUE_MAC, [2 * M, 20 * M]),
  flag("forwarding-gone", "forwarding", false, [2 * M, 20 * M]),
  flag("service-down", "serviceDown", true, [M, 20 * M]),
  flag("upstream-dns-down", "upstreamDown", true, [M, 20 * M]),
  {
    kind: "endpoints-not-ready",
    group: "outside",
    length: [M, 20 * M],
    begin({ kernel: { truth } }) {
      truth.endpoints = 0;
      return () => {
        truth.endpoints = 1;
      };
    },
  },
  {
    // Ten minutes and more between relapses: the flap damping lets that pass, the budget must not.
    kind: "speaker-relapses",
    group: "outside",
    length: [80 * M, 110 * M],
    begin(site, luck) {
      let runs = true;
      const strike = () => {
        if (!runs) return;
        site.kernel.truth.deaf = true;
        site.heat(5 * S);
        site.agenda.in(luck.between(11 * M, 14 * M), strike);
      };
      strike();
      return () => {
        runs = false;
      };
    },
  },
  {
    kind: "short-outage",
    group: "outside",
    length: [5 * S, 45 * S],
    begin({ kernel: { truth } }) {
      const { pod } = truth;
      truth.deaf = true;
      return () => {
        if (truth.pod === pod && !truth.broken) truth.deaf = false;
      };
    },
  },
];

const everyone = (site: Site) => site.vantages;

/** What stands between vantages and addresses. */
export const PATH_FAULTS: readonly FaultKind[] = [
  {
    kind: "vantage-cut-off",
    group: "outside",
    length: [M, 15 * M],
    begin(site, luck) {
      const vantage = luck.pick(site.vantages);
      vantage.eyes.blind = true;
      return () => {
        vantage.eyes.blind = false;
      };
    },
  },
  {
    kind: "vm-port-firewalled",
    group: "outside",
    length: [M, 15 * M],
    begin(site, luck) {
      const vantage = luck.pick(site.vantages);
      vantage.eyes.blocked = true;
      return () => {
        vantage.eyes.blocked = false;
      };
    },
  },
  {
    kind: "site-network-down",
    group: "outside",
    length: [30 * S, 10 * M],
    begin(site) {
      for (const { eyes } of everyone(site)) eyes.blind = true;
      return () => {
        for (const { eyes } of everyone(site)) eyes.blind = false;
      };
    },
  },
  {
    kind: "uplink-down",
    group: "outside",
    length: [M, 5 * M],
    begin(site) {
      const lan = site.vantages.filter(({ where }) => where === "lan");
      site.kernel.change("eth0", { carrier: false });
      for (const vantage of lan) {
        vantage.eyes.blind = true;
        site.net.impair(`${vantage.name}-hub`, { down: true });
      }
      return () => {
        site.kernel.change("eth0", { carrier: true });
        for (const vantage of lan) {
          vantage.eyes.blind = false;
          site.net.heal(`${vantage.name}-hub`);
        }
      };
    },
  },
  {
    kind: "packet-loss",
    group: "outside",
    length: [M, 10 * M],
    begin(site, luck) {
      const loss = luck.between(0.1, 0.7);
      for (const { eyes } of everyone(site)) eyes.loss = loss;
      return () => {
        for (const { eyes } of everyone(site)) eyes.loss = 0;
      };
    },
  },
];
