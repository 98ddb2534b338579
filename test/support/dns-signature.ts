import type { Answer } from "dns-packet";

/** The RRSIG record of an address, signed by nobody: what is looked at is that it comes along. */
export function signatureOf(name: string, zone: string): Answer {
  const data = {
    typeCovered: "A",
    algorithm: 13,
    labels: 3,
    originalTTL: 60,
    expiration: 2_000_000_000,
    inception: 1_700_000_000,
    keyTag: 4_711,
    signersName: zone,
    signature: Buffer.alloc(64, 7),
  };
  return { name, type: "RRSIG", class: "IN", ttl: 60, data };
}
