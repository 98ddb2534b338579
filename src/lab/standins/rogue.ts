import { readFileSync } from "node:fs";
import { isIpv6 } from "../network6.ts";
import { answerTo, parseArp } from "./arp.ts";
import { serve } from "./channel.ts";
import { advertisementFor, ETHERTYPE_IPV6, parseSolicitation } from "./ndp.ts";
import { openPacketSocket } from "./packet-socket.ts";

/** A machine that answers who-has for addresses that are not its own. */
export interface RogueInit {
  readonly link: string;
  readonly addresses: readonly string[];
}

serve<RogueInit, never>(async ({ link, addresses }) => {
  const read = (file: string) => readFileSync(`/sys/class/net/${link}/${file}`, "utf8").trim();
  const mac = read("address");
  const ifindex = Number(read("ifindex"));
  const socket = await openPacketSocket(ifindex, (frame) => {
    const arp = parseArp(frame);
    if (arp?.operation === "request" && addresses.includes(arp.targetIp)) socket.send(answerTo(arp, mac));
  });
  if (addresses.some(isIpv6)) {
    const ndp = await openPacketSocket(
      ifindex,
      (frame) => {
        const asked = parseSolicitation(frame);
        if (asked !== null && addresses.includes(asked.target)) ndp.send(advertisementFor(asked, mac));
      },
      ETHERTYPE_IPV6,
    );
  }
  return () => {};
});
