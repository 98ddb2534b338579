import { fileURLToPath } from "node:url";
import type { LinkConfig } from "../core/config/schema.ts";
import type { HousePlan } from "./house-plan.ts";
import { inside, ipBatch, must, setSysctls } from "./shell.ts";

/** What the boot unit of an installation runs. */
const BOOT_SCRIPT = fileURLToPath(new URL("../../deploy/host/link-up.sh", import.meta.url));

/** Makes every declared link as the boot unit of the node does: with its very script. */
export async function bootLinks(plan: HousePlan): Promise<void> {
  for (const link of plan.house.links) {
    const settings = [
      `NAME=${link.name}`,
      `PARENT=${link.parent}`,
      `MAC=${link.mac}`,
      `MODE=${link.mode}`,
      `RP_FILTER=${link.sysctl.rp_filter}`,
      `ARP_IGNORE=${link.sysctl.arp_ignore}`,
      `ADDRESSES=${link.addresses.join(" ")}`,
      `FDB_LOCAL=${link.fdb_local ? "yes" : "no"}`,
    ];
    await must(inside(plan.node.ns, ["env", ...settings, "sh", BOOT_SCRIPT]));
  }
}

/** Makes a link with its settings in the order in which the guard and the boot unit do. Faults make it with another MAC. */
export async function makeLink(plan: HousePlan, link: LinkConfig, mac: string): Promise<void> {
  const { ns } = plan.node;
  await ipBatch(ns, [`link add ${link.name} link ${link.parent} address ${mac} type macvlan mode ${link.mode}`]);
  await setSysctls(ns, {
    [`net/ipv4/conf/${link.name}/rp_filter`]: link.sysctl.rp_filter,
    [`net/ipv4/conf/${link.name}/arp_ignore`]: link.sysctl.arp_ignore,
  });
  await ipBatch(ns, [
    ...link.addresses.map((address) => `addr replace ${address} dev ${link.name}`),
    `link set ${link.name} up`,
  ]);
  if (link.fdb_local) await must(inside(ns, ["bridge", "fdb", "replace", mac, "dev", link.parent, "self", "local"]));
}
