import { existsSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import type { LinkConfig } from "../core/config/schema.ts";
import type { LabHouse } from "./house.ts";
import type { Machine, Pod } from "./house-plan.ts";
import { RUN_DIR } from "./lab-config.ts";
import { isIpv6 } from "./network6.ts";
import { bootLinks } from "./node-boot.ts";
import { forwardingRules } from "./node-network.ts";
import { inside, ipBatch, must, run } from "./shell.ts";

/** What a fault may do to the house, in the words of a house. */
export class Bench {
  readonly house: LabHouse;
  /** Undone by the restore of the fault that left it. */
  readonly cleanups: (() => Promise<void>)[] = [];

  constructor(house: LabHouse) {
    this.house = house;
  }

  get plan() {
    return this.house.plan;
  }

  get link(): LinkConfig {
    const [link] = this.plan.house.links;
    if (link === undefined) throw new Error("this house has no link");
    return link;
  }

  get services(): readonly string[] {
    return this.plan.pods.map((pod) => pod.service);
  }

  podsWith(kind: "dns" | "https" | "oidc", wanted: (pod: Pod) => boolean = () => true): readonly Pod[] {
    return this.plan.pods.filter((pod) => pod.target.checks.some((check) => check.kind === kind) && wanted(pod));
  }

  /** Where the bridge is that the guests' ports are on. */
  get bridgeNs(): string {
    return this.plan.shape === "guest" ? this.plan.ns.hypervisor : this.plan.node.ns;
  }

  machines(at: Machine["at"]): readonly Machine[] {
    return this.plan.machines.filter((machine) => machine.at === at && machine.vantages.length > 0);
  }

  /** Runs a command on the node. */
  node(...argv: readonly string[]): Promise<string> {
    return must(inside(this.plan.node.ns, argv));
  }

  ipOnNode(...lines: readonly string[]): Promise<void> {
    return ipBatch(this.plan.node.ns, lines);
  }

  /** What the passing of a minute would do, or a new client: nobody remembers a MAC of the addresses any more. */
  async flushNeighbours(): Promise<void> {
    const routers = this.plan.machines.some((machine) => machine.at === "router") ? [this.plan.ns.router] : [];
    const spaces = [...new Set([...this.plan.machines.map((machine) => machine.ns), this.plan.ns.switch, ...routers])];
    const addresses = this.plan.pods.flatMap((pod) => pod.addresses);
    await Promise.all(
      spaces.flatMap((ns) => addresses.map((address) => run(["ip", "-n", ns, "neigh", "flush", "to", address]))),
    );
  }

  /** Makes every client on the link hold this MAC for the addresses: by gratuitous ARP, and where a client knew no entry, as if it had just asked. */
  async clientsLearn(mac: string): Promise<void> {
    const { plan, link } = this;
    const addresses = plan.pods.flatMap((pod) => pod.addresses);
    for (const address of addresses.filter((each) => !isIpv6(each))) {
      const once = ["arping", "-q", "-U", "-c", "1", "-w", "0.01", "-S", address, "-i", link.name, address];
      await run(inside(plan.node.ns, once));
    }
    await this.clientsHold(mac);
  }

  /** Every client on the link holds this MAC for the addresses, whatever anybody sends. */
  async clientsHold(mac: string): Promise<void> {
    const addresses = this.plan.pods.flatMap((pod) => pod.addresses);
    const clients = [...this.machines("bridge"), ...this.machines("switch")];
    await Promise.all(
      clients.flatMap(({ ns }) =>
        addresses.map(async (address) => {
          const { stdout } = await run(["ip", "-n", ns, "-o", "neigh", "show", "to", address]);
          if (stdout.includes(mac)) return;
          const device = / dev (\S+)/.exec((await run(["ip", "-n", ns, "-o", "route", "get", address])).stdout)?.[1];
          if (device === undefined) return;
          await run(["ip", "-n", ns, "neigh", "replace", address, "lladdr", mac, "dev", device, "nud", "reachable"]);
        }),
      ),
    );
  }

  /**
   * Holds the guard, as `hairpin pause` does on the host, while something is done that a real guard would undo at once. Within another
   * hold it changes nothing.
   */
  async holdingGuard(reason: string, act: () => Promise<void>): Promise<void> {
    const file = `${RUN_DIR}/pause`;
    if (existsSync(file)) return act();
    await writeFile(file, JSON.stringify({ until: new Date(Date.now() + 60_000).toISOString(), reason }));
    try {
      await act();
    } finally {
      await rm(file, { force: true });
    }
  }

  /** The house's own last resort: the link as declared, if nobody made it. */
  async linkAsDeclared(): Promise<void> {
    const { stdout } = await run(["ip", "-n", this.plan.node.ns, "-d", "link", "show", this.link.name]);
    if (stdout.includes(this.link.mac) && /[<,]UP[,>]/.test(stdout)) return;
    await run(["ip", "-n", this.plan.node.ns, "link", "del", this.link.name]);
    await bootLinks(this.plan);
  }

  async forwardingRules(present: boolean): Promise<void> {
    for (const family of ["ip", "ip6"])
      await run(inside(this.plan.node.ns, ["nft", "delete", "table", family, "kube-proxy"]));
    if (present) await must(inside(this.plan.node.ns, ["nft", "-f", "-"]), forwardingRules(this.plan));
  }

  kubernetes(order: Parameters<LabHouse["standins"]["kubernetes"]["order"]>[0]): Promise<void> {
    return this.house.standins.kubernetes.order(order);
  }

  pods(targets: readonly Pod[], fault: Parameters<LabHouse["standins"]["pods"]["order"]>[0]["fault"]): Promise<void> {
    return this.house.standins.pods.order({ targets: targets.map((pod) => pod.target.name), fault });
  }

  async cleanUp(): Promise<void> {
    for (const clean of this.cleanups.splice(0).reverse()) await clean();
  }
}
