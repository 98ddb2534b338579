import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { commandLine } from "./command-line.ts";

const EXAMPLE = fileURLToPath(new URL("../../hairpin.yaml", import.meta.url));

export async function run(argv: readonly string[]): Promise<number> {
  const program = commandLine("lab", "builds a simulated house in namespaces, breaks it, and shows the repair");
  program
    .option("--config <file>", "the house to build (default: the shipped example)")
    .option("--fault <name...>", "what to break, in this order (default: the tour of three)")
    .option("--json", "one object a line")
    .option("--keep", "leave the house running, with its status page on 127.0.0.1:8787")
    .option("--brnf <0|1>", "bridge-nf-call-iptables on the node", "1")
    .option("--inside", "", false);
  program.parse(argv as string[], { from: "user" });
  const options = program.opts<{
    config?: string;
    fault?: string[];
    json?: boolean;
    keep?: boolean;
    brnf: string;
    inside: boolean;
  }>();
  const config = resolve(options.config ?? EXAMPLE);
  if (options.inside) {
    const { runInside } = await import("../lab/inside.ts");
    return runInside({
      config,
      faults: options.fault ?? [],
      json: options.json ?? false,
      keep: options.keep ?? false,
      brnf: Number(options.brnf),
    });
  }
  const { runOuter } = await import("../lab/outer.ts");
  return runOuter([...argv], { userNamespace: true });
}
