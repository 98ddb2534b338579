import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { createInterface } from "node:readline";
import { parse } from "yaml";
import { askLab } from "../../src/lab/running.ts";
import { until } from "./waiting.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const MAIN = `${ROOT}src/cli/main.ts`;
/** Where the lab keeps its files, as its own processes see them. */
const LAB = "/run/lab";
const RAISED_MS = 90_000;

export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Home Assistant's machine in the shipped example, and the namespace that the lab gives it. */
export const HA_ADDRESS = "192.168.8.10";
export const HA_SPACE = "ha-vm";
/** Where the hub runs. */
export const HUB_SPACE = "n5";

/** The simulated house of `hairpin lab --keep`, with Home Assistant's machine left to a real one. */
export class House {
  readonly #child: ChildProcess;
  readonly #director: number;
  /** Every line that the lab said, for the end of a run that failed. */
  readonly said: string[];

  private constructor(child: ChildProcess, director: number, said: string[]) {
    this.#child = child;
    this.#director = director;
    this.said = said;
  }

  /** Builds it and waits until everything runs. The heal mode is observe: only people ask for repairs here. */
  static async raise(dir: string): Promise<House> {
    const config = parse(readFileSync(`${ROOT}hairpin.yaml`, "utf8")) as Record<string, unknown> & { heal: object };
    config["heal"] = { ...config.heal, mode: "observe" };
    config["notify"] = [
      { home_assistant: { url: `http://${HA_ADDRESS}:8123`, webhook_id_file: "keys/ha-webhook" } },
      { mqtt: { url: `mqtt://${HA_ADDRESS}`, username: "hairpin", password_file: "keys/mqtt" } },
    ];
    const file = `${dir}/hairpin.yaml`;
    writeFileSync(file, JSON.stringify(config));
    const argv = [MAIN, "lab", "--keep", "--json", "--without-home-assistant", "--config", file];
    const child = spawn(process.execPath, argv, { stdio: ["ignore", "pipe", "pipe"] });
    const said: string[] = [];
    const hear = (line: string) => {
      said.push(line);
      if (said.length > 4_000) said.splice(0, 1_000);
    };
    createInterface({ input: child.stdout! }).on("line", hear);
    createInterface({ input: child.stderr! }).on("line", hear);
    const ended = new Promise<never>((_, reject) =>
      child.once("exit", (code) => reject(new Error(`the lab ended (${code}): ${said.slice(-20).join("\n")}`))),
    );
    ended.catch(() => {});
    const director = await Promise.race([
      until(() => directorOf(child.pid!), RAISED_MS, "the lab to stand").catch((error: Error) => {
        throw new Error(`${error.message}\n${said.slice(-20).join("\n")}`);
      }),
      ended,
    ]);
    return new House(child, director, said);
  }

  /** The argv that runs a command in a machine of the house. */
  entering(space: string, argv: readonly string[]): readonly string[] {
    const isOwnUser = readlinkSync(`/proc/${this.#director}/ns/user`) === readlinkSync("/proc/self/ns/user");
    const flags = ["-t", String(this.#director), ...(isOwnUser ? [] : ["-U", "--preserve-credentials"])];
    return ["nsenter", ...flags, "-m", "-n", "-p", "ip", "netns", "exec", space, ...argv];
  }

  spawn(space: string, argv: readonly string[], env: Readonly<Record<string, string>> = {}): ChildProcess {
    const [program, ...args] = this.entering(space, argv);
    // Nothing that configures Python or Node for somebody else.
    const own = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(NODE_|PYTHON|npm_)/.test(name)));
    return spawn(program!, args, { stdio: ["ignore", "pipe", "pipe"], env: { ...own, ...env } });
  }

  run(space: string, argv: readonly string[]): Promise<Ran> {
    const child = this.spawn(space, argv);
    let stdout = "";
    let stderr = "";
    child.stdout!.on("data", (chunk) => {
      stdout += chunk;
    });
    child.stderr!.on("data", (chunk) => {
      stderr += chunk;
    });
    return new Promise((resolve) => child.on("close", (code) => resolve({ code, stdout, stderr })));
  }

  /** A command of hairpin, typed on the hub's machine. */
  hairpin(...args: readonly string[]): Promise<Ran> {
    return this.run(HUB_SPACE, [process.execPath, MAIN, ...args, "--config", `${LAB}/hairpin.yaml`]);
  }

  /** A file of the lab, such as keys/token-home-assistant. */
  read(path: string): string {
    return readFileSync(`/proc/${this.#director}/root${LAB}/${path}`, "utf8").trim();
  }

  secret(ending: string): string {
    const names = readdirSync(`/proc/${this.#director}/root${LAB}/keys`);
    const name = names.find((each) => each.endsWith(ending));
    if (name === undefined) throw new Error(`there is no key ${ending} among ${names.join(", ")}`);
    return this.read(`keys/${name}`);
  }

  /** The hub's API, through its unix socket: the operator's own door. */
  hub<T>(method: string, path: string, body?: unknown): Promise<{ readonly status: number; readonly body: T }> {
    return new Promise((resolve, reject) => {
      const asked = request({
        socketPath: `/proc/${this.#director}/root${LAB}/hub.sock`,
        method,
        path,
        headers: { host: "hairpin", "content-type": "application/json" },
        timeout: 5_000,
      });
      asked.on("timeout", () => asked.destroy(new Error("the hub does not answer")));
      asked.on("error", reject);
      asked.on("response", (response) => {
        let text = "";
        response.on("data", (chunk) => {
          text += chunk;
        });
        response.on("end", () => resolve({ status: response.statusCode ?? 0, body: JSON.parse(text || "null") as T }));
      });
      asked.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  async order(act: "inject" | "mend", fault: string): Promise<void> {
    const answer = await askLab(this.#director, { act, fault });
    if (!answer.ok) throw new Error(`the lab did not ${act} ${fault}: ${answer.detail}`);
  }

  /** The processes of the house whose command line has these words. */
  find(...words: readonly string[]): readonly number[] {
    return descendantsOf(this.#child.pid!).filter((pid) => words.every((word) => commandOf(pid).includes(word)));
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const gone = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.kill("SIGTERM");
    await gone;
  }
}

export function commandOf(pid: number): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
  } catch {
    return [];
  }
}

export function descendantsOf(root: number): readonly number[] {
  const children = new Map<number, number[]>();
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, "utf8");
      const parent = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
      children.set(parent, [...(children.get(parent) ?? []), Number(entry)]);
    } catch {
      // It has ended meanwhile.
    }
  }
  const below = (pid: number): readonly number[] => (children.get(pid) ?? []).flatMap((one) => [one, ...below(one)]);
  return below(root);
}

/** The director of the lab below this process, once it takes orders. */
function directorOf(outer: number): number | null {
  return (
    descendantsOf(outer).find(
      (pid) =>
        commandOf(pid).includes("--inside") &&
        !commandOf(pid)[0]!.endsWith("unshare") &&
        existsSync(`/proc/${pid}/root${LAB}/control.sock`),
    ) ?? null
  );
}
