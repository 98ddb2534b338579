import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { sign } from "../../src/core/standard-webhooks.ts";
import { hmac } from "../../src/runtime/node/hmac.ts";
import { secret, TOKEN } from "../support/hub.ts";

export const MAIN = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));

/** Runs a command to its end. */
export function hairpin(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  return spawnSync(process.execPath, [MAIN, ...args], {
    encoding: "utf8",
    timeout: 20_000,
    env: { PATH: process.env["PATH"], ...env },
  });
}

export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

export interface Written {
  readonly directory: string;
  readonly file: string;
  readonly port: number;
  /** Writes the configuration with changes at its top level. */
  readonly write: (changes: Readonly<Record<string, unknown>>) => void;
  readonly key: (name: string, text: string, mode?: number) => void;
  readonly remove: () => void;
}

/** A configuration of a house on loopback, with its keys, in a directory of its own. */
export async function writeHouse(changes: Readonly<Record<string, unknown>> = {}): Promise<Written> {
  const directory = mkdtempSync(join(tmpdir(), "hairpin-fault-"));
  const port = await freePort();
  mkdirSync(join(directory, "keys"));
  const key = (name: string, text: string, mode = 0o600) => {
    rmSync(join(directory, "keys", name), { force: true });
    writeFileSync(join(directory, "keys", name), text, { mode });
  };
  key("lan", secret("lan"));
  key("vm", secret("vm"));
  key("op", TOKEN);
  const file = join(directory, "hairpin.yaml");
  const write = (more: Readonly<Record<string, unknown>>) => {
    const config = {
      site: "home",
      targets: { dns: { address: "192.0.2.53", checks: [{ dns: { name: "a.example" } }] } },
      vantages: { lan: { where: "lan", key_file: "keys/lan" }, vm: { where: "vm", key_file: "keys/vm" } },
      hub: {
        listen: `127.0.0.1:${port}`,
        url: `http://127.0.0.1:${port}`,
        data: "data",
        tokens: [{ name: "op", scopes: ["heal", "ack", "read", "pause"], token_file: "keys/op" }],
      },
      ...more,
    };
    writeFileSync(file, JSON.stringify(config), { mode: 0o600 });
  };
  write(changes);
  return { directory, file, port, write, key, remove: () => rmSync(directory, { recursive: true, force: true }) };
}

export interface Running {
  readonly child: ChildProcess;
  readonly output: () => string;
  readonly residentMb: () => number;
  readonly end: () => Promise<number | null>;
}

/** Starts a long-running command; resolves when it says that it is ready. */
export async function start(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Running> {
  const child = spawn(process.execPath, [MAIN, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: process.env["PATH"], ...env },
  });
  let output = "";
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  await new Promise<void>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (text: string) => {
        output += text;
        if (output.includes('"event":"ready"')) resolve();
      });
    void ended.then((code) => reject(new Error(`${args[0]} ended with ${code}: ${output}`)));
  });
  const residentMb = () =>
    Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1]) / 1_024;
  const end = () => {
    child.kill("SIGTERM");
    return ended;
  };
  return { child, output: () => output, residentMb, end };
}

/** One signed report, as a vantage sends it. */
export async function report(port: number, vantage: string, seq: number, more: Readonly<Record<string, unknown>> = {}) {
  const body = JSON.stringify({
    type: "hairpin.observation.v1",
    aud: "home",
    vantage,
    boot_id: "boot",
    seq,
    observed_at: new Date().toISOString(),
    mono_ms: seq,
    control: { ok: true },
    checks: [],
    ...more,
  });
  const signed = await sign([secret(vantage)], `boot_${seq}`, Math.floor(Date.now() / 1_000), body, hmac);
  return fetch(`http://127.0.0.1:${port}/v1/observations`, {
    method: "POST",
    headers: { "content-type": "application/json", ...signed },
    body,
  });
}
