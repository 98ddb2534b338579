import { existsSync, readFileSync, writeFileSync } from "node:fs";
import type { LinkRow, Links, Neighbour } from "../../host/port.ts";
import { runProgram } from "./exec.ts";

/** A node with some hundred pods shows some hundred links of about 1 KiB each. */
const TABLE_MAX = 8 * 1_048_576;
const QUERY_MS = 3_000;

interface IpLink {
  readonly ifindex: number;
  readonly ifname: string;
  readonly link?: string | null;
  readonly master?: string;
  readonly flags?: readonly string[];
  readonly address?: string;
  readonly linkinfo?: {
    readonly info_kind?: string;
    readonly info_data?: { readonly mode?: string };
    readonly info_slave_data?: { readonly hairpin?: boolean };
  };
}

/** The rows of `ip -j -d link show`; null when it is not that. */
export function parseLinkTable(text: string): readonly LinkRow[] | null {
  try {
    const parsed: unknown = JSON.parse(text);
    if (!Array.isArray(parsed)) return null;
    return (parsed as IpLink[]).filter((link) => typeof link.ifname === "string").map(rowOf);
  } catch {
    return null;
  }
}

function rowOf(link: IpLink): LinkRow {
  const kind = link.linkinfo?.info_kind ?? null;
  return {
    name: link.ifname,
    ifindex: link.ifindex,
    up: link.flags?.includes("UP") ?? false,
    carrier: link.flags?.includes("LOWER_UP") ?? false,
    mac: link.address ?? null,
    parent: link.link ?? null,
    master: link.master ?? null,
    kind,
    mode: kind === "macvlan" ? (link.linkinfo?.info_data?.mode ?? null) : null,
    hairpin: link.linkinfo?.info_slave_data?.hairpin ?? null,
  };
}

/** Interface indexes with a packet socket of protocol 0806 in a text of /proc/net/packet; columns sk RefCnt Type Proto Iface …. */
export function parsePacketSockets(text: string): ReadonlySet<number> {
  const rows = text
    .split("\n")
    .slice(1)
    .map((line) => line.trim().split(/\s+/));
  return new Set(rows.filter((row) => row[3] === "0806").map((row) => Number(row[4])));
}

/** TcpExtIPReversePathFilter in a text of /proc/net/netstat, whose lines come in pairs of names and values. */
export function parseReversePathDrops(text: string): number | null {
  const [names, values] = text
    .split("\n")
    .filter((line) => line.startsWith("TcpExt:"))
    .map((line) => line.split(" "));
  const column = names?.indexOf("IPReversePathFilter") ?? -1;
  const value = column < 0 ? Number.NaN : Number(values?.[column]);
  return Number.isFinite(value) ? value : null;
}

export interface LinksOptions {
  readonly ip: string | null;
  /** While our own arping is open it has an ARP socket too: the sockets are then not looked at. */
  readonly isAnnouncing: () => boolean;
}

/** The kernel's links, through iproute2 and /proc. /sys is left aside: in a container it may show another network namespace. */
export function createLinks({ ip, isAnnouncing }: LinksOptions): Links {
  let sockets: ReadonlySet<number> | null = null;
  const query = async (argv: readonly string[]): Promise<string | null> => {
    if (ip === null) return null;
    const { exit, stdout } = await runProgram(ip, argv, { outputMax: TABLE_MAX, timeoutMs: QUERY_MS });
    return exit === 0 ? stdout : null;
  };
  return {
    table: async () => {
      const text = await query(["-j", "-d", "link", "show"]);
      return text === null ? null : parseLinkTable(text);
    },
    addresses: async (name) => {
      const text = await query(["-j", "address", "show", "dev", name]);
      if (text === null) return null;
      try {
        const [link] = JSON.parse(text) as { addr_info?: { local: string; prefixlen: number }[] }[];
        return (link?.addr_info ?? []).map(({ local, prefixlen }) => `${local}/${prefixlen}`);
      } catch {
        return null;
      }
    },
    sysctl: (name, key) => number(read(sysctlPath(name, key))),
    setSysctl: (name, key, value) => {
      try {
        writeFileSync(sysctlPath(name, key), `${value}\n`);
        return null;
      } catch (error) {
        return (error as NodeJS.ErrnoException).code ?? String(error);
      }
    },
    arpSockets: () => {
      if (isAnnouncing()) return sockets;
      const text = read("/proc/net/packet");
      sockets = text === null ? null : parsePacketSockets(text);
      return sockets;
    },
    brnf: () => number(read("/proc/sys/net/bridge/bridge-nf-call-iptables")),
    reversePathDrops: () => {
      const text = read("/proc/net/netstat");
      return text === null ? null : parseReversePathDrops(text);
    },
    neighbours: async (dev) => {
      const text = await query(["-j", "neigh", "show", "dev", dev]);
      return text === null ? null : parseNeighbours(text);
    },
    suspects: () => SUSPECTS.filter(([path]) => existsSync(path)).map(([, name]) => name),
  };
}

/** Programs that arrange links, by a path that is there while they run or where they are set up. */
const SUSPECTS = [
  ["/run/systemd/netif/state", "systemd-networkd (networkctl)"],
  ["/run/NetworkManager", "NetworkManager (nmcli device)"],
  ["/run/network/ifstate", "ifupdown (/etc/network/interfaces)"],
  ["/run/dhcpcd", "dhcpcd"],
  ["/run/connman", "connman"],
] as const;

function parseNeighbours(text: string): readonly Neighbour[] | null {
  try {
    const rows = JSON.parse(text) as { dst: string; lladdr?: string; state?: string[] }[];
    return rows.map((row) => ({ address: row.dst, mac: row.lladdr ?? null, state: row.state?.[0] ?? "NONE" }));
  } catch {
    return null;
  }
}

function sysctlPath(name: string, key: string): string {
  if (name === "." || name === ".." || name.includes("/")) throw new Error(`not the name of a link: ${name}`);
  return `/proc/sys/net/ipv4/conf/${name}/${key}`;
}

function read(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}

function number(text: string | null): number | null {
  const value = text === null || text.trim() === "" ? Number.NaN : Number(text);
  return Number.isFinite(value) ? value : null;
}
