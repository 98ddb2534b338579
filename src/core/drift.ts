import type { LinkConfig } from "./config/schema.ts";
import type { LinkFacts } from "./facts.ts";

/** How a link differs from what was declared; empty when it does not. Unknown is not a difference. */
export function drift(link: LinkFacts, declared: LinkConfig): readonly string[] {
  const found: string[] = [];
  const compare = (what: string, is: string | number | null, wanted: string | number) => {
    if (is !== null && is !== wanted) found.push(`${declared.name} has ${what} ${is}, declared is ${wanted}.`);
  };
  compare("the kind", link.kind, "macvlan");
  compare("the MAC", link.mac, declared.mac);
  compare("the parent", link.parent, declared.parent);
  compare("the mode", link.mode, declared.mode);
  compare("rp_filter", link.rp_filter, declared.sysctl.rp_filter);
  compare("arp_ignore", link.arp_ignore, declared.sysctl.arp_ignore);
  return found;
}
