import type { CommandReport } from "../../src/core/repair.ts";
import type { LinkRow, Links, Processes, Tool } from "../../src/host/port.ts";
import type { Kernel } from "./kernel.ts";
import type { Life } from "./life.ts";
import { linkIsRight, linkOf } from "./truth.ts";
import type { Witness } from "./witness.ts";

/** Trouble with the programs of the host: how long they take, and whether they work. */
export interface ToolTrouble {
  slow: number;
  /** Probability that a command fails. */
  fails: number;
  /** Commands never end by themselves: killed at 10 s. */
  hangs: boolean;
}

const DEADLINE = 10_000;

/** A program that was started goes on when its parent is killed: what it does to the kernel is done either way. */
export function processPort(
  kernel: Kernel,
  life: Life,
  trouble: ToolTrouble,
  flip: (probability: number) => boolean,
  announced: (address: string) => void,
  later: (millis: number, run: () => void) => void,
  witness: Witness,
): Processes {
  const { truth } = kernel;
  const work = (tool: Tool, args: readonly string[]): { exit: number; output: string } => {
    const command = [tool, ...args].join(" ");
    const give = (exit: number, output = "") => ({ exit, output });
    if (tool === "arping") {
      const link = linkOf(truth, args[9]!);
      if (link === null || !link.up) return give(2, "arping: No such device");
      announced(args[10]!);
      return give(1);
    }
    if (tool === "bridge") return linkOf(truth, args[4]!) === null ? give(1, "Cannot find device") : give(0);
    if (command.startsWith("ip link add ")) {
      if (linkOf(truth, args[4]!) === null) return give(1, "Cannot find device");
      const made = kernel.add({ name: args[2]!, parent: args[4]!, mac: args[6]!, mode: args[11]! });
      return made === null ? give(2, "RTNETLINK answers: File exists") : give(0);
    }
    if (command.startsWith("ip link delete dev if")) {
      const link = truth.links.find(({ ifindex }) => ifindex === Number(args[3]!.slice(2)));
      if (link === undefined) return give(1, "Cannot find device");
      kernel.remove(link.name);
      witness.tell({ kind: "link_lost" });
      return give(0);
    }
    if (command.startsWith("ip link set dev ")) {
      if (linkOf(truth, args[3]!) === null) return give(1, "Cannot find device");
      kernel.change(args[3]!, { up: true });
      return give(0);
    }
    return command.startsWith("ip address replace ") ? give(0) : give(255, "unknown command");
  };
  return {
    run(tool, args) {
      return new Promise<CommandReport>((resolve) => {
        if (!life.touch()) return;
        witness.tell({ kind: "command", tool, args, right: linkIsRight(truth) });
        witness.note(`host runs ${tool} ${args.join(" ")}`);
        const ms = trouble.hangs ? DEADLINE : trouble.slow > 0 ? trouble.slow : 3;
        later(ms, () => {
          const fails = trouble.hangs || (trouble.fails > 0 && flip(trouble.fails));
          const { exit, output } = fails
            ? { exit: 255, output: "RTNETLINK answers: Device or resource busy" }
            : work(tool, args);
          if (life.touch()) resolve({ argv: [tool, ...args], ms, exit: trouble.hangs ? null : exit, output });
        });
      });
    },
  };
}

export function linksPort(kernel: Kernel, life: Life, witness: Witness): Links {
  const { truth } = kernel;
  return {
    async table() {
      if (!life.touch()) return new Promise(() => {});
      const rows = truth.links.map((link): LinkRow => ({ ...link, hairpin: null }));
      await life.exactly(1);
      return rows;
    },
    addresses: () => life.answer([]),
    sysctl: (name, key) => truth.sysctls.get(`${name}.${key}`) ?? null,
    setSysctl(name, key, value) {
      if (!life.touch()) return "the process is dead";
      if (linkOf(truth, name) === null) return "no such file";
      witness.tell({ kind: "command", tool: "sysctl", args: [name, key, String(value)], right: linkIsRight(truth) });
      truth.sysctls.set(`${name}.${key}`, value);
      return null;
    },
    arpSockets: () => new Set(truth.sockets.keys()),
    brnf: () => 0,
    reversePathDrops: () => 0,
    neighbours: () => life.answer([]),
    suspects: () => [],
  };
}
