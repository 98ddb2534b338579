import { type ChildProcess, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { homedir } from "node:os";
import { commandOf, descendantsOf, HA_ADDRESS, HA_SPACE, type House } from "./house.ts";
import { hasHttpStore, seedStorage } from "./seed.ts";
import { until } from "./waiting.ts";

const HERE = new URL(".", import.meta.url).pathname;
const DEPLOY = new URL("../../deploy/homeassistant/", import.meta.url).pathname;
const PORT = 8_123;
const BOOT_MS = 150_000;
const STOP_MS = 40_000;

export const CACHE =
  process.env["HAIRPIN_E2E_CACHE"] ?? `${process.env["XDG_CACHE_HOME"] ?? `${homedir()}/.cache`}/hairpin-e2e`;

export interface Note {
  readonly notification_id: string;
  readonly title: string | null;
  readonly message: string;
}

export interface EntityState {
  readonly state: string;
  readonly attributes: Readonly<Record<string, unknown>>;
}

/** Installs a version of Home Assistant where it is not there yet; the root directory it runs in, or null for this machine's own. */
export function install(version: string): string | null {
  const ran = spawnSync(`${HERE}install/install.sh`, [version], {
    encoding: "utf8",
    env: { ...process.env, HAIRPIN_E2E_CACHE: CACHE },
    stdio: ["ignore", "pipe", "inherit"],
    timeout: 900_000,
  });
  if (ran.status !== 0) throw new Error(`Home Assistant ${version} could not be installed (${ran.status})`);
  const root = ran.stdout.trim().split("\n").at(-1)!;
  return root === "-" ? null : root;
}

/** A real Home Assistant on its machine of the house. */
export class Assistant {
  readonly version: string;
  readonly dir: string;
  readonly token: string;
  readonly #house: House;
  readonly #root: string | null;
  #child: ChildProcess | null = null;
  #relay: Server | null = null;
  #line: ChildProcess | null = null;
  /** Where a browser on this machine finds it. */
  url = "";

  constructor(house: House, version: string, dir: string) {
    this.#house = house;
    this.version = version;
    this.dir = dir;
    this.#root = install(version);
    mkdirSync(dir, { recursive: true });
    cpSync(`${HERE}config`, dir, { recursive: true });
    for (const shipped of ["blueprints", "packages", "dashboards"])
      if (existsSync(`${DEPLOY}${shipped}`)) cpSync(`${DEPLOY}${shipped}`, `${dir}/${shipped}`, { recursive: true });
    if (!hasHttpStore(version)) {
      const door = `http:\n  server_host: 0.0.0.0\n  server_port: ${PORT}\n  use_x_forwarded_for: true\n  trusted_proxies: [127.0.0.1]\n`;
      writeFileSync(`${dir}/configuration.yaml`, readFileSync(`${dir}/configuration.yaml`, "utf8") + door);
    }
    this.token = seedStorage(dir, { version, address: HA_ADDRESS, port: PORT });
    const hub = "http://192.168.8.246:8787";
    const secrets = {
      hairpin_heal_url: `${hub}/heal`,
      hairpin_acks_url: `${hub}/v1/acks`,
      hairpin_status_url: `${hub}/v1/status`,
      hairpin_auth: `Bearer ${house.secret("token-home-assistant")}`,
    };
    writeFileSync(
      `${dir}/secrets.yaml`,
      Object.entries(secrets)
        .map(([name, value]) => `${name}: "${value}"\n`)
        .join(""),
      { mode: 0o600 },
    );
  }

  /** Starts it and waits until it runs, has its broker and is not in recovery mode; `/api/core/state` alone says too little. */
  async start(): Promise<void> {
    await this.#openLine();
    // It keeps one older log only; the end of a run reads them all.
    const old = `${this.dir}/ha.log`;
    if (existsSync(old)) renameSync(old, `${this.dir}/kept-${readdirSync(this.dir).length}.log`);
    const hass = `${CACHE}/venv-${this.version}/bin/hass`;
    const log = ["--log-no-color", "--log-file", `${this.dir}/ha.log`];
    const command = [hass, "-c", this.dir, "--skip-pip", ...log];
    const argv = this.#root === null ? command : [`${HERE}install/enter-root.sh`, ...command];
    this.#child = this.#house.spawn(HA_SPACE, argv, {
      HAIRPIN_E2E_CACHE: CACHE,
      HAIRPIN_E2E_ROOT: this.#root ?? "",
      HAIRPIN_E2E_BIND: this.dir,
    });
    let words = "";
    for (const stream of [this.#child.stdout!, this.#child.stderr!])
      stream.on("data", (chunk) => {
        words = (words + chunk).slice(-4_096);
      });
    const child = this.#child;
    await until(
      async () => {
        if (child.exitCode !== null) return "ended";
        const { state } = await this.rest<{ state?: string }>("GET", "/api/core/state");
        return state === "RUNNING" ? "running" : null;
      },
      BOOT_MS,
      "Home Assistant to run",
    ).then((how) => {
      if (how === "ended") throw new Error(`Home Assistant ended: ${words}\n${this.log().slice(-20).join("\n")}`);
    });
    const config = await this.rest<{ recovery_mode: boolean }>("GET", "/api/config");
    if (config.recovery_mode) throw new Error(`recovery mode:\n${this.log().slice(-20).join("\n")}`);
    await until(
      async () => {
        const entries = await this.rest<{ state: string }[]>("GET", "/api/config/config_entries/entry?domain=mqtt");
        return entries.every((entry) => entry.state === "loaded") || null;
      },
      30_000,
      "Home Assistant's broker to be connected",
    );
  }

  /** As the operator's restart button: it goes down in order and its process ends with 100, on which Home Assistant OS starts it anew. */
  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  async stop(): Promise<void> {
    const child = this.#child;
    if (child === null) return;
    this.#child = null;
    const gone = child.exitCode !== null ? Promise.resolve() : new Promise((resolve) => child.once("exit", resolve));
    const own = () => descendantsOf(child.pid!).filter((pid) => commandOf(pid).some((word) => word.endsWith("/hass")));
    for (const pid of own()) process.kill(pid, "SIGTERM");
    const timer = setTimeout(() => {
      for (const pid of own()) process.kill(pid, "SIGKILL");
    }, STOP_MS);
    await gone;
    clearTimeout(timer);
  }

  async close(): Promise<void> {
    await this.stop();
    this.#line?.kill("SIGKILL");
    this.#relay?.close();
  }

  /** This machine's 127.0.0.1 is led to Home Assistant's port inside the house, by a socket file that both see. */
  async #openLine(): Promise<void> {
    if (this.#relay !== null) return;
    const socket = `${this.dir}/door.sock`;
    rmSync(socket, { force: true });
    this.#line = this.#house.spawn(HA_SPACE, ["socat", `UNIX-LISTEN:${socket},fork`, `TCP:127.0.0.1:${PORT}`]);
    await until(() => existsSync(socket) || null, 10_000, "the line into the house");
    const relay = createServer((client) => {
      const inner = connect(socket);
      const end = () => {
        client.destroy();
        inner.destroy();
      };
      client.on("error", end);
      inner.on("error", end);
      client.pipe(inner).pipe(client);
    });
    await new Promise<void>((resolve) => relay.listen(0, "127.0.0.1", resolve));
    this.#relay = relay;
    this.url = `http://127.0.0.1:${(relay.address() as { port: number }).port}`;
  }

  async rest<T>(method: string, path: string, body?: unknown): Promise<T> {
    const answer = await fetch(`${this.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${this.token}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(10_000),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path} answered ${answer.status}: ${text.slice(0, 200)}`);
    return (text === "" ? null : JSON.parse(text)) as T;
  }

  call(domain: string, service: string, data: object = {}): Promise<unknown> {
    return this.rest("POST", `/api/services/${domain}/${service}`, data);
  }

  state(entity: string): Promise<EntityState> {
    return this.rest("GET", `/api/states/${entity}`);
  }

  /** One command over the WebSocket, such as what the frontend sends. */
  ask<T>(command: { readonly type: string; readonly [key: string]: unknown }): Promise<T> {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(`${this.url.replace("http", "ws")}/api/websocket`);
      const timer = setTimeout(() => socket.close(), 10_000);
      socket.onclose = () => {
        clearTimeout(timer);
        reject(new Error(`no answer to ${command.type}`));
      };
      socket.onerror = () => reject(new Error("the WebSocket failed"));
      socket.onmessage = ({ data }) => {
        const said = JSON.parse(String(data)) as { type: string; success?: boolean; result?: T; error?: unknown };
        if (said.type === "auth_required") socket.send(JSON.stringify({ type: "auth", access_token: this.token }));
        else if (said.type === "auth_ok") socket.send(JSON.stringify({ id: 1, ...command }));
        else if (said.type === "result") {
          if (said.success) resolve(said.result as T);
          else reject(new Error(`${command.type}: ${JSON.stringify(said.error)}`));
          socket.close();
        }
      };
    });
  }

  /** What stands under the bell. */
  bell(): Promise<readonly Note[]> {
    return this.ask({ type: "persistent_notification/get" });
  }

  /** Everything that it has logged since its first start, over all its restarts. */
  log(): readonly string[] {
    const files = readdirSync(this.dir).filter((name) => /^ha\.log/.test(name) || /^kept-.*\.log$/.test(name));
    return files.flatMap((name) => readFileSync(`${this.dir}/${name}`, "utf8").split("\n"));
  }
}
