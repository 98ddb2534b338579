import { isIpv6 } from "../core/address.ts";
import { type Network, toNumber } from "./network.ts";

/** IPv6 arithmetic for a dual-stack house: networks of 64 bits, whose hosts are named after their IPv4 address. */

/** The eight groups of an address, as numbers. Only for text that is an IPv6 address. */
export function groupsOf(address: string): readonly number[] {
  const [head = "", tail] = address.split("::");
  const parts = (text: string) => (text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16)));
  const [before, after] = [parts(head), tail === undefined ? [] : parts(tail)];
  const gap = 8 - before.length - after.length;
  return tail === undefined ? before : [...before, ...Array<number>(gap).fill(0), ...after];
}

/** In the form that the kernel prints (RFC 5952), so that what it says can be compared with what was meant. */
export function toAddress6(groups: readonly number[]): string {
  const text = groups.map((group) => group.toString(16)).join(":");
  const runs = [...text.matchAll(/(?:^|:)0(?::0)+(?=:|$)/g)].sort((a, b) => b[0].length - a[0].length);
  const longest = runs[0];
  if (longest === undefined) return text;
  const [before, after] = [text.slice(0, longest.index), text.slice(longest.index + longest[0].length)];
  return `${before}::${after.replace(/^:/, "")}`;
}

export { isIpv6 };

/** The first 64 bits of an address. */
export function prefixOf(address: string): readonly number[] {
  return groupsOf(address).slice(0, 4);
}

export const inPrefix = (prefix: readonly number[], address: string): boolean =>
  isIpv6(address) && prefixOf(address).every((group, index) => group === prefix[index]);

/** The IPv6 address of a machine whose IPv4 address is known; 0xa keeps it clear of what a configuration would choose. */
export function namedAfter(prefix: readonly number[], network: Network, address: string): string {
  const offset = toNumber(address) - network.base;
  return toAddress6([...prefix, 0, 0xa, Math.floor(offset / 65_536), offset % 65_536]);
}

/** fe80 with the MAC in it (RFC 4291, appendix A). */
export function linkLocal(mac: string): string {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = mac.split(":").map((byte) => Number.parseInt(byte, 16));
  return toAddress6([0xfe80, 0, 0, 0, ((a ^ 2) << 8) | b, (c << 8) | 0xff, 0xfe00 | d, (e << 8) | f]);
}

export function bytes6(address: string): Buffer {
  const bytes = Buffer.alloc(16);
  for (const [index, group] of groupsOf(address).entries()) bytes.writeUInt16BE(group, index * 2);
  return bytes;
}

export function address6(bytes: Buffer): string {
  return toAddress6([0, 2, 4, 6, 8, 10, 12, 14].map((offset) => bytes.readUInt16BE(offset)));
}
