import type { PlanLink } from "../core/plan.ts";
import { type Finding, failed, passed } from "./finding.ts";
import type { LinkEntry, PacketSockets } from "./port.ts";

/** ETH_P_ARP. */
const ARP = 0x0806;

/**
 * Whether somebody listens for ARP on the link itself. This holds without any API: /proc/net/packet has a packet socket of
 * protocol 0806 on the link's ifindex exactly when the speaker listens on that very link (facts/l2.md, "The speaker"). It does
 * not prove that the speaker answers: in the boot-order bug it listens and stays silent.
 */
export function judgeSpeaker(
  declared: PlanLink,
  links: readonly LinkEntry[] | null,
  sockets: Awaited<ReturnType<PacketSockets["read"]>>,
): Finding {
  if (links === null || sockets === null)
    return failed("unclassified", "the packet sockets of this machine could not be read");
  const link = links.find((entry) => entry.name === declared.name);
  if (link === undefined) return failed("speaker_missing", `${declared.name} does not exist: nobody can listen on it`);
  const listening = sockets.some((socket) => socket.ifindex === link.ifindex && socket.protocol === ARP);
  return listening
    ? passed()
    : failed("speaker_missing", `no packet socket for ARP on ${declared.name} (ifindex ${link.ifindex})`);
}
