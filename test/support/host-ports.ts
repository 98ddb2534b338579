import type { LinkConfig } from "../../src/core/config/schema.ts";
import type { CommandReport } from "../../src/core/repair.ts";
import type { HostPorts, HostSetup, JournalDisk, Kubernetes, LinkRow, Sysctl, Tool } from "../../src/host/port.ts";

/** A disk in memory that records the order of calls and fails when told to. */
export function memoryDisk(start: Uint8Array | null, calls: string[] = []) {
  let bytes = start === null ? null : Buffer.from(start);
  const disk = {
    calls,
    fail: null as "append" | "sync" | null,
    content: () => bytes ?? Buffer.alloc(0),
    free: () => 1e9 as number | null,
    read: () => bytes,
    append: (line: Uint8Array) => {
      calls.push("append");
      if (disk.fail === "append") {
        bytes = Buffer.concat([bytes ?? Buffer.alloc(0), line.subarray(0, line.length / 2)]);
        throw new Error("ENOSPC");
      }
      bytes = Buffer.concat([bytes ?? Buffer.alloc(0), line]);
    },
    sync: () => {
      calls.push("sync");
      if (disk.fail === "sync") throw new Error("EIO");
    },
    syncDirectory: () => void calls.push("syncDirectory"),
    truncate: (length: number) => {
      bytes = bytes?.subarray(0, length) ?? null;
    },
    replace: (other: Uint8Array) => {
      bytes = Buffer.from(other);
    },
  } satisfies JournalDisk & Record<string, unknown>;
  return disk;
}

export const LINK: LinkConfig = {
  name: "metallb0",
  parent: "bridge0",
  mac: "f2:5a:5f:84:40:e8",
  mode: "bridge",
  sysctl: { rp_filter: 0, arp_ignore: 1 },
  addresses: [],
  fdb_local: true,
  also: {},
};

export const SPEAKER = {
  namespace: "metallb-system",
  selector: "component=speaker",
  node: "n5",
  kubeconfig_file: "k",
  services: ["network/dns"],
};

export function setup(more: Partial<HostSetup> = {}): HostSetup {
  return {
    armed: true,
    guard: true,
    budgetHour: 3,
    budgetDay: 8,
    speaker: null,
    links: [{ link: LINK, targets: [{ name: "dns", addresses: ["192.168.8.53"], service: "network/dns" }] }],
    ...more,
  };
}

/** A small kernel: a bridge, a macvlan, sysctls that a new link takes from the default, and the commands that change them. */
export function kernel(disk = memoryDisk(null)) {
  const bridge: LinkRow = {
    name: "bridge0",
    ifindex: 2,
    up: true,
    carrier: true,
    mac: "02:00:00:00:00:aa",
    parent: null,
    master: null,
    kind: "bridge",
    mode: null,
    hairpin: null,
  };
  const world = {
    disk,
    calls: disk.calls,
    rows: [bridge] as LinkRow[],
    sysctls: new Map<string, number>(),
    next: 3,
    mono: 1_000,
    failures: new Map<string, CommandReport>(),
    pauseText: null as string | null,
    sockets: new Set<number>(),
    logs: [] as { level: string; fields: Readonly<Record<string, unknown>>; message: string }[],
    timers: [] as { at: number; call: () => void }[],
    /** A command that waits until it is let go. */
    hold: null as Promise<void> | null,
    add: (row: Partial<LinkRow>) => {
      const full: LinkRow = {
        ...bridge,
        name: "metallb0",
        ifindex: world.next++,
        mac: LINK.mac,
        parent: "bridge0",
        kind: "macvlan",
        mode: "bridge",
        ...row,
      };
      world.rows.push(full);
      world.sysctls.set(`${full.name}.rp_filter`, 2).set(`${full.name}.arp_ignore`, 0);
    },
    right: () => {
      world.add({});
      world.sysctls.set("metallb0.rp_filter", 0).set("metallb0.arp_ignore", 1);
    },
    remove: (name: string) => {
      world.rows = world.rows.filter((row) => row.name !== name && row.parent !== name);
    },
    link: () => world.rows.find((row) => row.name === "metallb0") ?? null,
    /** Lets time pass, and every timer that falls due. */
    pass: async (ms: number) => {
      const end = world.mono + ms;
      for (;;) {
        await settle();
        const due = world.timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0];
        if (due === undefined) break;
        world.timers = world.timers.filter((timer) => timer !== due);
        world.mono = Math.max(world.mono, due.at);
        due.call();
      }
      world.mono = end;
      await settle();
    },
  };
  const run = async (tool: Tool, args: readonly string[]): Promise<CommandReport> => {
    const command = [tool, ...args].join(" ");
    world.calls.push(command);
    await world.hold;
    const report = (exit: number, output = ""): CommandReport => ({ argv: [tool, ...args], ms: 1, exit, output });
    for (const [pattern, failure] of world.failures) if (command.includes(pattern)) return failure;
    if (tool === "arping") return report(1);
    if (command.startsWith("ip link add")) {
      if (!world.rows.some((row) => row.name === args[4])) return report(1, "Cannot find device");
      if (world.rows.some((row) => row.name === args[2])) return report(2, "RTNETLINK answers: File exists");
      world.add({ name: args[2]!, parent: args[4]!, mac: args[6]!, mode: args[11]! });
    } else if (command.startsWith("ip link delete")) {
      const index = Number(args[3]!.slice(2));
      if (!world.rows.some((row) => row.ifindex === index)) return report(1, "Cannot find device");
      world.rows = world.rows.filter((row) => row.ifindex !== index);
    } else if (command.startsWith("ip link set")) {
      world.rows = world.rows.map((row) => (row.name === args[3] ? { ...row, up: true } : row));
    }
    return report(0);
  };
  const ports = (kubernetes: Kubernetes | null = null): HostPorts => ({
    bootId: "boot",
    clock: {
      mono: () => world.mono,
      wall: () => Date.parse("2026-11-24T10:00:00Z") + world.mono,
      after: (ms, call) => {
        const timer = { at: world.mono + ms, call };
        world.timers.push(timer);
        return () => {
          world.timers = world.timers.filter((other) => other !== timer);
        };
      },
    },
    disk,
    processes: { run },
    links: {
      table: async () => world.rows,
      addresses: async () => [],
      sysctl: (name, key) => world.sysctls.get(`${name}.${key}`) ?? null,
      setSysctl: (name: string, key: Sysctl, value: number) => {
        world.calls.push(`sysctl ${key}=${value}`);
        world.sysctls.set(`${name}.${key}`, value);
        return null;
      },
      arpSockets: () => world.sockets,
      brnf: () => 0,
      reversePathDrops: () => 0,
      neighbours: async () => [],
      suspects: () => ["NetworkManager"],
    },
    kubernetes,
    pause: { read: () => (world.pauseText === null ? null : { text: world.pauseText, ageMillis: 0 }) },
    log: (level, fields, message) => void world.logs.push({ level, fields, message }),
  });
  return { world, ports };
}

/** Every promise that can settle without time passing has settled. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await Promise.resolve();
}
