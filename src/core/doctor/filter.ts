import type { LinkConfig } from "../config/schema.ts";
import type { LinkSight } from "./examination.ts";
import { bad, type DoctorFinding, good, unknown, warning } from "./finding.ts";

/** The kernel takes the greater of conf.all and conf.LINK (ip-sysctl, rp_filter). Null when either is not known. */
export function effectiveRpFilter({ facts, rpFilterAll }: LinkSight): number | null {
  const own = facts.link.rp_filter;
  return own === null || rpFilterAll === null ? null : Math.max(own, rpFilterAll);
}

/**
 * Whether the reverse-path filter drops all that arrives on the link. With bridge-nf-call-iptables at 0 the frames really arrive
 * there, and a link without an address of its own has no way back (facts/l2, measured with 1 and with 2).
 */
export function dropsEverything(sight: LinkSight): boolean {
  const effective = effectiveRpFilter(sight);
  const isBridged = sight.facts.brnf === 1;
  return sight.facts.link.exists === true && !isBridged && effective !== null && effective !== 0 && !hasAddress(sight);
}

const hasAddress = ({ addresses }: LinkSight): boolean => addresses === null || addresses.length > 0;

/** bridge-nf-call-iptables against the effective reverse-path filter. */
export function filterFinding(sight: LinkSight, link: LinkConfig): DoctorFinding[] {
  const { facts, rpFilterAll } = sight;
  const effective = effectiveRpFilter(sight);
  if (facts.link.exists !== true || effective === null)
    return [unknown("filter", `The reverse-path filter was not looked at: ${link.name} is not there.`)];
  const brnf =
    facts.brnf === null ? "br_netfilter is not loaded, as with 0" : `bridge-nf-call-iptables is ${facts.brnf}`;
  const known = [
    `conf.all.rp_filter is ${rpFilterAll}, conf.${link.name}.rp_filter is ${facts.link.rp_filter}: the greater counts.`,
    ...(facts.rp_filter_drops === null
      ? []
      : [`Packets dropped by it so far: ${facts.rp_filter_drops} (TcpExtIPReversePathFilter).`]),
  ];
  const cure = `sysctl -w net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.${link.name.replaceAll(".", "/")}.rp_filter=0`;
  if (dropsEverything(sight)) {
    const text = `${brnf}, and the effective rp_filter of ${link.name} is ${effective}: everything that arrives on it is dropped.`;
    return [bad("filter", text, known, cure)];
  }
  if (effective === 0)
    return [good("filter", `${brnf}, and no reverse-path filter stands in the way on ${link.name}.`)];
  if (facts.brnf === 1) {
    const text = `The effective rp_filter of ${link.name} is ${effective}: harmless while bridge-nf-call-iptables is 1, a total loss when it falls to 0.`;
    return [warning("filter", text, known, cure)];
  }
  return [
    good("filter", `${brnf}; rp_filter is ${effective}, and ${link.name} has an address, so that its packets pass.`),
  ];
}
