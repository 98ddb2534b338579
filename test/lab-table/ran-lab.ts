import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { FaultResult } from "../../src/lab/moment.ts";

const MAIN = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));

/** Some rounds of each vantage, and what the host said between them. */
const BEFORE_MAX = 40;

/** One line of `hairpin lab --json`. */
export interface LabLine {
  readonly at_ms?: number;
  readonly who?: string;
  readonly what?: string;
  readonly [key: string]: unknown;
}

/** Everything that was heard from the beginning of one fault to its result, and what the doctors said after it. */
export interface Told {
  readonly fault: string;
  /** On the clock of the lines' `mono_ms`. */
  readonly startedMono: number;
  /** What was recorded before the fault, while all was well. */
  readonly before: readonly LabLine[];
  readonly lines: readonly LabLine[];
  /** How many of the lines came before the result: what follows is the doctors' second look, and the lab's own putting right. */
  readonly until: number;
  readonly result: FaultResult | null;
}

export interface LabRun {
  readonly exit: number | null;
  readonly told: readonly Told[];
  /** Faults that cannot happen in this house, with the reason. */
  readonly skipped: ReadonlyMap<string, string>;
  readonly stderr: string;
}

/** Runs one house to its end, which may hold many faults, and calls back as each fault is over. */
export function runLab(
  args: readonly string[],
  options: {
    readonly limitMs: number;
    readonly onTold: (told: Told) => void;
    readonly onFault: (name: string) => void;
  },
): Promise<LabRun> {
  const child = spawn(process.execPath, [MAIN, "lab", "--json", ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const told: Told[] = [];
  const skipped = new Map<string, string>();
  let stderr = "";
  let open: (Told & { lines: LabLine[]; until: number; result: FaultResult | null }) | null = null;
  let recent: LabLine[] = [];
  const close = () => {
    if (open === null) return;
    told.push(open);
    options.onTold(open);
    open = null;
  };
  const take = (line: LabLine) => {
    if (line.what === "skipped") skipped.set(String(line["fault"]), String(line["text"]));
    if (line.what === "fault") {
      close();
      open = {
        fault: String(line["fault"]),
        startedMono: Number(line["mono_ms"]),
        before: recent,
        lines: [],
        until: 0,
        result: null,
      };
      options.onFault(open.fault);
    } else if ("healed" in line && open !== null) {
      open.result = line as unknown as FaultResult;
      open.until = open.lines.length;
    } else open?.lines.push(line);
    if (String(line.what).startsWith("heard_")) recent = [...recent, line].slice(-BEFORE_MAX);
    if (line.what === "lab" && /put right again/.test(String(line["text"]))) close();
  };
  child.stderr.on("data", (chunk) => {
    stderr = (stderr + String(chunk)).slice(-8_192);
  });
  createInterface({ input: child.stdout }).on("line", (text) => {
    try {
      take(JSON.parse(text) as LabLine);
    } catch {
      stderr = `${stderr}${text}\n`.slice(-8_192);
    }
  });
  const timer = setTimeout(() => child.kill("SIGTERM"), options.limitMs);
  return new Promise((resolve) =>
    child.on("close", (exit) => {
      clearTimeout(timer);
      close();
      resolve({ exit, told, skipped, stderr });
    }),
  );
}
