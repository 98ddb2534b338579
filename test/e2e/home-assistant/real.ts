import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { seedHomeAssistant } from "./seed.ts";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const DEPLOY = fileURLToPath(new URL("../../../deploy/homeassistant/", import.meta.url));
/** Where Home Assistant is installed, once for all runs: some 2 GB. */
const CACHE = process.env["HAIRPIN_E2E_CACHE"] ?? join(homedir(), ".cache", "hairpin-e2e");
const PORT = 8123;
const BOOT_MS = 180_000;
const STOP_MS = 40_000;

/** Installs a version where it is missing, and says in which root directory it runs ("-": in this machine's own), or why it cannot be had here. */
export function install(version: string): { readonly root: string } | { readonly problem: string } {
  const run = spawnSync(join(HERE, "install.sh"), [version], {
    env: { ...process.env, HAIRPIN_E2E_CACHE: CACHE },
    stdio: ["ignore", "pipe", "pipe"],
    encoding: "utf8",
    timeout: 900_000,
  });
  const last = (text: string) => text.trim().split("\n").at(-1) ?? "";
  if (run.status === 0) return { root: last(run.stdout) };
  return { problem: last(run.stderr) || `install.sh ended with ${run.status}` };
}

export interface Wiring {
  readonly version: string;
  /** Where install() put it. */
  readonly root: string;
  readonly dir: string;
  readonly address: string;
  readonly webhookId: string;
  readonly hubToken: string;
  readonly broker: {
    readonly host: string;
    readonly port: number;
    readonly username: string;
    readonly password: string;
  };
  /** Where the automation's extra action says that it has run. */
  readonly seenUrl: string;
  /** With a Supervisor beside it, as Home Assistant OS has one: what Core is told of it in its environment. */
  readonly supervisor?: { readonly address: string; readonly token: string; readonly socket: string };
}

/** What the automation made of the blueprint is given, besides the webhook. */
export interface Inputs {
  readonly webhookId: string;
  readonly phones: readonly string[];
  readonly by: "mqtt" | "rest";
}

/** A real Home Assistant in the network namespace of this process, with hairpin's own blueprint, package and dashboard. */
export class HomeAssistant {
  readonly #wiring: Wiring;
  readonly #token: string;
  #child: ChildProcess | null = null;

  constructor(wiring: Wiring) {
    this.#wiring = wiring;
    const { dir, version, hubToken } = wiring;
    mkdirSync(dir, { recursive: true });
    cpSync(join(HERE, "config"), dir, { recursive: true });
    for (const folder of ["blueprints", "packages", "dashboards"])
      cpSync(join(DEPLOY, folder), join(dir, folder), { recursive: true });
    writeFileSync(join(dir, "secrets.yaml"), `hairpin_auth: "Bearer ${hubToken}"\n`, { mode: 0o600 });
    if (version.startsWith("2025."))
      writeFileSync(
        join(dir, "configuration.yaml"),
        `${readFileSync(join(dir, "configuration.yaml"), "utf8")}\nhttp:\n  server_port: ${PORT}\n`,
      );
    writeFileSync(
      join(dir, "packages", "seen.yaml"),
      `rest_command:\n  seen:\n    url: ${wiring.seenUrl}\n    method: post\n    content_type: application/json\n    payload: "{{ alert | to_json }}"\n`,
    );
    this.#token = seedHomeAssistant(dir, { version, port: PORT, broker: wiring.broker });
    this.automate({ webhookId: wiring.webhookId, phones: [], by: "mqtt" });
  }

  get url(): string {
    return `http://${this.#wiring.address}:${PORT}`;
  }

  get token(): string {
    return this.#token;
  }

