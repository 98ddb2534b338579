import { type ChildProcess, spawn } from "node:child_process";
import { monoMillis } from "./clock.ts";

/** A line is some 250 bytes; more without an end is not a line of `ip`. */
const LINE_MAX = 8_192;
const RESTART_MS = 1_000;
/** One that ran for so long has not failed: it is started again as soon as the first. */
const RAN_MS = 60_000;

export interface Monitor {
  readonly isRunning: () => boolean;
  readonly stop: () => void;
}

/**
 * Follows `ip -o monitor OBJECT`, which is started again whenever it ends (an overrun of its socket ends it too), after 1 s, and
 * after up to `waitMax` while it goes on ending. `began` is called after each start: what happened in between has to be looked up.
 * With -j the monitor prints text all the same (facts/l2).
 */
export function followMonitor(
  ip: string,
  object: "link" | "neigh",
  heard: (lines: readonly string[], atMono: number) => void,
  began: () => void,
  waitMax = RESTART_MS,
): Monitor {
  let child: ChildProcess | null = null;
  let timer: NodeJS.Timeout | null = null;
  let stopped = false;
  let isRunning = false;
  let wait = RESTART_MS;
  const start = () => {
    if (stopped) return;
    let rest = "";
    const startedAt = monoMillis();
    child = spawn(ip, ["-o", "monitor", object], { cwd: "/", env: {}, stdio: ["ignore", "pipe", "ignore"] });
    isRunning = true;
    child.stdout?.setEncoding("utf8");
    child.stdout?.on("data", (text: string) => {
      const atMono = monoMillis();
      const lines = (rest + text).split("\n");
      rest = (lines.pop() ?? "").slice(0, LINE_MAX);
      heard(lines, atMono);
    });
    let ended = false;
    const again = () => {
      if (ended) return;
      ended = true;
      isRunning = false;
      if (stopped) return;
      wait = monoMillis() - startedAt > RAN_MS ? RESTART_MS : wait;
      timer = setTimeout(start, wait);
      wait = Math.min(waitMax, wait * 2);
    };
    child.on("error", again);
    child.on("exit", again);
    began();
  };
  start();
  return {
    isRunning: () => isRunning,
    stop: () => {
      stopped = true;
      isRunning = false;
      if (timer !== null) clearTimeout(timer);
      child?.kill("SIGKILL");
    },
  };
}
