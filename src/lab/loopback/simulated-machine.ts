import type { LinkConfig, SpeakerConfig } from "../../core/config/schema.ts";
import type { CommandReport } from "../../core/repair.ts";
import type { Answer, GuardedLink, Kubernetes, LinkRow, Links, Tool } from "../../host/port.ts";

const RESCAN_MS = 10_000;
const POD_START_MS = 500;
const COMMAND_MS = 2;
const PARENT_MAC = "02:6c:61:62:00:01";

export interface MachineEars {
  readonly heard: (row: LinkRow, deleted: boolean) => void;
  readonly announced: (isAnnounced: boolean) => void;
  readonly log: (text: string) => void;
}

const ok = <T>(value: T): Promise<Answer<T>> => Promise.resolve({ ok: true, value });

/** A machine with one bridge, one macvlan and a speaker, in memory: what the host's ports meet in the loopback lab. */
export class SimulatedMachine {
  readonly #declared: LinkConfig;
  readonly #ears: MachineEars;
  readonly #parent: LinkRow;
  #link: LinkRow | null;
  #indexes = 6;
  #sysctls: Record<string, number>;
  /** A dead one stays in the list of pods, not ready, as one in CrashLoopBackOff does. */
  #speaker = { uid: "1", isAlive: true, listensTo: null as number | null, startedAt: Date.now() };
  #pods = 1;

  constructor(declared: LinkConfig, ears: MachineEars) {
    this.#declared = declared;
    this.#ears = ears;
    this.#sysctls = { ...declared.sysctl };
    this.#parent = {
      name: declared.parent,
      ifindex: 4,
      up: true,
      carrier: true,
      mac: PARENT_MAC,
      parent: null,
      master: null,
      kind: "bridge",
      mode: null,
      hairpin: null,
    };
    this.#link = this.#made(declared.mac);
    setInterval(() => this.scan(), RESCAN_MS).unref();
  }

  #made(mac: string): LinkRow {
    return {
      name: this.#declared.name,
      ifindex: this.#indexes++,
      up: true,
      carrier: true,
      mac,
      parent: this.#declared.parent,
      master: null,
      kind: "macvlan",
      mode: this.#declared.mode,
      hairpin: null,
    };
  }

  /** As the speaker does every 10 s: a responder for the link that is there now. */
  scan(): void {
    const index = this.#link?.up === true ? this.#link.ifindex : null;
    if (this.#speaker.isAlive && this.#speaker.listensTo !== index) {
      this.#ears.log(
        index === null
          ? "deleteARPResponder (simulated)"
          : `createARPResponder interface=${this.#declared.name} (simulated)`,
      );
      this.#speaker.listensTo = index;
    }
    this.#tell();
  }

  /** Frames reach the addresses while the link stands: clients keep its MAC, and a speaker answers new ones. */
  #tell(): void {
    this.#ears.announced(this.#link?.up === true && this.#speaker.isAlive);
  }

  deleteLink(): void {
    const gone = this.#link;
    this.#link = null;
    this.#tell();
    if (gone !== null) this.#ears.heard(gone, true);
  }

  killSpeaker(): void {
    this.#speaker = { ...this.#speaker, isAlive: false, listensTo: null };
    this.#tell();
  }

  restore(): void {
    if (this.#link === null) this.#create(this.#declared.mac);
    if (!this.#speaker.isAlive) this.#speaker = this.#startSpeaker();
    this.scan();
  }

  #create(mac: string): void {
    this.#link = this.#made(mac);
    this.#sysctls = { rp_filter: 2, arp_ignore: 0 }; // From conf.default, as the kernel does (measured).
    this.#ears.heard(this.#link, false);
    this.#tell();
  }

  #startSpeaker() {
    return { uid: String(++this.#pods), isAlive: true, listensTo: null, startedAt: Date.now() };
  }

  /** Plays `ip link add|set|del`; everything else succeeds without effect. */
  async command(tool: Tool, args: readonly string[]): Promise<CommandReport> {
    const began = performance.now();
    await new Promise((resolve) => setTimeout(resolve, COMMAND_MS));
    const line = args.join(" ");
    if (tool === "ip" && line.startsWith("link add"))
      this.#create(/address (\S+)/.exec(line)?.[1] ?? this.#declared.mac);
    if (tool === "ip" && /^link del/.test(line)) this.deleteLink();
    return { argv: [`simulated:${tool}`, ...args], ms: performance.now() - began, exit: 0, output: "" };
  }

  readonly links: Links = {
    table: async () => [this.#parent, ...(this.#link === null ? [] : [this.#link])],
    addresses: async () => this.#declared.addresses,
    sysctl: (_name, key) => (this.#link === null ? null : (this.#sysctls[key] ?? null)),
    setSysctl: (_name, key, value) => {
      this.#sysctls[key] = value;
      return null;
    },
    arpSockets: () => new Set(this.#speaker.listensTo === null ? [] : [this.#speaker.listensTo]),
    brnf: () => null,
    reversePathDrops: () => 0,
    neighbours: async () => [],
    suspects: () => [],
  };

  kubernetes(speaker: SpeakerConfig | null, targets: GuardedLink["targets"]): Kubernetes | null {
    if (speaker === null) return null;
    const services = targets.flatMap((target) => target.service ?? []);
    const pool = {
      name: "simulated",
      labels: {},
      addresses: targets.flatMap((target) => target.addresses).map((address) => `${address}/32`),
    };
    return {
      pods: () =>
        ok([
          {
            name: `speaker-${this.#speaker.uid}`,
            uid: this.#speaker.uid,
            node: speaker.node,
            ready: this.#speaker.isAlive,
            restarts: 0,
            startedAt: this.#speaker.startedAt,
            terminating: false,
          },
        ]),
      deletePod: async () => {
        setTimeout(() => {
          this.#speaker = this.#startSpeaker();
          this.scan();
        }, POD_START_MS);
        return { ok: true, value: null };
      },
      l2Statuses: () =>
        ok(
          services.map((service) => ({
            node: speaker.node,
            service,
            interfaces: [this.#declared.name],
            createdAt: Date.now(),
          })),
        ),
      advertisements: () =>
        ok([
          {
            name: "simulated",
            pools: [pool.name],
            poolSelectors: [],
            nodeSelectors: [],
            serviceSelectors: [],
            interfaces: [this.#declared.name],
          },
        ]),
      pools: () => ok([pool]),
      nodeLabels: () => ok({ "kubernetes.io/hostname": speaker.node }),
      service: () => ok({ exists: true, labels: {} }),
      readyEndpoints: () => ok(1),
      announceFailed: () => ok([]),
      annotate: async () => {
        this.scan();
        return { ok: true, value: null };
      },
    };
  }
}
