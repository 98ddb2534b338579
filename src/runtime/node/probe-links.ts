import { readFile } from "node:fs/promises";
import type { LinkEntry, LinkTable, PacketSockets } from "../../probes/port.ts";
import { findProgram, runCommand } from "./probe-command.ts";
import { jsonRows } from "./probe-neighbours.ts";

export function createLinkTable(): LinkTable {
  const ip = findProgram("ip");
  return {
    async read() {
      if (ip === null) return null;
      const { code, stdout } = await runCommand(ip, ["-j", "-d", "link", "show"]);
      return code === 0 ? parseLinks(stdout) : null;
    },
  };
}

export const packetSockets: PacketSockets = {
  async read() {
    try {
      return parsePacketSockets(await readFile("/proc/net/packet", "utf8"));
    } catch {
      return null;
    }
  },
};

export function parseLinks(stdout: string): LinkEntry[] {
  return jsonRows(stdout).flatMap((row) => {
    if (typeof row["ifname"] !== "string" || typeof row["ifindex"] !== "number") return [];
    const info = (row["linkinfo"] ?? {}) as Readonly<Record<string, unknown>>;
    const facts = (info["info_data"] ?? {}) as Readonly<Record<string, unknown>>;
    const flags = Array.isArray(row["flags"]) ? row["flags"] : [];
    return [
      {
        name: row["ifname"],
        ifindex: row["ifindex"],
        up: flags.includes("UP"),
        mac: text(row["address"])?.toLowerCase() ?? null,
        kind: text(info["info_kind"]),
        mode: text(facts["mode"]),
        parent: text(row["link"]),
      },
    ];
  });
}

/** Columns: sk RefCnt Type Proto Iface R Rmem User Inode; the protocol is hexadecimal, the interface is not. */
export function parsePacketSockets(text: string): { readonly ifindex: number; readonly protocol: number }[] {
  return text
    .split("\n")
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((columns) => columns.length >= 5)
    .map((columns) => ({ protocol: Number.parseInt(columns[3]!, 16), ifindex: Number(columns[4]) }));
}

const text = (value: unknown): string | null => (typeof value === "string" ? value : null);
