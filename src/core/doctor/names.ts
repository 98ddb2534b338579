import { isIpv6 } from "../address.ts";
import type { NameSight, Resolved } from "./examination.ts";
import { type DoctorFinding, good, list, unknown, warning } from "./finding.ts";

/**
 * What this machine's own resolver makes of the declared names. Never more than a warning: the probes ask the addresses
 * themselves, and a host seldom resolves by the house's DNS. On the machine of Home Assistant it decides over the login.
 */
export function nameFindings(names: readonly NameSight[]): readonly DoctorFinding[] {
  return names.map((sight) => {
    const { name, wanted, libc, cares } = sight;
    const types = [...new Set(wanted.map((address) => (isIpv6(address) ? "AAAA" : "A")))];
    const show = [`getent ahosts ${name}`, ...types.map((type) => `dig ${name} ${type}`)].join("; ");
    if (isRight(libc, wanted) && isRight(cares, wanted))
      return good("name", `${name} is ${list(wanted)} by this machine's resolver.`);
    if (isSilent(libc) && isSilent(cares))
      return unknown("name", `${name} was not resolved: this machine's resolver does not answer.`);
    const known = [`libc: ${say(libc)}; c-ares (as Home Assistant asks): ${say(cares)}.`];
    if (isRight(libc, wanted) || isRight(cares, wanted)) {
      const text = `libc and c-ares disagree about ${name}: one of them asks another resolver.`;
      return warning("name", text, known, `cat /etc/resolv.conf; ${show}`);
    }
    const text = `${name} does not lead to ${list(wanted)} from here: whoever goes by the name does not come this way.`;
    return warning("name", text, known, `cat /etc/resolv.conf; ${show}`);
  });
}

function isRight(resolved: Resolved, wanted: readonly string[]): boolean {
  return (
    resolved.ok && resolved.addresses.length > 0 && resolved.addresses.every((address) => wanted.includes(address))
  );
}

const isSilent = (resolved: Resolved): boolean => !resolved.ok && !resolved.absent;

const say = (resolved: Resolved): string => (resolved.ok ? resolved.addresses.join(" ") : resolved.detail);
