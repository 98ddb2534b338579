import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { appImage } from "../support/app-image.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
/** The app's option counts whole minutes; the test is shorter (`HAIRPIN_HUB_GONE_S`). */
const HUB_GONE_S = "4";
const STOP_MS = 5_000;

export interface AppSettings {
  readonly dir: string;
  readonly joinToken: string;
  /** Where the Supervisor is (in a container the name `supervisor` leads there), and the app's token for it. */
  readonly supervisor: { readonly url: string; readonly token: string };
}

/** The app without its container: the environment and the command of its Dockerfile, its /data in a folder of the test. */
export class App {
  readonly #child: ChildProcess;
  #output = "";

  constructor({ dir, joinToken, supervisor }: AppSettings) {
    const data = join(dir, "data");
    mkdirSync(data, { recursive: true });
    const options = { join_token: joinToken, who_has: true, heal_button: true, hub_gone_minutes: 3, log_level: "info" };
    writeFileSync(join(data, "options.json"), JSON.stringify(options), { mode: 0o600 });
    const { env, command } = appImage((path) =>
      path
        .replace(/^\/data\b/, data)
        .replace(/^\/opt\/hairpin\//, ROOT)
        .replace(/^node$/, process.execPath),
    );
    const told = { SUPERVISOR_TOKEN: supervisor.token, HAIRPIN_SUPERVISOR: supervisor.url };
    this.#child = spawn(command[0]!, command.slice(1), {
      env: { PATH: `${process.env["PATH"]}:/usr/sbin:/sbin`, ...env, ...told, HAIRPIN_HUB_GONE_S: HUB_GONE_S },
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.#output = (this.#output + text).slice(-1_048_576);
      });
  }

  output(): string {
    return this.#output;
  }

  async stop(): Promise<void> {
    const child = this.#child;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
    await ended;
    clearTimeout(timer);
  }
}
