import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { commandLine } from "./command-line.ts";

/** The shipped house. */
const EXAMPLE = fileURLToPath(new URL("../../hairpin.yaml", import.meta.url));

interface Flags {
  readonly config?: string;
  readonly fault?: readonly string[];
  readonly json?: boolean;
  readonly keep?: boolean;
  readonly brnf: string;
  readonly loopback?: boolean;
  readonly inside?: boolean;
  readonly topology: string;
  readonly calm?: string;
  readonly doctor?: boolean;
  readonly record?: boolean;
  readonly withoutHomeAssistant?: boolean;
}

export async function run(argv: readonly string[]): Promise<number> {
  const program = commandLine("lab", "builds a simulated house in network namespaces, breaks it, and shows the repair");
  let code = 0;
  program
    .option("--config <file>", "the house to build (default: the shipped example)")
    .option(
      "--fault <name>",
      "what to break; may be given several times (default: a tour of three)",
      (name: string, before: string[] = []) => [...before, ...name.split(",")],
    )
    .option("--json", "one object a line, and after each fault its result")
    .option("--keep", "leave the house running; its status page is http://127.0.0.1:8787/")
    .option("--brnf <0|1>", "bridge-nf-call-iptables on the node", "1")
    .option(
      "--topology <bridge|guest|auto>",
      "what the link's parent is: a bridge of the node, or the card of a node that is itself a guest, behind a firewall bridge as Proxmox makes it; auto goes by the parent's name (ens18, eth0, ens18.20 are cards)",
      "auto",
    )
    .option("--loopback", "without kernel links: stand-ins on loopback addresses")
    .option("--doctor", "while each fault stands, also what `hairpin doctor` says at every place")
    .option("--calm <duration>", "break nothing for so long (10m), and show that nothing is told")
    .addOption(program.createOption("--inside").hideHelp())
    .addOption(program.createOption("--record").hideHelp())
    .option("--without-home-assistant", "no stand-in for Home Assistant: its machine is left to a real one")
    .addHelpText("after", `\nFaults: ${"`hairpin lab faults`"} lists them with the cause that must come out.`)
    .action(async () => {
      code = await build(program.opts<Flags>(), argv);
    });
  const done = (value: number) => {
    code = value;
  };
  program
    .command("faults")
    .description("list the faults")
    .action(async () => done(await listFaults()));
  program
    .command("break <name>")
    .description("inject a fault into the running lab, one started with --keep, and tell its story")
    .action(async (name: string) => {
      const unknown = await unknownFaults([name]);
      done(unknown > 0 ? unknown : await ask({ act: "break", fault: name }));
    });
  program
    .command("restore")
    .description("put the running lab right again")
    .action(async () => done(await ask({ act: "restore" })));
  program
    .enablePositionalOptions()
    .command("enter <vantage> [command...]")
    .description("a shell on a machine of the running lab")
    .passThroughOptions()
    .action(async (vantage: string, command: string[]) => done(await enter(vantage, command)));
  await program.parseAsync([...argv], { from: "user" });
  return code;
}

