import { bootLinks, makeLink } from "../node-boot.ts";
import { buildParent } from "../node-network.ts";
import { ipBatch } from "../shell.ts";
import { type Fault, needsLink, OTHER_MAC } from "./fault.ts";

/** Faults of the link and of what it sits on: the guard's own. */
export const LINK_FAULTS: readonly Fault[] = [
  {
    name: "link-deleted",
    remakesLink: true,
    title: ({ link }) => `ip link del ${link.name}`,
    cause: "link_missing",
    ending: "guard",
    missing: needsLink,
    inject: (bench) => bench.ipOnNode(`link del ${bench.link.name}`),
    restore: (bench) => bench.linkAsDeclared(),
  },
  {
    name: "link-down",
    title: ({ link }) => `ip link set ${link.name} down`,
    cause: "link_down",
    ending: "guard",
    missing: needsLink,
    inject: (bench) => bench.ipOnNode(`link set ${bench.link.name} down`),
    restore: (bench) => bench.linkAsDeclared(),
  },
  {
    name: "link-other-mac",
    remakesLink: true,
    title: ({ link }) => `${link.name} is made anew by somebody else, with the MAC ${OTHER_MAC}`,
    cause: "link_drifted",
    ending: "guard",
    missing: needsLink,
    inject: (bench) =>
      bench.holdingGuard("the lab makes the link with another MAC", async () => {
        await bench.ipOnNode(`link del ${bench.link.name}`);
        await makeLink(bench.plan, bench.link, OTHER_MAC);
      }),
    restore: (bench) => bench.linkAsDeclared(),
  },
  {
    name: "mac-changed-in-place",
    remakesLink: true,
    title: ({ link }) => `ip link set ${link.name} address ${OTHER_MAC}: the speaker does not notice`,
    cause: "link_drifted",
    ending: "guard",
    missing: needsLink,
    inject: (bench) => bench.ipOnNode(`link set ${bench.link.name} address ${OTHER_MAC}`),
    restore: (bench) => bench.linkAsDeclared(),
  },
  {
    name: "link-recreated-other-mac",
    remakesLink: true,
    title: ({ link }) =>
      `${link.name} had another MAC for a moment; the clients have learnt it, and the link is right again`,
    cause: "stale_neighbour",
    // While it is being made, the link has the other MAC, or is not there: on a busy machine for longer than a moment.
    transient: ["link_drifted", "link_missing"],
    ending: "heal",
    missing: needsLink,
    inject: (bench) =>
      bench.holdingGuard("the lab makes the link with another MAC and back", async () => {
        const { plan, link } = bench;
        await bench.ipOnNode(`link del ${link.name}`);
        await makeLink(plan, link, OTHER_MAC);
        await bench.clientsLearn(OTHER_MAC);
        await bench.ipOnNode(`link del ${link.name}`);
        await makeLink(plan, link, link.mac);
      }),
    // The speaker finds the new link at its next scan, within 10 s; until then nobody answers, which is another fault.
    beforeLook: async (bench, sleep) => {
      await sleep(12_000);
      await bench.clientsHold(OTHER_MAC);
    },
    restore: (bench) => bench.linkAsDeclared(),
  },
  {
    name: "bridge-deleted",
    remakesLink: true,
    title: ({ plan, link }) =>
      `ip link del ${plan.node.bridge}, and ${link.name} with it; ${plan.node.bridge} is back after 15 s`,
    cause: "parent_missing",
    // What the guard says it has repaired, when the parent is back.
    transient: ["link_missing"],
    ending: "guard",
    missing: needsLink,
    inject: (bench) => bench.ipOnNode(`link del ${bench.plan.node.bridge}`),
    later: async (bench, sleep) => {
      await sleep(15_000);
      const { plan } = bench;
      await buildParent(plan);
      if (plan.shape === "guest") return;
      const guests = plan.machines.filter((machine) => machine.at === "bridge");
      await ipBatch(
        plan.node.ns,
        guests.map((machine) => `link set ${machine.port} master ${plan.node.bridge} up`),
      );
    },
    restore: (bench) => bench.linkAsDeclared(),
    limitMs: 150_000,
  },
  {
    name: "uplink-down",
    title: ({ plan }) =>
      `the cable of ${plan.shape === "guest" ? "the hypervisor" : plan.node.uplink} is pulled; back after 60 s`,
    cause: "lan_path",
    // The vantages of the LAN fall silent one after the other.
    transient: ["vantage_silent"],
    ending: "told",
    missing: (bench) =>
      bench.plan.machines.some((machine) => machine.at !== "bridge" && machine.vantages.length > 0)
        ? null
        : "there is no vantage on the LAN",
    inject: (bench) => ipBatch(bench.plan.ns.switch, ["link set p-node down"]),
    later: async (bench, sleep) => {
      await sleep(60_000);
      await ipBatch(bench.plan.ns.switch, ["link set p-node up"]);
    },
    restore: (bench) => ipBatch(bench.plan.ns.switch, ["link set p-node up"]),
    limitMs: 120_000,
  },
  {
    name: "flapping",
    comesAndGoes: true,
    title: () => "the speaker hangs for 10 s and goes on for 14 s, again and again",
    cause: "not_announced",
    ending: "told",
    missing: needsLink,
    inject: (bench) => bench.kubernetes({ kind: "speaker", act: "stop" }),
    // Long enough to be a failure, and, with the round or two until it is seen to be over, shorter than the lab's confirmation of 15 s.
    later: async (bench, sleep) => {
      for (let round = 0; round < 5; round++) {
        await sleep(10_000);
        await bench.kubernetes({ kind: "speaker", act: "ensure" });
        await sleep(14_000);
        await bench.kubernetes({ kind: "speaker", act: "stop" });
      }
    },
    restore: (bench) => bench.kubernetes({ kind: "speaker", act: "ensure" }),
    limitMs: 180_000,
  },
];

/** The boot in the wrong order, which the speaker never gets over by itself. */
export const BOOT_ORDER: Fault = {
  name: "speaker-before-link",
  title: ({ link }) => `boot in the wrong order: the speaker looked before ${link.name} was there`,
  cause: "not_announced",
  ending: "heal",
  hostSees: true,
  missing: needsLink,
  inject: (bench) =>
    bench.holdingGuard("the lab boots the node in the wrong order", async () => {
      await bench.kubernetes({ kind: "speaker", act: "remove" });
      await bench.ipOnNode(`link del ${bench.link.name}`);
      await bench.kubernetes({ kind: "speaker", act: "start" });
      await bootLinks(bench.plan);
      await bench.flushNeighbours();
    }),
  restore: async (bench) => {
    await bench.linkAsDeclared();
    await bench.kubernetes({ kind: "speaker", act: "remove" });
    await bench.kubernetes({ kind: "speaker", act: "start" });
  },
};
