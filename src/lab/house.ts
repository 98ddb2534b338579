import { mkdir, writeFile } from "node:fs/promises";
import type { Vantage } from "../core/config/house.ts";
import type { Config } from "../core/config/schema.ts";
import type { JoinToken } from "../core/plan.ts";
import type { LoadedConfig } from "../runtime/node/config-file.ts";
import { type HousePlan, planHouse, type Shape } from "./house-plan.ts";
import { CONFIG_FILE, LAB, type LabSecrets, writeLabConfig } from "./lab-config.ts";
import { bootLinks } from "./node-boot.ts";
import { type HairpinProcess, type LogLine, startProcess } from "./processes.ts";
import { NO_SPACE } from "./shell.ts";
import { type Standins, startStandins } from "./standin-processes.ts";
import type { Said } from "./standins/channel.ts";
import { buildHouse } from "./topology.ts";

/** Who listens to what happens in the house. */
export interface HouseEars {
  readonly line: (who: string, line: LogLine) => void;
  readonly said: (who: string, said: Said) => void;
  readonly ended: (process: HairpinProcess, how: string) => void;
}

/** The simulated house while it stands. Owns its processes; the namespaces die with the director. */
export class LabHouse {
  readonly plan: HousePlan;
  readonly config: Config;
  readonly secrets: LabSecrets;
  readonly brnf: number;
  /** Whether there are no kernel links: processes on loopback addresses, and a simulated host. */
  readonly isLoopback: boolean;
  readonly processes = new Map<string, HairpinProcess>();
  readonly #ears: HouseEars;
  #standins: Standins | null = null;

  private constructor(
    config: Config,
    plan: HousePlan,
    secrets: LabSecrets,
    brnf: number,
    ears: HouseEars,
    isLoopback: boolean,
  ) {
    this.isLoopback = isLoopback;
    this.config = config;
    this.plan = plan;
    this.secrets = secrets;
    this.brnf = brnf;
    this.#ears = ears;
  }

  /** Writes the configuration and builds the network, up to the link; nothing runs yet. */
  static async build(loaded: LoadedConfig, brnf: number, ears: HouseEars, shape?: Shape): Promise<LabHouse> {
    const plan = planHouse(loaded.house, shape);
    await mkdir(LAB, { recursive: true, mode: 0o755 });
    const secrets = await writeLabConfig(loaded.config, plan);
    await buildHouse(plan, { brnf });
    await bootLinks(plan);
    return new LabHouse(loaded.config, plan, secrets, brnf, ears, false);
  }

  /** The same house without a network of its own: its plan says on which loopback addresses everything listens. */
  static async onLoopback(config: Config, plan: HousePlan, ears: HouseEars): Promise<LabHouse> {
    const secrets = await writeLabConfig(config, plan);
    return new LabHouse(config, plan, secrets, 0, ears, true);
  }

  async startStandins(homeAssistant = true): Promise<void> {
    const start = this.isLoopback ? (await import("./loopback/standins.ts")).startLoopbackStandins : startStandins;
    this.#standins = await start(this.plan, this.secrets, this.#ears.said, homeAssistant);
  }

  /** Where a stand-in's words go. */
  get heard(): HouseEars["said"] {
    return this.#ears.said;
  }

  get standins(): Standins {
    if (this.#standins === null) throw new Error("the stand-ins have not been started");
    return this.#standins;
  }

  /** What of hairpin runs in this house, in the order in which it is started. */
  roles(): readonly { who: string; kind: HairpinProcess["kind"] }[] {
    // On loopback the host is a stand-in as well: there is no link that a real one could guard.
    const hosts = (this.isLoopback ? [] : Object.keys(this.plan.house.hosts)).map((name) => ({
      who: name === "default" ? "host" : name,
      kind: "host" as const,
    }));
    return [
      ...hosts,
      { who: "hub", kind: "hub" as const },
      ...this.plan.house.vantages.map(({ name }) => ({ who: name, kind: "vantage" as const })),
    ];
  }

  /** Starts one process; the host's vantage and the host process may share a name, so both parts make the key. */
  async start(who: string, kind: HairpinProcess["kind"]): Promise<HairpinProcess> {
    const key = `${kind}:${who}`;
    const { house, receivers } = this.plan;
    const callsTls = {
      hub: receivers.some((receiver) => receiver.tls),
      host: false,
      vantage: house.hub.tls !== undefined,
    };
    const start = { ...(await this.#startOf(who, kind)), trustsLab: callsTls[kind] };
    const process = startProcess(this.isLoopback ? { ...start, ns: NO_SPACE } : start, this.#ears.line);
    this.processes.set(key, process);
    void process.ended.then((how) => {
      if (this.processes.get(key) === process) this.processes.delete(key);
      this.#ears.ended(process, how);
    });
    return process;
  }

  async #startOf(
    who: string,
    kind: HairpinProcess["kind"],
  ): Promise<{ who: string; kind: HairpinProcess["kind"]; ns: string; args: readonly string[] }> {
    const { plan } = this;
    if (kind === "hub") return { who, kind, ns: plan.hub.ns, args: ["--config", CONFIG_FILE] };
    if (kind === "host")
      return {
        who,
        kind,
        ns: plan.node.ns,
        args: ["--config", CONFIG_FILE, ...(who === "host" ? [] : ["--name", who])],
      };
    const vantage = plan.house.vantages.find((each) => each.name === who)!;
    const file = `${LAB}/join-${who}`;
    await writeFile(file, this.#joinToken(vantage), { mode: 0o600 });
    await mkdir(`${LAB}/vantage-${who}`, { recursive: true });
    return { who, kind, ns: this.namespaceOf(vantage), args: ["--join-file", file, "--data", `${LAB}/vantage-${who}`] };
  }

  namespaceOf(vantage: Vantage): string {
    return vantage.where === "host" ? this.plan.node.ns : vantage.name;
  }

  #joinToken(vantage: Vantage): string {
    const { plan, secrets } = this;
    const key = [...secrets.keys].find(([path]) => path.endsWith(`/vantage-${vantage.name}`))?.[1] ?? "";
    const scheme = plan.house.hub.tls === undefined ? "http" : "https";
    const hub = plan.house.hub.url ?? `${scheme}://${plan.hub.address}:${plan.hub.port}`;
    const token: JoinToken = { hub, site: plan.house.site, vantage: vantage.name, key };
    return `hairpin1.${Buffer.from(JSON.stringify(token)).toString("base64url")}`;
  }
}