async function build(flags: Flags, argv: readonly string[]): Promise<number> {
  const config = resolve(flags.config ?? EXAMPLE);
  // First of all: it names the place of its files before anything is loaded that uses it.
  if (flags.loopback === true) {
    const { runLoopback } = await import("../lab/loopback/loopback.ts");
    return runLoopback({ config, faults: flags.fault ?? [], json: flags.json ?? false });
  }
  const unknown = await unknownFaults(flags.fault ?? []);
  if (unknown > 0) return unknown;
  if (flags.brnf !== "0" && flags.brnf !== "1") {
    process.stderr.write("hairpin lab: --brnf is 0 or 1\n");
    return 2;
  }
  const { SHAPES } = await import("../lab/house-plan.ts");
  const shape = SHAPES.find((known) => known === flags.topology);
  if (shape === undefined && flags.topology !== "auto") {
    process.stderr.write(`hairpin lab: --topology is ${SHAPES.join(", ")} or auto\n`);
    return 2;
  }
  const { parseDuration } = await import("../core/units.ts");
  const calmMs = flags.calm === undefined ? null : parseDuration(flags.calm);
  if (flags.calm !== undefined && calmMs === null) {
    process.stderr.write("hairpin lab: --calm wants a duration with a unit, such as 10m\n");
    return 2;
  }
  if (flags.inside === true) {
    const { runInside } = await import("../lab/inside.ts");
    return runInside({
      config,
      faults: flags.fault ?? [],
      json: flags.json ?? false,
      keep: flags.keep ?? false,
      brnf: Number(flags.brnf),
      calmMs,
      shape,
      doctor: flags.doctor ?? false,
      record: flags.record ?? false,
      homeAssistant: flags.withoutHomeAssistant !== true,
    });
  }
  const { loadConfig } = await import("../runtime/node/config-file.ts");
  loadConfig(config, { missingFiles: "warning" }); // Its problems are told before anything is built.
  const { runOuter } = await import("../lab/outer.ts");
  return runOuter(argv, { keep: flags.keep ?? false });
}

/** Says which of these are no faults, with the nearest name and the whole list; the exit code, 0 when all are known. */
async function unknownFaults(names: readonly string[]): Promise<number> {
  const { findFault, FAULTS } = await import("../lab/faults/catalogue.ts");
  const unknown = names.filter((name) => findFault(name) === undefined);
  if (unknown.length === 0) return 0;
  const { nearest } = await import("../core/config/nearest.ts");
  const known = FAULTS.map((fault) => fault.name);
  for (const name of unknown)
    process.stderr.write(
      `hairpin lab: there is no fault ${JSON.stringify(name)}; did you mean ${nearest(name, known)}?\n`,
    );
  process.stderr.write(`Known: ${known.join(", ")}. hairpin lab faults says what each one is.\n`);
  return 2;
}

async function listFaults(): Promise<number> {
  const { FAULTS } = await import("../lab/faults/catalogue.ts");
  const width = Math.max(...FAULTS.map((fault) => fault.name.length));
  for (const fault of FAULTS) {
    const by =
      fault.ending === "guard"
        ? "the guard"
        : fault.ending === "heal"
          ? "a remedy"
          : "nobody: told, or nothing to tell";
    process.stdout.write(`  ${fault.name.padEnd(width)}  ${(fault.cause ?? "–").padEnd(20)} healed by ${by}\n`);
  }
  return 0;
}

async function ask(order: { readonly act: string; readonly fault?: string }): Promise<number> {
  const { askLab, findLab } = await import("../lab/running.ts");
  const pid = findLab();
  if (pid === null) {
    process.stderr.write("hairpin lab: no lab is running that takes orders; start one with hairpin lab --keep\n");
    return 3;
  }
  const answer = await askLab(pid, order);
  if (answer.detail !== undefined) process.stderr.write(`hairpin lab: ${answer.detail}\n`);
  if (answer.result !== undefined) process.stdout.write(`${JSON.stringify(answer.result)}\n`);
  return answer.ok ? 0 : 1;
}

async function enter(vantage: string, command: readonly string[]): Promise<number> {
  const { askLab, enterSpace, findLab } = await import("../lab/running.ts");
  const pid = findLab();
  if (pid === null) {
    process.stderr.write("hairpin lab: no lab is running; start one with hairpin lab --keep\n");
    return 3;
  }
  const { spaces = {} } = await askLab(pid, { act: "vantages" });
  const ns = spaces[vantage];
  if (ns === undefined) {
    process.stderr.write(
      `hairpin lab: there is no ${vantage} in this house; there are ${Object.keys(spaces).join(", ")}\n`,
    );
    return 2;
  }
  return enterSpace(pid, ns, command);
}
