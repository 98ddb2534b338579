import { address6, bytes6, groupsOf, linkLocal } from "../network6.ts";

/** Neighbour discovery over Ethernet (RFC 4861), as far as an announcer needs it: solicitations in, advertisements out. */

export const ETHERTYPE_IPV6 = 0x86dd;
const [ICMPV6, SOLICITATION, ADVERTISEMENT] = [58, 135, 136] as const;
/**
 * As MetalLB sets them (internal/layer2/ndp.go): an answer is solicited and does not override, so that a client keeps another MAC that
 * it holds until that one has failed; what nobody asked for overrides.
 */
const [ANSWERED, UNASKED] = [0x40, 0x20] as const;
const ALL_NODES = "ff02::1";
const HEADERS = 14 + 40;

export interface Solicitation {
  readonly fromMac: string;
  readonly from: string;
  readonly target: string;
}

const macBytes = (mac: string) => Buffer.from(mac.replaceAll(":", ""), "hex");
const macText = (bytes: Buffer) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(":");

/** Where who-has of IPv6 goes: the solicited-node group of an address, as a MAC. A link hears it only when it has joined. */
export function solicitedMac(address: string): string {
  const groups = groupsOf(address);
  const [high = 0, low = 0] = groups.slice(6);
  return macText(Buffer.from([0x33, 0x33, 0xff, high & 0xff, low >> 8, low & 0xff]));
}

/**
 * Null for anything that is not a neighbour solicitation with the asker's MAC as its first option: MetalLB answers no other, such as those
 * of an asker that has no address yet.
 */
export function parseSolicitation(frame: Buffer): Solicitation | null {
  if (frame.length < HEADERS + 32 || frame.readUInt16BE(12) !== ETHERTYPE_IPV6) return null;
  if (frame[20] !== ICMPV6 || frame[HEADERS] !== SOLICITATION || frame[HEADERS + 24] !== 1) return null;
  return {
    fromMac: macText(frame.subarray(6, 12)),
    from: address6(frame.subarray(22, 38)),
    target: address6(frame.subarray(HEADERS + 8, HEADERS + 24)),
  };
}

export function advertisementFor(asked: Solicitation, mac: string): Buffer {
  return frameOf({ target: asked.target, mac, to: asked.from, toMac: asked.fromMac, flags: ANSWERED });
}

/** What MetalLB sends where IPv4 has gratuitous ARP. */
export function unsolicited(target: string, mac: string): Buffer {
  return frameOf({ target, mac, to: ALL_NODES, toMac: "33:33:00:00:00:01", flags: UNASKED });
}

function frameOf(said: { target: string; mac: string; to: string; toMac: string; flags: number }): Buffer {
  const from = bytes6(linkLocal(said.mac));
  const to = bytes6(said.to);
  const body = Buffer.concat([
    Buffer.from([ADVERTISEMENT, 0, 0, 0, said.flags, 0, 0, 0]),
    bytes6(said.target),
    Buffer.from([2, 1]), // Option: target link-layer address, in units of 8 bytes.
    macBytes(said.mac),
  ]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  body.writeUInt16BE(checksum(Buffer.concat([from, to, length, Buffer.from([0, 0, 0, ICMPV6]), body])), 2);
  const header = Buffer.from([0x60, 0, 0, 0, 0, body.length, ICMPV6, 255]);
  const ethernet = Buffer.concat([macBytes(said.toMac), macBytes(said.mac), Buffer.from([0x86, 0xdd])]);
  return Buffer.concat([ethernet, header, from, to, body]);
}

/** RFC 1071, over a whole number of 16-bit words. */
function checksum(bytes: Buffer): number {
  let sum = 0;
  for (let offset = 0; offset < bytes.length; offset += 2) sum += bytes.readUInt16BE(offset);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return ~sum & 0xffff;
}
