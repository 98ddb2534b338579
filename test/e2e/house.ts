import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { innerPid } from "../../src/lab/outer.ts";
import { askLab } from "../../src/lab/running.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const UP_MS = 60_000;

/** The lab's house with a place for a real Home Assistant: the shipped example, which only heals when it is asked. */
export interface House {
  /** The director, as this PID namespace sees it. */
  readonly pid: number;
  readonly lab: ChildProcess;
  readonly dir: string;
  readonly end: () => Promise<void>;
}

export async function raiseHouse(): Promise<House> {
  const dir = mkdtempSync(join(tmpdir(), "hairpin-e2e-"));
  const config = parse(readFileSync(join(ROOT, "hairpin.yaml"), "utf8")) as Record<string, unknown>;
  config["heal"] = { ...(config["heal"] as object), mode: "observe" };
  // "Heal now" on the page of Home Assistant's app, which is this vantage.
  Object.assign((config["vantages"] as Record<string, object>)["ha-vm"]!, { heal: true });
  config["notify"] = [
    { home_assistant: { url: "http://192.168.8.10:8123", webhook_id_file: "keys/ha-webhook" } },
    { mqtt: { url: "mqtt://192.168.8.10", username: "hairpin", password_file: "keys/mqtt" } },
  ];
  const file = join(dir, "hairpin.yaml");
  writeFileSync(file, JSON.stringify(config), { mode: 0o600 });
  const args = [join(ROOT, "src/cli/main.ts"), "lab", "--keep", "--json", "--without-home-assistant", "--config", file];
  const lab = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  const hear = (chunk: Buffer) => {
    said = (said + chunk).slice(-8_192);
  };
  lab.stdout.on("data", hear);
  lab.stderr.on("data", hear);
  const began = Date.now();
  for (;;) {
    if (lab.exitCode !== null) throw new Error(`the lab ended with ${lab.exitCode}: ${said}`);
    const pid = directorOf(lab.pid!);
    const answer = pid === null ? null : await askLab(pid, { act: "vantages" }).catch(() => null);
    if (pid !== null && answer?.ok === true) return { pid, lab, dir, end: () => endOf(lab) };
    if (Date.now() - began > UP_MS) throw new Error(`the lab did not come up: ${said}`);
    await new Promise((next) => setTimeout(next, 200));
  }
}

/** The lab starts unshare, and unshare the director. */
function directorOf(outer: number): number | null {
  try {
    const children = readFileSync(`/proc/${outer}/task/${outer}/children`, "utf8").trim().split(" ");
    for (const child of children) {
      const inner = innerPid(Number(child));
      if (inner !== null && readFileSync(`/proc/${inner}/cmdline`, "utf8").includes("--inside")) return inner;
    }
  } catch {
    // It has just ended, or not yet begun.
  }
  return null;
}

async function endOf(lab: ChildProcess): Promise<void> {
  if (lab.exitCode !== null) return;
  const ended = new Promise<void>((resolve) => lab.once("exit", () => resolve()));
  lab.kill("SIGTERM");
  await ended;
}

/** A secret that the lab made. */
export function labSecret(pid: number, label: string): string {
  return readFileSync(`/proc/${pid}/root/run/lab/keys/${label}`, "utf8").trim();
}

/** Ends the lab's own process of a vantage, so that another one can be that vantage; the answer is its join token. */
export function takeVantage(pid: number, name: string): string {
  const list = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").map(Number);
  const own = list.find((child) => readFileSync(`/proc/${child}/cmdline`, "utf8").includes(`/join-${name}\0`));
  if (own === undefined) throw new Error(`the lab has no vantage ${name}`);
  process.kill(own, "SIGTERM");
  return readFileSync(`/proc/${pid}/root/run/lab/join-${name}`, "utf8").trim();
}

export async function breakHouse(pid: number, fault: string): Promise<void> {
  const answer = await askLab(pid, { act: "inject", fault });
  if (!answer.ok) throw new Error(answer.detail ?? `the lab does not take ${fault}`);
}

export async function mendHouse(pid: number, fault: string): Promise<void> {
  const answer = await askLab(pid, { act: "mend", fault });
  if (!answer.ok) throw new Error(answer.detail ?? `the lab does not mend ${fault}`);
}

/** The hub, over its unix socket. */
export function askHub<T>(pid: number, method: "GET" | "POST", path: string, body?: unknown): Promise<T> {
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        socketPath: `/proc/${pid}/root/run/lab/hub.sock`,
        method,
        path,
        timeout: 5_000,
        headers: { host: "hairpin", ...(body === undefined ? {} : { "content-type": "application/json" }) },
      },
      (reply) => {
        let text = "";
        reply.setEncoding("utf8").on("data", (chunk: string) => {
          text += chunk;
        });
        reply.on("end", () => {
          try {
            resolve(JSON.parse(text) as T);
          } catch (error) {
            reject(error as Error);
          }
        });
      },
    );
    sent.on("error", reject);
    sent.on("timeout", () => sent.destroy(new Error("the hub does not answer")));
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** Starts a program in the network namespace of a machine, with the file system of the lab. */
export function spawnInLab(pid: number, ns: string, argv: readonly string[]): ChildProcess {
  return spawn("nsenter", ["-t", String(pid), "-m", "-n", "-p", "ip", "netns", "exec", ns, ...argv], {
    stdio: "ignore",
  });
}
