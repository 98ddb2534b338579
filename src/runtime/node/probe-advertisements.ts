import { isIPv6 } from "node:net";
import type { WhoHasAnswer } from "../../core/observation.ts";

/** Neighbour discovery (RFC 4861) as octets: what is asked, by which socket, and what the answers say. Pure. */

const [ICMPV6, SOLICITATION, ADVERTISEMENT] = [58, 135, 136] as const;
const [SOURCE_LINK_LAYER, TARGET_LINK_LAYER] = [1, 2] as const;
/** Up to the options of an advertisement (RFC 4861, 4.4). */
const FIXED = 24;
/** Lengths of options count in these. */
const UNIT = 8;
/** MACs that are told of one question, as of arping's. */
export const ANSWERS_MAX = 16;
/** Of one question; a stranger may send as many as it likes. */
export const OCTETS_MAX = 65_536;

/** Every type of ICMPv6 is blocked but the advertisement: 32 octets, in which a set bit blocks (RFC 3542, 3.2). */
const ONLY_ADVERTISEMENTS = `${"ff".repeat(17)}fe${"ff".repeat(14)}`;
const [AF_INET6, SOCK_RAW, SOL_IPV6, UNICAST_HOPS, MULTICAST_HOPS, ICMP6_FILTER] = [10, 3, 41, 16, 18, 1] as const;

/** The 16 octets of an IPv6 address; null for anything else. */
export function octetsOf(address: string): Buffer | null {
  if (!isIPv6(address) || address.includes("%") || address.includes(".")) return null;
  const [head = "", tail] = address.split("::");
  const words = (text: string) => (text === "" ? [] : text.split(":").map((word) => Number.parseInt(word, 16)));
  const [before, after] = [words(head), tail === undefined ? [] : words(tail)];
  const all = [...before, ...Array<number>(8 - before.length - after.length).fill(0), ...after];
  const octets = Buffer.alloc(16);
  for (const [index, word] of all.entries()) octets.writeUInt16BE(word, index * 2);
  return octets;
}

/** Asks as the kernel would: with our own MAC as an option, without which MetalLB does not answer (internal/layer2/ndp.go). */
export function solicitationFor(target: Buffer, mac: string): Buffer {
  const option = Buffer.from([SOURCE_LINK_LAYER, 1, ...Buffer.from(mac.replaceAll(":", ""), "hex")]);
  // The checksum is the kernel's work for a raw socket of ICMPv6 (RFC 3542, 3.1).
  return Buffer.concat([Buffer.from([SOLICITATION, 0, 0, 0, 0, 0, 0, 0]), target, option]);
}

/**
 * The address for socat of a raw ICMPv6 socket that sends to the solicited-node group of the target over one link, with the hop limit
 * of 255 that every receiver demands, and hears advertisements only. Nothing in it but digits: no text of anybody becomes an option.
 */
export function solicitingSocket(target: Buffer, ifindex: number): string {
  const group = Buffer.concat([Buffer.from("ff0200000000000000000001ff", "hex"), target.subarray(13)]);
  const scope = Buffer.alloc(4);
  scope.writeUInt32LE(ifindex);
  const address = `x000000000000${group.toString("hex")}${scope.toString("hex")}`;
  const options = [
    `setsockopt=${ICMPV6}:${ICMP6_FILTER}:x${ONLY_ADVERTISEMENTS}`,
    `setsockopt-int=${SOL_IPV6}:${MULTICAST_HOPS}:255`,
    `setsockopt-int=${SOL_IPV6}:${UNICAST_HOPS}:255`,
  ];
  return [`SOCKET-DATAGRAM:${AF_INET6}:${SOCK_RAW}:${ICMPV6}:${address}`, ...options].join(",");
}

/** The length of the advertisement at the front; several may have come in one piece, and no option begins as a message does. */
function lengthOf(octets: Buffer): number {
  let end = FIXED;
  while (end + 1 < octets.length && octets[end + 1] !== 0) end += octets[end + 1]! * UNIT;
  return end;
}

/** The MACs that the advertisements in it give for the target, in their order. Nonsense gives none. */
export function advertisedMacs(octets: Buffer, target: Buffer): readonly string[] {
  const macs: string[] = [];
  for (let rest = octets; rest.length >= FIXED && macs.length < ANSWERS_MAX; ) {
    const message = rest.subarray(0, lengthOf(rest));
    rest = rest.subarray(message.length);
    if (message[0] !== ADVERTISEMENT || message[1] !== 0) return macs;
    if (!message.subarray(8, FIXED).equals(target)) continue;
    for (let at = FIXED; at + UNIT <= message.length; at += message[at + 1]! * UNIT) {
      if (message[at] !== TARGET_LINK_LAYER || message[at + 1] !== 1) continue;
      macs.push([...message.subarray(at + 2, at + UNIT)].map((octet) => octet.toString(16).padStart(2, "0")).join(":"));
      break;
    }
  }
  return macs;
}

/** Adds what was heard at `ms` after the question; a MAC counts once, with its first time. */
export function withAnswers(
  before: readonly WhoHasAnswer[],
  macs: readonly string[],
  ms: number,
): readonly WhoHasAnswer[] {
  const fresh = [...new Set(macs)].filter((mac) => !before.some((answer) => answer.mac === mac));
  return [...before, ...fresh.map((mac) => ({ mac, ms: Math.round(ms * 1e3) / 1e3 }))].slice(0, ANSWERS_MAX);
}
