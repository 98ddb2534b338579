import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { connect } from "node:net";
import { CONTROL_SOCKET } from "./lab-config.ts";
import { widenPath } from "./tools.ts";

/**
 * Finds a running lab and talks to it. Nothing is written down anywhere about a running lab: its director is found in /proc by its
 * control socket, so a lab that was killed leaves nothing behind that could be stale.
 */
export function findLab(): number | null {
  const labs = readdirSync("/proc").filter((entry) => {
    if (!/^\d+$/.test(entry)) return false;
    try {
      return (
        readFileSync(`/proc/${entry}/cmdline`, "utf8").split("\0").includes("--inside") &&
        existsSync(`/proc/${entry}/root${CONTROL_SOCKET}`)
      );
    } catch {
      return false; // Another user's, or gone.
    }
  });
  const newest = labs.map(Number).sort((a, b) => b - a)[0];
  return newest ?? null;
}

export interface Answer {
  readonly ok: boolean;
  readonly detail?: string;
  readonly result?: unknown;
  readonly spaces?: Readonly<Record<string, string>>;
}

export function askLab(pid: number, order: { readonly act: string; readonly fault?: string }): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const socket = connect(`/proc/${pid}/root${CONTROL_SOCKET}`);
    let text = "";
    socket.on("error", reject);
    socket.on("data", (chunk) => {
      text += chunk;
    });
    socket.on("end", () => resolve(JSON.parse(text || '{"ok":false,"detail":"the lab ended"}') as Answer));
    socket.write(`${JSON.stringify(order)}\n`);
  });
}

/** A shell on a machine of the simulated house. */
export function enterSpace(pid: number, ns: string, argv: readonly string[]): Promise<number> {
  widenPath();
  const isOwnUser = readlinkSync(`/proc/${pid}/ns/user`) === readlinkSync("/proc/self/ns/user");
  const flags = ["-t", String(pid), ...(isOwnUser ? [] : ["-U", "--preserve-credentials"]), "-m", "-n", "-p"];
  const shell = argv.length > 0 ? argv : [process.env["SHELL"] ?? "/bin/sh"];
  const child = spawn("nsenter", [...flags, "ip", "netns", "exec", ns, ...shell], {
    stdio: "inherit",
    env: { ...process.env, PS1: `${ns}# ` },
  });
  return new Promise((resolve) => child.on("exit", (code) => resolve(code ?? 1)));
}
