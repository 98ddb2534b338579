/** An address as a number with its width; an IPv4 address in IPv6 clothes (::ffff:192.0.2.1) counts as IPv4. */
interface Parsed {
  readonly bits: 32 | 128;
  readonly value: bigint;
}

function parseV4(text: string): bigint | null {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256)) return null;
  return parts.reduce((sum, part) => (sum << 8n) | BigInt(part), 0n);
}

function parseV6(text: string): bigint | null {
  let source = text;
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(source);
  if (dotted) {
    const v4 = parseV4(dotted[2]!);
    if (v4 === null) return null;
    source = `${dotted[1]}${(v4 >> 16n).toString(16)}:${(v4 & 0xffffn).toString(16)}`;
  }
  const halves = source.split("::");
  if (halves.length > 2) return null;
  const groups = halves.map((half) => (half === "" ? [] : half.split(":")));
  const count = groups.reduce((sum, group) => sum + group.length, 0);
  if (halves.length === 2 ? count > 7 : count !== 8) return null;
  const all = [...groups[0]!, ...Array(8 - count).fill("0"), ...(groups[1] ?? [])];
  if (!all.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return null;
  return all.reduce((sum: bigint, group) => (sum << 16n) | BigInt(`0x${group}`), 0n);
}

export function parseAddress(text: string): Parsed | null {
  const bare = text.replace(/^\[|\]$/g, "").replace(/%.*$/, "");
  const v4 = parseV4(bare);
  if (v4 !== null) return { bits: 32, value: v4 };
  const v6 = bare.includes(":") ? parseV6(bare) : null;
  if (v6 === null) return null;
  return v6 >> 32n === 0xffffn ? { bits: 32, value: v6 & 0xffff_ffffn } : { bits: 128, value: v6 };
}

/** Whether an address lies in a network such as 192.0.2.0/24; without a prefix length, whether it is that address. */
export function isWithin(address: string, network: string): boolean {
  const [base = "", length] = network.split("/");
  const one = parseAddress(address);
  const other = parseAddress(base);
  if (one === null || other === null || one.bits !== other.bits) return false;
  const prefix = length === undefined ? one.bits : Number(length);
  if (!Number.isInteger(prefix) || prefix < 0 || prefix > one.bits) return false;
  const shift = BigInt(one.bits - prefix);
  return one.value >> shift === other.value >> shift;
}
