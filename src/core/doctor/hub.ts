import { hostOfUrl } from "../config/house.ts";
import { ping } from "../what-to-type.ts";
import type { Examination } from "./examination.ts";
import { bad, type DoctorFinding, good, unknown, warning } from "./finding.ts";
import type { HubWords } from "./hub-sight.ts";
import { type Joined, sinceOf } from "./joining.ts";

const UNIT = "systemctl status hairpin-hub; journalctl -u hairpin-hub -n 20";

/** The hub: whether it answers, and how its word goes together with what is seen here. Never a reason to doubt an address. */
export function hubFindings(exam: Examination, joined: readonly Joined[]): readonly DoctorFinding[] {
  const { hub, isHub } = exam;
  if (hub == null) return [];
  switch (hub.kind) {
    case "answered":
      return [...worded(exam, hub.address, hub.says, joined), ...hostSeen(exam, hub.says)];
    case "not_asked":
      return [unknown("hub", hub.detail, hub.advice)];
    case "refused":
      return [unknown("hub", `The hub at ${hub.address} does not say what it knows: ${hub.detail}.`, hub.advice)];
    case "silent": {
      const text = `The hub at ${hub.address} does not answer: nobody compares the vantages, repairs or tells.`;
      const known = [`${hub.detail[0]?.toUpperCase() ?? ""}${hub.detail.slice(1)}.`];
      // From elsewhere it may be this machine's path to it that is cut.
      return isHub === true || hub.address.startsWith("unix:")
        ? [bad("hub", text, known, UNIT)]
        : [warning("hub", `The hub at ${hub.address} does not answer from here: ${hub.detail}.`, [], far(hub.address))];
    }
  }
}

function far(address: string): string {
  return `${ping(hostOfUrl(address))}; ${UNIT.split(";")[0]}   # the latter on the hub's machine`;
}

function worded(
  { house }: Examination,
  address: string,
  says: HubWords,
  joined: readonly Joined[],
): readonly DoctorFinding[] {
  if (says.site !== house.site) {
    const text = `The hub at ${address} is that of the site ${says.site}, this configuration is of ${house.site}: its word was not taken.`;
    return [warning("hub", text, [], "hairpin config check   # hub.url and site")];
  }
  const words = `The hub says: ${says.summary} (${address})`;
  if (says.cause === null || says.cause === "announced_elsewhere")
    return [joined.some(({ named }) => named?.by === "here") ? warning("hub", words) : good("hub", words)];
  return joined.some(({ accord }) => accord === "hub" || accord === "same")
    ? [bad("hub", `The hub names it${sinceOf(says)} (${address}).`)]
    : [warning("hub", words, says.evidence.slice(0, 2), "hairpin status")];
}

/** On the host itself its process is looked at directly. */
function hostSeen({ house, where }: Examination, says: HubWords): DoctorFinding[] {
  if (says.heal.host !== "silent" || where === "host") return [];
  const node = Object.values(house.speakers)[0]?.node ?? "the Kubernetes host";
  const text = `The hub hears nothing from hairpin host on ${node}: nothing is repaired, and what the host sees is not known.`;
  return [warning("host_process", text, [], `systemctl status hairpin-host   # on ${node}`)];
}
