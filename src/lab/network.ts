/** IPv4 arithmetic for a house whose networks come from the configuration. */

export interface Network {
  /** First address, as a number. */
  readonly base: number;
  readonly prefix: number;
}

export function toNumber(address: string): number {
  return address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
}

export function toAddress(value: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join(".");
}

export function isIpv4(text: string): boolean {
  return /^\d{1,3}(\.\d{1,3}){3}$/.test(text) && text.split(".").every((part) => Number(part) < 256);
}

export function networkOf(address: string, prefix: number): Network {
  const size = 2 ** (32 - prefix);
  return { base: Math.floor(toNumber(address) / size) * size, prefix };
}

export function contains(network: Network, address: string): boolean {
  if (!isIpv4(address)) return false;
  const value = toNumber(address);
  return value >= network.base && value < network.base + 2 ** (32 - network.prefix);
}

export function overlaps(a: Network, b: Network): boolean {
  return contains(a, toAddress(b.base)) || contains(b, toAddress(a.base));
}

/** The smallest network of at most 24 bits of prefix that holds all addresses. */
export function spanOf(addresses: readonly string[]): Network {
  const [first = "192.168.8.1"] = addresses;
  for (let prefix = 24; prefix >= 8; prefix--) {
    const network = networkOf(first, prefix);
    if (addresses.every((address) => contains(network, address))) return network;
  }
  return networkOf(first, 24);
}

/** Hands out host addresses of a network that nobody has; preferred last octets first, then counting up. */
export class AddressBook {
  readonly #network: Network;
  readonly #taken: Set<string>;
  constructor(network: Network, taken: Iterable<string>) {
    this.#network = network;
    this.#taken = new Set(taken);
  }

  take(preferred: number): string {
    const last = 2 ** (32 - this.#network.prefix) - 2;
    for (let tried = 0; tried < last; tried++) {
      const address = toAddress(this.#network.base + 1 + ((preferred - 1 + tried) % last));
      if (!this.#taken.has(address)) {
        this.#taken.add(address);
        return address;
      }
    }
    throw new Error(`no free address is left in ${toAddress(this.#network.base)}/${this.#network.prefix}`);
  }
}

/** The first of the candidates that no given network touches. */
export function freeNetwork(candidates: readonly string[], prefix: number, used: readonly Network[]): Network {
  for (const candidate of candidates) {
    const network = networkOf(candidate, prefix);
    if (!used.some((other) => overlaps(other, network))) return network;
  }
  return networkOf(candidates[0]!, prefix);
}
