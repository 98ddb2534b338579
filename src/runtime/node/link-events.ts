import type { LinkEvent } from "../../host/port.ts";
import { followMonitor } from "./ip-monitor.ts";

/** One line of `ip -o monitor link`. Without -o a link takes two lines. Null for what is not a link, such as the end of a neighbour. */
export function parseLinkLine(line: string, atMono: number): LinkEvent | null {
  const found = /^(Deleted )?(\d+): ([^\s:@]+)(?:@([^\s:]+))?: <([^>]*)>/.exec(line);
  if (found === null) return null;
  const [, deleted, ifindex, name, parent, flags] = found;
  return {
    deleted: deleted !== undefined,
    name: name!,
    ifindex: Number(ifindex),
    up: flags!.split(",").includes("UP"),
    mac: /link\/ether ([0-9a-f:]{17})/.exec(line)?.[1] ?? null,
    parent: parent ?? null,
    atMono,
  };
}

export interface LinkEventSource {
  readonly stop: () => void;
}

/** Follows the kernel's link events. `began` is called after each start: what happened in between has to be looked up. */
export function followLinks(
  ip: string,
  heard: (events: readonly LinkEvent[]) => void,
  began: () => void,
): LinkEventSource {
  const take = (lines: readonly string[], atMono: number) => {
    const events = lines.flatMap((line) => parseLinkLine(line, atMono) ?? []);
    if (events.length > 0) heard(events);
  };
  return followMonitor(ip, "link", take, began);
}
