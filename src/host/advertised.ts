import type { AdvertisedFacts } from "../core/facts.ts";
import type { KubeAdvertisement, KubePool, LabelSelector } from "./port.ts";

/** What the evaluation needs of the cluster. */
export interface AdvertisedInput {
  readonly service: string;
  readonly serviceExists: boolean;
  readonly serviceLabels: Readonly<Record<string, string>>;
  readonly addresses: readonly string[];
  readonly node: string;
  /** Null: the node's labels may not be read; a selector by host name can be judged all the same. */
  readonly nodeLabels: Readonly<Record<string, string>> | null;
  readonly link: string;
  /** Other nodes that may announce (`link.also`), by their names. */
  readonly others: readonly string[];
  readonly advertisements: readonly KubeAdvertisement[];
  readonly pools: readonly KubePool[];
}

/**
 * Whether some L2Advertisement covers the Service's addresses on this node and link, as MetalLB's own speaker decides it: pools by
 * name or label (none named: all), node selectors (none: all nodes), interfaces (none: all). Null when that cannot be told.
 * `interfaces` lists what will announce, were the link among them; null means every interface.
 */
export function evaluateAdvertised(input: AdvertisedInput): AdvertisedFacts | null {
  const { service, addresses, link, node } = input;
  const say = (covered: boolean, interfaces: readonly string[] | null, reason: string | null): AdvertisedFacts => ({
    service,
    addresses: [...addresses],
    covered,
    interfaces: interfaces === null ? null : [...interfaces],
    reason,
  });
  if (!input.serviceExists) return say(false, [], `the Service ${service} does not exist`);
  const pools = input.pools.filter((pool) =>
    addresses.some((address) => pool.addresses.some((range) => inRange(address, range))),
  );
  if (pools.length === 0) return say(false, [], `no IPAddressPool holds ${addresses.join(", ")}`);
  const poolNames = pools.map((pool) => pool.name).join(", ");
  const byPool = input.advertisements.filter(
    (ad) =>
      pools.some((pool) => coversPool(ad, pool)) &&
      (ad.serviceSelectors.length === 0 ||
        ad.serviceSelectors.some((selector) => matches(selector, input.serviceLabels))),
  );
  if (byPool.length === 0) {
    return say(
      false,
      [],
      input.advertisements.length === 0
        ? "there is no L2Advertisement"
        : `no L2Advertisement covers the pool ${poolNames}`,
    );
  }
  const labels = input.nodeLabels ?? { "kubernetes.io/hostname": node };
  const known = input.nodeLabels !== null;
  const standing = byPool.map((ad) => ({ ad, here: coversNode(ad, labels, known) }));
  const here = standing.filter((entry) => entry.here === true).map((entry) => entry.ad);
  const unsure = standing.some((entry) => entry.here === null);
  const onLink = here.filter((ad) => ad.interfaces.length === 0 || ad.interfaces.includes(link));
  if (onLink.length > 0) {
    const all = here.some((ad) => ad.interfaces.length === 0);
    return say(
      true,
      all ? null : union(here),
      all ? `${onLink[0]!.name} names no interfaces: every interface announces` : null,
    );
  }
  if (unsure) return null;
  if (here.length > 0) {
    const names = here.map((ad) => ad.name).join(", ");
    return say(false, union(here), `L2Advertisement ${names} names ${union(here).join(", ")}, not ${link}`);
  }
  const nodes = input.others.filter((other) =>
    byPool.some((ad) => coversNode(ad, { "kubernetes.io/hostname": other }, false) === true),
  );
  const names = byPool.map((ad) => ad.name).join(", ");
  const reason = `the node selectors of L2Advertisement ${names} leave out node ${node}`;
  return { ...say(false, [], nodes.length === 0 ? reason : `${reason} and name ${nodes.join(", ")}`), nodes };
}

function union(ads: readonly KubeAdvertisement[]): string[] {
  return [...new Set(ads.flatMap((ad) => ad.interfaces))];
}

function coversPool(ad: KubeAdvertisement, pool: KubePool): boolean {
  if (ad.pools.length === 0 && ad.poolSelectors.length === 0) return true;
  return ad.pools.includes(pool.name) || ad.poolSelectors.some((selector) => matches(selector, pool.labels));
}

/** Null: a selector asks for a label that is not known here. */
function coversNode(ad: KubeAdvertisement, labels: Readonly<Record<string, string>>, known: boolean): boolean | null {
  if (ad.nodeSelectors.length === 0) return true;
  let unsure = false;
  for (const selector of ad.nodeSelectors) {
    if (!known && keysOf(selector).some((key) => !(key in labels))) unsure = true;
    else if (matches(selector, labels)) return true;
  }
  return unsure ? null : false;
}

function keysOf(selector: LabelSelector): string[] {
  return [
    ...Object.keys(selector.matchLabels ?? {}),
    ...(selector.matchExpressions ?? []).map((expression) => expression.key),
  ];
}

/** A label selector of Kubernetes; an empty one matches everything. */
export function matches(selector: LabelSelector, labels: Readonly<Record<string, string>>): boolean {
  const has = (key: string) => Object.hasOwn(labels, key);
  for (const [key, value] of Object.entries(selector.matchLabels ?? {}))
    if (!has(key) || labels[key] !== value) return false;
  return (selector.matchExpressions ?? []).every(({ key, operator, values = [] }) => {
    switch (operator) {
      case "In":
        return has(key) && values.includes(labels[key]!);
      case "NotIn":
        return !has(key) || !values.includes(labels[key]!);
      case "Exists":
        return has(key);
      case "DoesNotExist":
        return !has(key);
      default:
        return false;
    }
  });
}

/** Whether an address lies in "10.0.0.0/24", "10.0.0.1-10.0.0.9" or a single address. False for what cannot be read. */
export function inRange(address: string, range: string): boolean {
  const wanted = parseAddress(address);
  if (wanted === null) return false;
  const [first = "", last] = range.split("-").map((part) => part.trim());
  if (last !== undefined) {
    const low = parseAddress(first);
    const high = parseAddress(last);
    return (
      low !== null &&
      high !== null &&
      low.bits === wanted.bits &&
      high.bits === wanted.bits &&
      low.value <= wanted.value &&
      wanted.value <= high.value
    );
  }
  const [base = "", prefix] = first.split("/");
  const low = parseAddress(base);
  if (low === null || low.bits !== wanted.bits) return false;
  const length = prefix === undefined ? low.bits : /^\d{1,3}$/.test(prefix) ? Number(prefix) : -1;
  if (length < 0 || length > low.bits) return false;
  const shift = BigInt(low.bits - length);
  return low.value >> shift === wanted.value >> shift;
}

function parseAddress(text: string): { bits: 32 | 128; value: bigint } | null {
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(text)) {
    const parts = text.split(".").map(Number);
    return parts.every((part) => part <= 255)
      ? { bits: 32, value: parts.reduce((sum, part) => (sum << 8n) | BigInt(part), 0n) }
      : null;
  }
  if (!/^[0-9a-fA-F:]{2,39}$/.test(text)) return null;
  const halves = text.split("::");
  if (halves.length > 2) return null;
  const head = halves[0] === "" ? [] : halves[0]!.split(":");
  const tail = halves[1] === undefined || halves[1] === "" ? [] : halves[1].split(":");
  const gap = 8 - head.length - tail.length;
  if (halves.length === 1 ? gap !== 0 : gap < 1) return null;
  const groups = [...head, ...Array<string>(halves.length === 1 ? 0 : gap).fill("0"), ...tail];
  if (!groups.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return null;
  return { bits: 128, value: groups.reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n) };
}
