import type { LinkEvent } from "../../src/host/port.ts";
import type { Agenda } from "./agenda.ts";
import type { Chance } from "./chance.ts";
import { BRIDGE, LINK, linkOf, MAC, type TrueLink, type Truth, trueNode } from "./truth.ts";

/** The kernel of the node: changes links as `ip` would, and tells who listens to netlink. */
export interface Kernel {
  readonly truth: Truth;
  /** `settled`: whoever made it waited for udev and wrote the sysctls himself. */
  add(change?: Partial<TrueLink>, settled?: boolean): TrueLink | null;
  remove(name: string): void;
  change(name: string, change: Partial<TrueLink>): void;
  /** A listener to `ip monitor link`; the result ends it. */
  listen(hear: (events: readonly LinkEvent[]) => void): () => void;
  /** Called after each change of the links. */
  atChange(call: () => void): void;
  /** What the operating system does at boot: the bridge and, where the unit is in place, the link. */
  boot(withLink: boolean): void;
  netlinkLoss: number;
}

export function createKernel(agenda: Agenda, chance: Chance): Kernel {
  const truth = trueNode();
  let listeners: ((events: readonly LinkEvent[]) => void)[] = [];
  const watchers: (() => void)[] = [];

  const tell = (link: TrueLink, deleted: boolean) => {
    for (const watcher of watchers) watcher();
    if (kernel.netlinkLoss > 0 && chance.flip(kernel.netlinkLoss)) return;
    const { name, ifindex, up, mac, parent } = link;
    const heard = [...listeners];
    agenda.in(chance.between(0.2, 2), () => {
      for (const hear of heard) if (listeners.includes(hear)) hear([event]);
    });
    const event: LinkEvent = { deleted, name, ifindex, up, mac, parent, atMono: Number.NaN };
  };

  const kernel: Kernel = {
    truth,
    netlinkLoss: 0,
    add(change = {}, settled = false) {
      const link: TrueLink = {
        name: LINK,
        ifindex: truth.nextIndex,
        up: true,
        carrier: true,
        mac: MAC,
        parent: BRIDGE,
        master: null,
        kind: "macvlan",
        mode: "bridge",
        ...change,
      };
      if (linkOf(truth, link.name) !== null) return null;
      if (link.parent !== null && linkOf(truth, link.parent) === null) return null;
      truth.nextIndex++;
      truth.links.push(link);
      truth.sysctls.set(`${link.name}.rp_filter`, settled ? 0 : 2).set(`${link.name}.arp_ignore`, settled ? 1 : 0);
      tell(link, false);
      // systemd's udev rule writes the default back a moment after every creation (facts/l2).
      if (link.kind === "macvlan" && !settled && chance.flip(0.3))
        agenda.in(60, () => {
          if (linkOf(truth, link.name) === link) truth.sysctls.set(`${link.name}.rp_filter`, 2);
        });
      return link;
    },
    remove(name) {
      const gone = truth.links.filter((link) => link.name === name || link.parent === name);
      truth.links = truth.links.filter((link) => !gone.includes(link));
      for (const link of gone) {
        truth.sockets.delete(link.ifindex);
        truth.sysctls.delete(`${link.name}.rp_filter`);
        truth.sysctls.delete(`${link.name}.arp_ignore`);
      }
      for (const link of gone) tell(link, true);
    },
    change(name, change) {
      const link = linkOf(truth, name);
      if (link === null) return;
      Object.assign(link, change);
      tell(link, false);
    },
    listen(hear) {
      listeners.push(hear);
      return () => {
        listeners = listeners.filter((other) => other !== hear);
      };
    },
    atChange: (call) => void watchers.push(call),
    boot(withLink) {
      const { nextIndex, pods } = truth;
      const fresh = trueNode();
      const { advertised, endpoints, onParent, rogue, serviceDown, upstreamDown, broken } = truth;
      Object.assign(truth, fresh, { nextIndex, pods });
      Object.assign(truth, { advertised, endpoints, onParent, rogue, serviceDown, upstreamDown, broken });
      if (withLink) kernel.add({}, true);
    },
  };
  return kernel;
}
