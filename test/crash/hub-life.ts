import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { sign } from "../../src/core/standard-webhooks.ts";
import { hmac } from "../../src/runtime/node/hmac.ts";
import { round, secret } from "../support/hub.ts";

const MAIN = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
const PRELOAD = new URL("./preload-hub.ts", import.meta.url).href;
export const VANTAGES = ["lan", "vm"] as const;

export interface HubHouse {
  readonly directory: string;
  readonly logFile: string;
  readonly hostSocket: string;
  readonly hubSocket: string;
}

/** A configuration with times so short that an incident with its heal takes some seconds. */
export function writeHouse(base: string, receiverUrl: string): HubHouse {
  const directory = mkdtempSync(join(base, "h-"));
  mkdirSync(join(directory, "keys"));
  for (const name of [...VANTAGES, "chat"])
    writeFileSync(join(directory, "keys", name), `${secret(name)}\n`, { mode: 0o600 });
  const house = {
    directory,
    logFile: join(directory, "points"),
    hostSocket: join(directory, "host.sock"),
    hubSocket: join(directory, "hub.sock"),
  };
  writeFileSync(house.logFile, "");
  const config = {
    site: "home",
    schedule: "* * * * * *",
    targets: { dns: { address: "192.0.2.53", checks: [{ dns: { name: "a.example" } }] } },
    link: { name: "metallb0", parent: "bridge0", mac: "f2:5a:5f:84:40:e8" },
    host: { listen: `unix:${house.hostSocket}`, armed: true },
    vantages: Object.fromEntries(VANTAGES.map((name) => [name, { where: name, key_file: `keys/${name}` }])),
    hub: { listen: `unix:${house.hubSocket}`, data: join(directory, "data") },
    heal: { mode: "auto", confirm: "500ms", cool_down: "1s", grace: "1s" },
    notify: [{ webhook: { name: "chat", url: receiverUrl, secret_file: "keys/chat" } }],
  };
  writeFileSync(join(directory, "hairpin.yaml"), JSON.stringify(config), { mode: 0o600 });
  return house;
}

export interface HubLife {
  readonly child: ChildProcess;
  readonly isAlive: () => boolean;
  readonly ended: Promise<void>;
  readonly output: () => string;
}

export function startHubLife(house: HubHouse, base: string, at: string | null): HubLife {
  const child = spawn(
    process.execPath,
    ["--import", PRELOAD, MAIN, "hub", "--config", join(house.directory, "hairpin.yaml")],
    {
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        HAIRPIN_CRASH_LOG: house.logFile,
        NODE_COMPILE_CACHE: join(base, "cache"),
        ...(at === null ? {} : { HAIRPIN_CRASH_AT: at }),
      },
    },
  );
  let output = "";
  let alive = true;
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => {
      output = (output + text).slice(-20_000);
    });
  const ended = new Promise<void>((resolve) =>
    child.once("close", () => {
      alive = false;
      resolve();
    }),
  );
  return { child, isAlive: () => alive, ended, output: () => output };
}

export interface HubAnswer {
  readonly status: number;
  readonly body: string;
}

/** Null: nobody answered, or not to the end. */
export function askSocket(
  socketPath: string,
  method: string,
  path: string,
  body: string | null = null,
  headers: Readonly<Record<string, string>> = {},
): Promise<HubAnswer | null> {
  return new Promise((resolve) => {
    const sent = request({ socketPath, method, path, headers: { host: "hairpin", ...headers } }, (reply) => {
      let text = "";
      reply.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      reply.on("end", () => resolve({ status: reply.statusCode ?? 0, body: text }));
      reply.on("error", () => resolve(null));
    });
    sent.setTimeout(3_000, () => sent.destroy());
    sent.on("error", () => resolve(null));
    sent.end(body ?? undefined);
  });
}

/** A stand-in for a vantage: one report after the other, each sent until it is acknowledged, with its id and its body unchanged. */
export function createReporter(name: string, socket: string, isGood: () => boolean) {
  const acknowledged: string[] = [];
  let seq = 0;
  let waiting: { readonly id: string; readonly body: string } | null = null;
  return {
    acknowledged,
    async report(): Promise<void> {
      if (waiting === null) {
        seq++;
        const body = JSON.stringify({
          type: "hairpin.observation.v1",
          aud: "home",
          vantage: name,
          boot_id: "boot",
          seq,
          observed_at: new Date().toISOString(),
          mono_ms: performance.now(),
          control: { ok: true, gateway_ms: 0.4 },
          ...round(isGood()),
        });
        waiting = { id: `boot_${seq}`, body };
      }
      const { id, body } = waiting;
      const signed = await sign([secret(name)], id, Math.floor(Date.now() / 1_000), body, hmac);
      const reply = await askSocket(socket, "POST", "/v1/observations", body, {
        "content-type": "application/json",
        ...signed,
      });
      if (reply?.status !== 202 && reply?.status !== 200) return;
      acknowledged.push(id);
      waiting = null;
    },
  };
}
