import { readFileSync } from "node:fs";
import { answerTo, parseArp } from "./arp.ts";
import { serve } from "./channel.ts";
import { openPacketSocket } from "./packet-socket.ts";

/** A machine that answers who-has for addresses that are not its own. */
export interface RogueInit {
  readonly link: string;
  readonly addresses: readonly string[];
}

serve<RogueInit, never>(async ({ link, addresses }) => {
  const read = (file: string) => readFileSync(`/sys/class/net/${link}/${file}`, "utf8").trim();
  const mac = read("address");
  const socket = await openPacketSocket(Number(read("ifindex")), (frame) => {
    const arp = parseArp(frame);
    if (arp?.operation === "request" && addresses.includes(arp.targetIp)) socket.send(answerTo(arp, mac));
  });
  return () => {};
});
