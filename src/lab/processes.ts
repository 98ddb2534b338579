import type { ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { CA_FILE, RUN_DIR } from "./lab-config.ts";
import { spawnIn } from "./shell.ts";

/** One JSON line that a process of hairpin wrote. */
export interface LogLine {
  readonly event?: string;
  readonly msg?: string;
  readonly level?: number;
  readonly mono_ms?: number;
  readonly [key: string]: unknown;
}

/** A real process of hairpin, as the director holds it. */
export interface HairpinProcess {
  /** "hub", "host", or the vantage's name. */
  readonly who: string;
  readonly kind: "hub" | "host" | "vantage";
  readonly ns: string;
  readonly pid: number;
  readonly child: ChildProcess;
  readonly ended: Promise<string>;
  /** The last lines that were no JSON, and of stderr: what to show when it ends by surprise. */
  readonly complaints: () => string;
}

const MAIN = fileURLToPath(new URL("../cli/main.ts", import.meta.url));
const COMPLAINTS_MAX = 4_096;

export function startProcess(
  start: {
    readonly who: string;
    readonly kind: HairpinProcess["kind"];
    readonly ns: string;
    readonly args: readonly string[];
    /** Whether it calls somebody whose certificate is the lab's own. */
    readonly trustsLab: boolean;
  },
  onLine: (who: string, line: LogLine) => void,
): HairpinProcess {
  // Authorities cost memory in every process that loads them, so they come only where they are needed.
  const env = { HAIRPIN_RUN: RUN_DIR, HAIRPIN_LAB: "1", ...(start.trustsLab ? { NODE_EXTRA_CA_CERTS: CA_FILE } : {}) };
  const child = spawnIn(start.ns, [process.execPath, MAIN, start.kind, ...start.args], { env });
  let complaints = "";
  const complain = (text: string) => {
    complaints = (complaints + text).slice(-COMPLAINTS_MAX);
  };
  child.stderr?.on("data", (chunk) => complain(String(chunk)));
  createInterface({ input: child.stdout! }).on("line", (text) => {
    try {
      onLine(start.who, JSON.parse(text) as LogLine);
    } catch {
      complain(`${text}\n`);
    }
  });
  const ended = new Promise<string>((resolve) => child.on("exit", (code, signal) => resolve(signal ?? `exit ${code}`)));
  return {
    who: start.who,
    kind: start.kind,
    ns: start.ns,
    pid: child.pid ?? -1,
    child,
    ended,
    complaints: () => complaints.trim(),
  };
}
