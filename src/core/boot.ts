import type { LinkConfig } from "./config/schema.ts";
import type { BootSight } from "./doctor/examination.ts";
import type { PersistenceFacts } from "./facts.ts";

const NETWORKD = "systemd-networkd";

/** What makes the link at boot, with which MAC, and whether the cluster's services wait for it. */
export function persistenceOf(boot: BootSight, link: LinkConfig): PersistenceFacts {
  const { netdev, unit, late } = makersOf(boot, link);
  return {
    made_by: unit?.unit ?? netdev?.path ?? null,
    // The unit that hairpin writes has the declared MAC in it; a file of networkd has one or none.
    mac: netdev === undefined ? (unit === undefined ? null : true) : netdev.mac === link.mac,
    before_cluster:
      boot.clusters.length === 0 || (netdev === undefined && unit === undefined) ? null : late.length === 0,
  };
}

export interface Makers {
  readonly netdev: BootSight["netdevs"][number] | undefined;
  /** Enabled, and for this link. */
  readonly unit: BootSight["units"][number] | undefined;
  /** The cluster's services that do not come after it. */
  readonly late: BootSight["clusters"];
}

/** Who makes the link at boot. */
export function makersOf(boot: BootSight, link: LinkConfig): Makers {
  const netdev = boot.netdevs.find((known) => known.name === link.name);
  const unit = boot.units.find((known) => known.link === link.name && known.enabled);
  const isMaker = (service: string) => service === unit?.unit || (netdev !== undefined && service.startsWith(NETWORKD));
  return { netdev, unit, late: boot.clusters.filter(({ after }) => !after.some(isMaker)) };
}