  /** Writes the automation; a running Home Assistant takes it by `automation.reload`. */
  automate({ webhookId, phones, by }: Inputs): void {
    const input = {
      webhook_id: webhookId,
      phones,
      heal_button: by === "mqtt" ? ["button.hairpin_heal_now"] : [],
      use_heal_actions: by === "rest",
      heal_actions:
        by === "rest"
          ? [
              {
                action: "rest_command.hairpin_heal",
                data: {
                  target: "{{ target }}",
                  incident: "{{ incident }}",
                  key: "{{ heal_key }}",
                  reason: "{{ actor }}",
                },
              },
            ]
          : [],
      answer_timeout: 30,
      event_actions: [{ action: "rest_command.seen", data: { alert: "{{ alert }}" } }],
      ack_actions: [{ action: "rest_command.hairpin_ack", data: { delivery_id: "{{ delivery_id }}" } }],
    };
    const automation = {
      id: "hairpin_alert",
      alias: "Hairpin alert",
      use_blueprint: { path: "hairpin/hairpin_alert.yaml", input },
    };
    // JSON is YAML. The id of the webhook stands there literally: `!secret` breaks the editor of Home Assistant.
    writeFileSync(join(this.#wiring.dir, "automations.yaml"), `${JSON.stringify([automation], null, 1)}\n`);
  }

  /** Boots it; resolves when it runs with the broker's integration loaded. */
  async start(): Promise<number> {
    const { dir, version, root, supervisor } = this.#wiring;
    const began = Date.now();
    // It keeps one older log only; the end of a run reads them all.
    const log = join(dir, "ha.log");
    if (existsSync(log)) renameSync(log, join(dir, `kept-${readdirSync(dir).length}.log`));
    const hass = [
      join(CACHE, `venv-${version}`, "bin/hass"),
      "-c",
      dir,
      "--skip-pip",
      "--log-no-color",
      "--log-file",
      log,
    ];
    const argv = root === "-" ? hass : [join(HERE, "enter-root.sh"), ...hass];
    const beside =
      supervisor === undefined
        ? {}
        : {
            SUPERVISOR: supervisor.address,
            SUPERVISOR_TOKEN: supervisor.token,
            SUPERVISOR_CORE_API_SOCKET: supervisor.socket,
          };
    const env = { ...process.env, ...beside, HAIRPIN_E2E_CACHE: CACHE, HAIRPIN_E2E_ROOT: root, HAIRPIN_E2E_BIND: dir };
    const child = spawn(argv[0]!, argv.slice(1), { env, stdio: "ignore" });
    this.#child = child;
    while (Date.now() - began < BOOT_MS) {
      if (child.exitCode !== null)
        throw new Error(`Home Assistant ended with ${child.exitCode}:\n${this.log().slice(-2_000)}`);
      const state = await this.get<{ state?: string; recovery_mode?: boolean }>("/api/config").catch(() => null);
      if (state?.state === "RUNNING") {
        // It says RUNNING in recovery mode too.
        if (state.recovery_mode === true)
          throw new Error(`Home Assistant is in recovery mode:\n${this.log().slice(-2_000)}`);
        const entries = await this.get<{ state: string }[]>("/api/config/config_entries/entry?domain=mqtt");
        if (entries[0]?.state === "loaded") return Date.now() - began;
      }
      await new Promise((next) => setTimeout(next, 150));
    }
    throw new Error(`Home Assistant did not come up in ${BOOT_MS / 1_000} s:\n${this.log().slice(-2_000)}`);
  }

  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child === null || child.exitCode !== null) return;
    const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
    await ended;
    clearTimeout(timer);
  }

  /** All that it has logged, over every start. */
  log(): string {
    const { dir } = this.#wiring;
    const kept = existsSync(dir) ? readdirSync(dir).filter((name) => /^kept-\d+\.log$/.test(name)) : [];
    kept.sort((a, b) => Number(/\d+/.exec(a)) - Number(/\d+/.exec(b)));
    return [...kept, "ha.log"]
      .map((name) => join(dir, name))
      .map((path) => (existsSync(path) ? readFileSync(path, "utf8") : ""))
      .join("");
  }

  async get<T>(path: string): Promise<T> {
    const reply = await fetch(this.url + path, {
      headers: { authorization: `Bearer ${this.#token}` },
      signal: AbortSignal.timeout(5_000),
    });
    if (!reply.ok) throw new Error(`GET ${path}: ${reply.status}`);
    return (await reply.json()) as T;
  }

  async post<T>(path: string, body: unknown): Promise<T> {
    const reply = await fetch(this.url + path, {
      method: "POST",
      headers: { authorization: `Bearer ${this.#token}`, "content-type": "application/json" },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(15_000),
    });
    const text = await reply.text();
    if (!reply.ok) throw new Error(`POST ${path}: ${reply.status} ${text.slice(0, 300)}`);
    return (text === "" ? null : JSON.parse(text)) as T;
  }

  /** One command over the WebSocket API. */
  async ask<T>(command: Readonly<Record<string, unknown>>): Promise<T> {
    const socket = new WebSocket(`${this.url.replace("http", "ws")}/api/websocket`);
    return await new Promise<T>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no answer to ${command["type"]}`)), 10_000);
      const end = (settle: () => void) => {
        clearTimeout(timer);
        socket.close();
        settle();
      };
      socket.addEventListener("error", () => end(() => reject(new Error("the WebSocket API cannot be reached"))));
      socket.addEventListener("message", ({ data }) => {
        const said = JSON.parse(String(data)) as { type: string; success?: boolean; result?: T; error?: unknown };
        if (said.type === "auth_required") socket.send(JSON.stringify({ type: "auth", access_token: this.#token }));
        else if (said.type === "auth_ok") socket.send(JSON.stringify({ id: 1, ...command }));
        else if (said.type === "result")
          end(() => (said.success ? resolve(said.result!) : reject(new Error(JSON.stringify(said.error)))));
        else if (said.type === "auth_invalid") end(() => reject(new Error("the token is not taken")));
      });
    });
  }

  /** What stands under the notification bell, by id. */
  async bell(): Promise<ReadonlyMap<string, { readonly title: string; readonly message: string }>> {
    const list = await this.ask<{ notification_id: string; title: string; message: string }[]>({
      type: "persistent_notification/get",
    });
    return new Map(list.map((each) => [each.notification_id, each]));
  }

  async state(entity: string): Promise<string | null> {
    return (await this.get<{ state: string }>(`/api/states/${entity}`).catch(() => null))?.state ?? null;
  }

  call(domain: string, service: string, data: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    return this.post(`/api/services/${domain}/${service}`, data);
  }
}
