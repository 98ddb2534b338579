import { type ChildProcess, spawn } from "node:child_process";
import type { LinkEvent } from "../../host/port.ts";
import { monoMillis } from "./clock.ts";

/** A line is some 250 bytes; more without an end is not a line of `ip`. */
const LINE_MAX = 8_192;
const RESTART_MS = 1_000;

/**
 * One line of `ip -o monitor link`. Without -o a link takes two lines, and with -j the monitor prints text all the same
 * (facts/l2). Null for what is not a link, such as the end of a neighbour.
 */
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

/**
 * Follows the kernel's link events through `ip monitor`, which is started again whenever it ends (an overrun of its socket ends
 * it too). `began` is called after each start: what happened in between has to be looked up.
 */
export function followLinks(
  ip: string,
  heard: (events: readonly LinkEvent[]) => void,
  began: () => void,
): LinkEventSource {
  let child: ChildProcess | null = null;
  let timer: NodeJS.Timeout | null = null;
  let stopped = false;
  const start = () => {
    if (stopped) return;
    let rest = "";
    child = spawn(ip, ["-o", "monitor", "link"], { cwd: "/", env: {}, stdio: ["ignore", "pipe", "ignore"] });
    child.stdout?.setEncoding("utf8");
    child.stdout?.on("data", (text: string) => {
      const atMono = monoMillis();
      const lines = (rest + text).split("\n");
      rest = (lines.pop() ?? "").slice(0, LINE_MAX);
      const events = lines.flatMap((line) => parseLinkLine(line, atMono) ?? []);
      if (events.length > 0) heard(events);
    });
    let ended = false;
    const again = () => {
      if (ended) return;
      ended = true;
      if (!stopped) timer = setTimeout(start, RESTART_MS);
    };
    child.on("error", again);
    child.on("exit", again);
    began();
  };
  start();
  return {
    stop: () => {
      stopped = true;
      if (timer !== null) clearTimeout(timer);
      child?.kill("SIGKILL");
    },
  };
}
