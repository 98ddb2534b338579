/** ARP over Ethernet (RFC 826): 42 bytes, nothing more. */

export interface ArpFrame {
  readonly operation: "request" | "reply";
  readonly senderMac: string;
  readonly senderIp: string;
  readonly targetMac: string;
  readonly targetIp: string;
}

const BROADCAST = "ff:ff:ff:ff:ff:ff";
const FRAME_MIN = 42;

const macBytes = (mac: string) => Buffer.from(mac.replaceAll(":", ""), "hex");
const ipBytes = (address: string) => Buffer.from(address.split(".").map(Number));
const macText = (bytes: Buffer) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(":");

/** Null for anything that is not ARP for IPv4 over Ethernet. */
export function parseArp(frame: Buffer): ArpFrame | null {
  if (
    frame.length < FRAME_MIN ||
    frame.readUInt16BE(12) !== 0x0806 ||
    frame.readUInt16BE(14) !== 1 ||
    frame.readUInt16BE(16) !== 0x0800
  )
    return null;
  const code = frame.readUInt16BE(20);
  if (code !== 1 && code !== 2) return null;
  return {
    operation: code === 1 ? "request" : "reply",
    senderMac: macText(frame.subarray(22, 28)),
    senderIp: [...frame.subarray(28, 32)].join("."),
    targetMac: macText(frame.subarray(32, 38)),
    targetIp: [...frame.subarray(38, 42)].join("."),
  };
}

/** The Ethernet frame of an ARP packet; `to` is the frame's destination. */
export function arpFrame(arp: ArpFrame, to: string): Buffer {
  return Buffer.concat([
    macBytes(to),
    macBytes(arp.senderMac),
    Buffer.from([0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, arp.operation === "request" ? 1 : 2]),
    macBytes(arp.senderMac),
    ipBytes(arp.senderIp),
    macBytes(arp.targetMac),
    ipBytes(arp.targetIp),
  ]);
}

/** The answer to a who-has. */
export function answerTo(request: ArpFrame, mac: string): Buffer {
  const reply: ArpFrame = {
    operation: "reply",
    senderMac: mac,
    senderIp: request.targetIp,
    targetMac: request.senderMac,
    targetIp: request.senderIp,
  };
  return arpFrame(reply, request.senderMac);
}

/** MetalLB's gratuitous ARP: a request and a reply, both broadcast. */
export function gratuitous(address: string, mac: string): readonly Buffer[] {
  const about = { senderMac: mac, senderIp: address, targetMac: BROADCAST, targetIp: address };
  return (["request", "reply"] as const).map((operation) => arpFrame({ operation, ...about }, BROADCAST));
}
