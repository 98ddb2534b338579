import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { decodeJournal, type JournalRecord } from "../../src/host/journal.ts";
import { kubeconfig } from "./kube-stand-in.ts";

const MAIN = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
const PRELOAD = new URL("./preload-host.ts", import.meta.url).href;

export const LINK = "lb0";
export const PARENT = "house0";
export const MAC = "02:5a:5f:84:40:e8";
const START_MS = 15_000;

export function ip(...args: string[]): void {
  execFileSync("ip", args, { stdio: ["ignore", "ignore", "pipe"] });
}

/** The link as the kernel has it: null when it is not there. */
export function show(): { readonly mac: string; readonly up: boolean } | null {
  const shown = spawnSync("ip", ["-j", "link", "show", "dev", LINK], { encoding: "utf8" });
  if (shown.status !== 0) return null;
  const [row] = JSON.parse(shown.stdout) as { address: string; flags: string[] }[];
  return { mac: row!.address, up: row!.flags.includes("UP") };
}

const sysctl = (key: string) => `/proc/sys/net/ipv4/conf/${LINK}/${key}`;

export function isRight(): boolean {
  const link = show();
  try {
    return (
      link?.mac === MAC &&
      link.up &&
      readFileSync(sysctl("rp_filter"), "utf8").trim() === "0" &&
      readFileSync(sysctl("arp_ignore"), "utf8").trim() === "1"
    );
  } catch {
    return false;
  }
}

/** Once per namespace: the parent, and a default that makes a new link's sysctls wrong. */
export function buildParent(): void {
  ip("link", "set", "lo", "up");
  for (const key of ["default", "all"]) writeFileSync(`/proc/sys/net/ipv4/conf/${key}/rp_filter`, "0");
  writeFileSync("/proc/sys/net/ipv4/conf/default/rp_filter", "2");
  ip("link", "add", PARENT, "type", "bridge");
  ip("link", "set", PARENT, "up");
}

export function removeLink(): void {
  if (show() !== null) ip("link", "delete", LINK);
}

export function makeLinkRight(): void {
  removeLink();
  ip("link", "add", LINK, "link", PARENT, "address", MAC, "up", "type", "macvlan", "mode", "bridge");
  writeFileSync(sysctl("rp_filter"), "0");
  writeFileSync(sysctl("arp_ignore"), "1");
}

export interface Answer {
  readonly status: number;
  readonly body: string;
}

/** One life after the other of a host process over one journal. */
export interface World {
  readonly directory: string;
  readonly logFile: string;
  readonly journal: () => readonly JournalRecord[];
  readonly journalFile: string;
  /** What the preload has said, over all lives. */
  readonly log: () => readonly LogLine[];
  /** Starts the process; resolves when it is ready or has ended. */
  readonly start: (at: string | null) => Promise<Life>;
}
export interface Life {
  readonly child: ChildProcess;
  readonly isAlive: () => boolean;
  readonly ended: Promise<void>;
  readonly output: () => string;
  readonly call: (method: string, path: string, body?: string) => Promise<Answer | null>;
}
export interface LogLine {
  readonly point?: string;
  readonly ran?: string;
  readonly durable?: string;
  readonly id?: string;
}

export function createWorld(base: string, kubePort: number, guard: boolean): World {
  const directory = mkdtempSync(join(base, "w-"));
  const journal = join(directory, "ledger");
  const logFile = join(directory, "points");
  const socket = join(directory, "host.sock");
  mkdirSync(journal, { mode: 0o700 });
  writeFileSync(logFile, "");
  writeFileSync(join(directory, "kubeconfig"), kubeconfig(kubePort), { mode: 0o600 });
  const config = {
    site: "test",
    targets: { dns: { address: "192.0.2.53" } },
    link: { name: LINK, parent: PARENT, mac: MAC },
    speaker: { node: "n5", kubeconfig_file: join(directory, "kubeconfig") },
    host: { listen: `unix:${socket}`, armed: true, guard, journal },
    heal: { budget: { hour: 60, day: 240 } },
  };
  writeFileSync(join(directory, "hairpin.yaml"), JSON.stringify(config), { mode: 0o600 });
  const start = async (at: string | null): Promise<Life> => {
    const child = spawn(
      process.execPath,
      ["--import", PRELOAD, MAIN, "host", "--config", join(directory, "hairpin.yaml")],
      {
        stdio: ["ignore", "pipe", "pipe"],
        env: {
          HAIRPIN_RUN: directory,
          HAIRPIN_CRASH_LOG: logFile,
          NODE_COMPILE_CACHE: join(base, "cache"),
          ...(at === null ? {} : { HAIRPIN_CRASH_AT: at }),
        },
      },
    );
    let output = "";
    let alive = true;
    const ended = new Promise<void>((resolve) =>
      child.once("close", () => {
        alive = false;
        resolve();
      }),
    );
    const ready = new Promise<void>((resolve) => {
      for (const stream of [child.stdout, child.stderr])
        stream.setEncoding("utf8").on("data", (text: string) => {
          output += text;
          if (output.includes('"event":"ready"')) resolve();
        });
    });
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`the host is not ready in ${START_MS} ms: ${output}`)), START_MS);
    });
    await Promise.race([ready, ended, late]).finally(() => clearTimeout(timer));
    return { child, ended, isAlive: () => alive, output: () => output, call: (...ask) => call(socket, ...ask) };
  };
  const journalFile = join(journal, "journal");
  return {
    directory,
    logFile,
    journalFile,
    journal: () => (existsSync(journalFile) ? decodeJournal(readFileSync(journalFile)).records : []),
    log: () =>
      readFileSync(logFile, "utf8")
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line) as LogLine),
    start,
  };
}

/** Null: the process was killed before it could answer. */
function call(socketPath: string, method: string, path: string, body?: string): Promise<Answer | null> {
  return new Promise((resolve) => {
    const headers =
      body === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
    const sent = request({ socketPath, method, path, headers }, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      answer.on("end", () => resolve({ status: answer.statusCode ?? 0, body: text }));
      answer.on("error", () => resolve(null));
    });
    sent.on("error", () => resolve(null));
    sent.end(body);
  });
}

/** Waits until it holds; false when it did not within the time. */
export async function until(holds: () => boolean | Promise<boolean>, withinMs: number): Promise<boolean> {
  const end = performance.now() + withinMs;
  while (!(await holds())) {
    if (performance.now() > end) return false;
    await new Promise((next) => setTimeout(next, 15));
  }
  return true;
}
