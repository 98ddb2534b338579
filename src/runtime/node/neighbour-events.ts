import type { FollowNeighbours, NeighbourEvent } from "../../probes/port.ts";
import { followMonitor, type Monitor } from "./ip-monitor.ts";
import { findProgram } from "./probe-command.ts";

/** Where `ip monitor` cannot run at all it is tried again now and then, not once a second. */
const WAIT_MAX_MS = 60_000;

const MAC = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/;
const ADDRESS = /^[0-9a-f.:]{2,45}$/;

/** One line of `ip -o monitor neigh`, such as `10.0.0.2 dev eth0 lladdr 02:… router STALE`; null for what is not a neighbour. */
export function parseNeighbourLine(line: string): NeighbourEvent | null {
  const words = line.trim().split(" ");
  const isDeleted = words[0] === "Deleted";
  const [address = "", dev, , ...rest] = isDeleted ? words.slice(1) : words;
  if (dev !== "dev" || !ADDRESS.test(address)) return null;
  const mac = rest[0] === "lladdr" && MAC.test(rest[1] ?? "") ? rest[1]! : null;
  const state = rest.at(-1) ?? "";
  return { address, mac: isDeleted ? null : mac, state: /^[A-Z]{4,10}$/.test(state) ? state : null };
}

/** The kernel's neighbour table as it changes, of every link of this machine. It needs no right. */
export function createNeighbourFollower(): { readonly follow: FollowNeighbours; readonly stop: () => void } {
  const ip = findProgram("ip");
  let monitor: Monitor | null = null;
  return {
    follow: (heard, began) => {
      if (ip === null) return null;
      const take = (lines: readonly string[]) => {
        for (const line of lines) {
          const event = parseNeighbourLine(line);
          if (event !== null) heard(event);
        }
      };
      monitor = followMonitor(ip, "neigh", take, began, WAIT_MAX_MS);
      return monitor;
    },
    stop: () => monitor?.stop(),
  };
}
