import { type ChildProcess, spawn } from "node:child_process";

export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a command of the lab may take; all of them take milliseconds. */
const DEADLINE_MS = 15_000;
const OUTPUT_MAX = 262_144;

/** Runs a command to its end. Never throws for what the command says. */
export function run(argv: readonly string[], input?: string, deadlineMs = DEADLINE_MS): Promise<Ran> {
  return new Promise((resolve) => {
    const child = spawn(argv[0]!, argv.slice(1), { stdio: ["pipe", "pipe", "pipe"] });
    let stdout = "";
    let stderr = "";
    const timer = setTimeout(() => child.kill("SIGKILL"), deadlineMs);
    child.stdout.on("data", (chunk) => {
      if (stdout.length < OUTPUT_MAX) stdout += chunk;
    });
    child.stderr.on("data", (chunk) => {
      if (stderr.length < OUTPUT_MAX) stderr += chunk;
    });
    child.stdin.on("error", () => {}); // The command ended before it read its input; its exit code says so.
    child.stdin.end(input ?? "");
    child.on("error", (error) => {
      clearTimeout(timer);
      resolve({ code: null, stdout, stderr: error.message });
    });
    child.on("close", (code) => {
      clearTimeout(timer);
      resolve({ code, stdout, stderr });
    });
  });
}

/** Runs a command that must work for the house to stand. */
export async function must(argv: readonly string[], input?: string): Promise<string> {
  const ran = await run(argv, input);
  if (ran.code !== 0)
    throw new Error(`${argv.join(" ")} failed (${ran.code}): ${ran.stderr.trim() || ran.stdout.trim()}`);
  return ran.stdout;
}

/** The argv that runs a command in a network namespace. /sys stays the caller's: enough for ip, nft, arping and /proc/sys/net. */
export function inside(ns: string, argv: readonly string[]): readonly string[] {
  return ["nsenter", `--net=/run/netns/${ns}`, ...argv];
}

/** Lines for `ip -batch`, all of which must work. */
export async function ipBatch(ns: string, lines: readonly string[]): Promise<void> {
  if (lines.length > 0) await must(["ip", "-n", ns, "-batch", "-"], `${lines.join("\n")}\n`);
}

/** Sets sysctls in a namespace; a key that this kernel lacks is an error. */
export async function setSysctls(ns: string, values: Readonly<Record<string, string | number>>): Promise<void> {
  const script = Object.entries(values)
    .map(([key, value]) => `echo ${value} > /proc/sys/${key}`)
    .join("\n");
  await must(inside(ns, ["sh", "-eu"]), script);
}

/** In the place of a namespace: this process's own. Such a child dies with its parent, since no PID namespace ends it. */
export const NO_SPACE = "";

/** Starts a long-running process in a namespace, with that namespace's /sys and an IPC channel where wanted. */
export function spawnIn(
  ns: string,
  argv: readonly string[],
  options: {
    readonly ipc?: boolean;
    readonly env?: Readonly<Record<string, string>>;
    readonly stderr?: "pipe" | "inherit";
  } = {},
): ChildProcess {
  const [program, ...args] =
    ns === NO_SPACE ? ["setpriv", "--pdeathsig", "KILL", ...argv] : ["ip", "netns", "exec", ns, ...argv];
  return spawn(program!, args, {
    stdio: ["ignore", "pipe", options.stderr ?? "pipe", ...(options.ipc ? (["ipc"] as const) : [])],
    env: { ...plainEnvironment(), ...options.env },
  });
}

/** What a process of the house inherits: nothing that configures Node for somebody else. */
function plainEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(NODE_|SSL_|npm_)/.test(name)));
}
