import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { HUB_SOCKET, NO_RELAY, RELAY_PORT } from "./lab-config.ts";
import { isolation, provideTools } from "./tools.ts";

const MAIN = fileURLToPath(new URL("../cli/main.ts", import.meta.url));
const ANCESTORS_EVERY_MS = 500;
/** What a Ctrl-C may take until everything is gone. */
const END_MS = 2_000;

const say = (text: string) => process.stderr.write(`hairpin lab: ${text}\n`);

/** Starts the director in namespaces of its own and lends it this process's terminal. */
export async function runOuter(args: readonly string[], options: { readonly keep: boolean }): Promise<number> {
  if (!provideTools(say)) return 3;
  const how = isolation();
  if (how === "refused") {
    say(
      "user namespaces are refused here, so the kernel cannot be borrowed. Try `sudo hairpin lab`, or `hairpin lab --loopback`: the same loop without kernel links.",
    );
    return 3;
  }
  const taken = options.keep ? await takenBy(RELAY_PORT) : null;
  if (taken !== null) {
    say(
      `WARNING: 127.0.0.1:${RELAY_PORT} is taken (${taken}), so the hub of this lab cannot be shown there: what answers is not it.`,
    );
    say(
      `who has it: ss -ltnp 'sport = :${RELAY_PORT}'. End that, and start this lab again. Orders (lab break …) work all the same.`,
    );
  }
  const argv = [
    `-${how === "user-namespace" ? "Ur" : ""}nmpf`,
    "--mount-proc",
    "--kill-child=SIGKILL",
    process.execPath,
    MAIN,
    "lab",
    "--inside",
    ...args,
  ];
  // The fourth descriptor is the lifeline: however this process ends, the director sees it close.
  const child = spawn("unshare", argv, {
    stdio: ["inherit", "inherit", "inherit", "pipe"],
    env: { ...process.env, ...(taken === null ? {} : { [NO_RELAY]: taken }) },
  });
  const ended = new Promise<number>((resolve) =>
    child.on("exit", (code, signal) => resolve(signal === null ? (code ?? 70) : 130)),
  );
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => stop(child));
  const watch = followAncestors(() => stop(child));
  const relay = options.keep && taken === null ? openRelay(child) : null;
  const code = await ended;
  clearInterval(watch);
  relay?.close();
  return code;
}

function stop(child: ChildProcess): void {
  (child.stdio[3] as { destroy(): void } | null)?.destroy();
  setTimeout(() => child.kill("SIGKILL"), END_MS - 500).unref();
}

/** The director's PID as this process sees it: the only child of unshare. */
export function innerPid(unshare: number): number | null {
  try {
    const pid = Number(readFileSync(`/proc/${unshare}/task/${unshare}/children`, "utf8").trim().split(" ")[0]);
    return pid > 0 ? pid : null;
  } catch {
    return null;
  }
}

/** Why a port of this machine cannot be listened on; null when it can. Asked before a house is built that nobody could look at. */
function takenBy(port: number): Promise<string | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(null)));
  });
}

/** 127.0.0.1:8787 outside is the hub inside: its unix socket is reached through the director's root directory. */
function openRelay(child: ChildProcess) {
  const server = createServer((client) => {
    const inner = innerPid(child.pid ?? -1);
    if (inner === null) return client.destroy();
    const hub = connect(`/proc/${inner}/root${HUB_SOCKET}`);
    const end = () => {
      client.destroy();
      hub.destroy();
    };
    client.on("error", end);
    hub.on("error", end);
    client.pipe(hub).pipe(client);
  });
  server.on("error", (error: NodeJS.ErrnoException) =>
    say(`127.0.0.1:${RELAY_PORT} cannot be listened on (${error.code}); the lab runs without its relay`),
  );
  server.listen(RELAY_PORT, "127.0.0.1");
  return server;
}

/**
 * npm and the launcher may be killed without a word to this process. Whoever of them stood above it at the start is looked for, and
 * when one is gone the lab ends.
 */
function followAncestors(onGone: () => void): NodeJS.Timeout {
  const watched = new Map<number, string>();
  for (let pid = process.ppid; pid > 1 && watched.size < 8; ) {
    const seen = processOf(pid);
    if (seen === null || !/hairpin|npm|npx/.test(seen.command)) break;
    watched.set(pid, seen.started);
    pid = seen.parent;
  }
  return setInterval(() => {
    for (const [pid, started] of watched) if (processOf(pid)?.started !== started) return onGone();
  }, ANCESTORS_EVERY_MS);
}

function processOf(
  pid: number,
): { readonly parent: number; readonly started: string; readonly command: string } | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (fields[0] === "Z") return null;
    return {
      parent: Number(fields[1]),
      started: fields[19] ?? "",
      command: readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " "),
    };
  } catch {
    return null;
  }
}
