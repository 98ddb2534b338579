import { spawn } from "node:child_process";
import type { CommandReport } from "../../core/repair.ts";
import type { Processes, Tool } from "../../host/port.ts";
import { monoMillis } from "./clock.ts";
import { findProgram } from "./probe-command.ts";

/** A command that hangs is killed with its children (fault 31). */
const TIMEOUT_MS = 10_000;
const OUTPUT_MAX = 4_096;
/** After the group was killed its pipes ought to close at once; a process that left the group is not waited for. */
const LINGER_MS = 500;

export interface RunOptions {
  readonly outputMax?: number;
  readonly timeoutMs?: number;
}

export interface Finished {
  readonly ms: number;
  /** Null: killed, or never started. */
  readonly exit: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Why there is no exit status, or what was cut. */
  readonly note: string | null;
}

/**
 * Runs one program: absolute path, fixed argv, empty environment, no shell, a process group of its own that is killed at the end,
 * bounded output. Never rejects: whatever happens is in the result.
 */
export function runProgram(path: string, argv: readonly string[], options: RunOptions = {}): Promise<Finished> {
  const outputMax = options.outputMax ?? OUTPUT_MAX;
  const timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
  return new Promise((resolve) => {
    const started = monoMillis();
    const child = spawn(path, [...argv], { cwd: "/", env: {}, detached: true, stdio: ["ignore", "pipe", "pipe"] });
    const out = collector(outputMax);
    const err = collector(outputMax);
    let note: string | null = null;
    let exit: number | null = null;
    let settled = false;
    const killGroup = () => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
      } catch {
        // The group is gone already.
      }
    };
    const settle = () => {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      killGroup();
      child.stdout?.destroy();
      child.stderr?.destroy();
      resolve({ ms: monoMillis() - started, exit, stdout: out.text(), stderr: err.text(), note });
    };
    const timer = setTimeout(() => {
      note = `killed after ${timeoutMs / 1_000} s`;
      killGroup();
      setTimeout(settle, LINGER_MS).unref();
    }, timeoutMs);
    child.stdout?.on("data", out.take);
    child.stderr?.on("data", err.take);
    child.on("error", (error) => {
      note = error.message;
      settle();
    });
    child.on("exit", (code) => {
      exit = note === null ? code : null;
      // Whatever it left behind in its group holds the pipes open: it ends with its leader.
      killGroup();
    });
    child.on("close", settle);
  });
}

function collector(max: number) {
  const chunks: Buffer[] = [];
  let length = 0;
  return {
    take: (chunk: Buffer) => {
      if (length >= max) return;
      chunks.push(chunk.subarray(0, max - length));
      length += chunk.length;
    },
    text: () => Buffer.concat(chunks).toString("utf8"),
  };
}

/** The host's programs, each looked up once in fixed directories: what is run must not depend on who started us. */
export function createProcesses(
  find: (name: string) => string | null = findProgram,
): Processes & { readonly path: (tool: Tool) => string | null } {
  const paths = new Map<Tool, string | null>((["ip", "bridge", "arping"] as const).map((tool) => [tool, find(tool)]));
  return {
    path: (tool) => paths.get(tool) ?? null,
    run: async (tool, args): Promise<CommandReport> => {
      const path = paths.get(tool) ?? find(tool);
      paths.set(tool, path);
      if (path === null)
        return { argv: [tool, ...args], ms: 0, exit: null, output: `${tool} is not installed: ${PACKAGES[tool]}` };
      const { ms, exit, stdout, stderr, note } = await runProgram(path, args);
      const output = [stdout, stderr, note ?? ""]
        .filter((part) => part !== "")
        .join("\n")
        .slice(0, OUTPUT_MAX);
      return { argv: [path, ...args], ms: Math.round(ms * 100) / 100, exit, output };
    },
  };
}

const PACKAGES: Readonly<Record<Tool, string>> = {
  ip: "apt install iproute2",
  bridge: "apt install iproute2",
  arping: "apt install arping (the one by Thomas Habets; iputils-arping cannot announce)",
};
