import { randomBytes } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { resolve } from "node:path";
import type { Group, House } from "../../core/config/house.ts";
import type { HostConfig } from "../../core/config/schema.ts";
import type { Clock, GuardedLink, Log as HostLog, HostPorts, HostSetup, PauseFile, Tool } from "../../host/port.ts";
import { monoMillis } from "./clock.ts";
import { createProcesses } from "./exec.ts";
import { createLookAround } from "./host-surroundings.ts";
import { openJournalDisk } from "./journal.ts";
import { createKubernetes } from "./kubernetes.ts";
import { createLinks } from "./link-facts.ts";
import type { Log } from "./log.ts";
import { runDirectory } from "./run-directory.ts";

const PAUSE_MAX = 4_096;

/** What the named host (the only one without a name) has to guard, from the configuration file. Null: no such host is declared. */
export function setupOf(
  house: House,
  name: string | null,
): { readonly setup: HostSetup; readonly host: HostConfig } | null {
  const names = Object.keys(house.hosts);
  const wanted = name ?? (names.length === 1 ? names[0]! : null);
  const host = wanted === null ? undefined : house.hosts[wanted];
  if (host === undefined) return null;
  const groups = house.groups.filter((group) => group.link !== null && group.host?.name === wanted);
  const setup: HostSetup = {
    armed: host.armed,
    guard: host.guard,
    budgetHour: house.heal.budget.hour,
    budgetDay: house.heal.budget.day,
    speaker: groups.find((group) => group.speaker !== null)?.speaker ?? null,
    links: groups.map((group) => guardedLinkOf(house, group)),
  };
  return { setup, host };
}

/** A group that has a link, as its host sees it. */
export function guardedLinkOf(house: House, group: Group): GuardedLink {
  return {
    link: group.link!,
    targets: house.targets
      .filter((target) => target.group === group.name)
      .map(({ name, addresses, service }) => ({ name, addresses, service })),
  };
}

export interface NodePorts extends HostPorts {
  readonly tool: (tool: Tool) => string | null;
  readonly close: () => Promise<void>;
}

export function createHostPorts(setup: HostSetup, host: HostConfig, dir: string, log: Log): NodePorts {
  const disk = openJournalDisk(resolve(dir, host.journal));
  const processes = createProcesses();
  let announcing = 0;
  const kubernetes =
    setup.speaker === null ? null : createKubernetes(setup.speaker, resolve(dir, setup.speaker.kubeconfig_file));
  const say: HostLog = (level, fields, message) => log[level](fields, message);
  return {
    clock,
    disk,
    processes: {
      run: async (tool, args) => {
        if (tool !== "arping") return await processes.run(tool, args);
        announcing++;
        try {
          return await processes.run(tool, args);
        } finally {
          announcing--;
        }
      },
    },
    links: createLinks({ ip: processes.path("ip"), isAnnouncing: () => announcing > 0 }),
    kubernetes,
    pause: pauseFile(`${runDirectory()}/pause`),
    lookAround: createLookAround(processes.path("bridge")),
    log: say,
    bootId: randomBytes(8).toString("hex"),
    tool: processes.path,
    close: async () => {
      disk.close();
      await kubernetes?.close();
    },
  };
}

export const clock: Clock = {
  mono: monoMillis,
  wall: () => Date.now(),
  after: (ms, call) => {
    const timer = setTimeout(call, ms);
    return () => clearTimeout(timer);
  },
};

function pauseFile(path: string): PauseFile {
  return {
    read: () => {
      try {
        const stat = statSync(path);
        if (!stat.isFile() || stat.size > PAUSE_MAX) return { text: "", ageMillis: Date.now() - stat.mtimeMs };
        return { text: readFileSync(path, "utf8"), ageMillis: Date.now() - stat.mtimeMs };
      } catch {
        return null;
      }
    },
  };
}
