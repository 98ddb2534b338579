import type { House } from "../core/config/house.ts";
import type { CheckResult } from "../core/observation.ts";
import type { Plan } from "../core/plan.ts";
import { sayDuration } from "../core/units.ts";
import { type RoundResult, runRound } from "../probes/round.ts";
import { ConfigError, loadConfig } from "../runtime/node/config-file.ts";
import { createProbePorts } from "../runtime/node/probe-ports.ts";
import { nagiosReport } from "./check-nagios.ts";
import { commandLine, defaultConfig } from "./command-line.ts";
import { planHere } from "./plan-here.ts";

interface Flags {
  readonly config: string;
  readonly json?: boolean;
  readonly nagios?: boolean;
}

const TRIES = 3;
/** Something failed; the names of targets are wrong; this machine's own path is broken. */
const [FAILED, USAGE, CANNOT_TELL] = [1, 2, 3] as const;
const NAGIOS_UNKNOWN = 3;

/** `hairpin check [TARGET…]`: one round from this machine. It reads and asks, and changes nothing. */
export async function run(argv: readonly string[]): Promise<number> {
  let code = 0;
  const program = commandLine("check", "one round of probes from this machine now; changes nothing")
    .argument("[target...]", "only these targets")
    .option("--config <file>", "the configuration", defaultConfig())
    .option("--json", "print one JSON document")
    .option("--nagios", "print one line and exit as Nagios plugins do (0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN)")
    .action(async (targets: string[], flags: Flags) => {
      code = await check(targets, flags);
    });
  await program.parseAsync([...argv], { from: "user" });
  return code;
}

async function check(names: readonly string[], flags: Flags): Promise<number> {
  let house: House;
  try {
    house = loadConfig(flags.config).house;
  } catch (error) {
    // Nagios reads 2 as CRITICAL, which a mistake in the file is not.
    if (!flags.nagios || !(error instanceof ConfigError)) throw error;
    process.stdout.write(`HAIRPIN UNKNOWN - ${error.message.split("\n")[0]}\n`);
    return NAGIOS_UNKNOWN;
  }
  const unknown = names.find((name) => !house.targets.some((target) => target.name === name));
  if (unknown !== undefined) {
    const known = house.targets.map((target) => target.name).join(", ") || "none";
    const words = `there is no target ${JSON.stringify(unknown)}; known: ${known}`;
    // A plugin is heard on its standard output alone.
    if (flags.nagios) process.stdout.write(`HAIRPIN UNKNOWN - ${words.replaceAll("|", "/")}\n`);
    else process.stderr.write(`hairpin check: ${words}\n`);
    return flags.nagios ? NAGIOS_UNKNOWN : USAGE;
  }
  const ports = createProbePorts();
  const plan = await planHere(house, names, ports);
  const result = await runRound({ plan, due: () => true, tries: () => TRIES }, ports, new AbortController().signal);
  const failing = result.checks.filter((each) => !each.ok);
  const blind = result.control.ok === false && failing.length > 0;
  if (flags.nagios) return nagiosReport(plan, result, blind);
  if (flags.json) {
    const document = {
      site: house.site,
      ok: failing.length === 0,
      where: plan.where,
      control: result.control,
      checks: result.checks,
    };
    process.stdout.write(`${JSON.stringify(document)}\n`);
  } else {
    process.stdout.write(table(plan, result, blind));
  }
  return failing.length === 0 ? 0 : blind ? CANNOT_TELL : FAILED;
}

function table(plan: Plan, result: RoundResult, blind: boolean): string {
  const rows = result.checks.map((check) => [
    check.ok ? "ok" : "FAILED",
    check.target,
    check.id ?? check.check,
    plan.targets.find((target) => target.name === check.target)?.addresses.join(" ") ?? "",
    check.ms == null ? "" : sayMillis(check.ms),
    check.ok ? sayGood(check) : `${check.failure}: ${check.detail ?? ""}`,
  ]);
  const widths = [0, 1, 2, 3, 4].map((column) => Math.max(0, ...rows.map((row) => row[column]!.length)));
  const lines = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
  const failing = result.checks.filter((check) => !check.ok).length;
  const count = result.checks.length;
  const summary =
    count === 0
      ? "no targets are declared: nothing was asked"
      : failing === 0
        ? `all ${count} checks are good`
        : `${failing} of ${count} checks fail`;
  const notes = [
    sayControl(result.control),
    ...(plan.where === "host" ? ["this machine carries the link: its own probes stay green when ARP is dead"] : []),
    ...(blind ? ["cannot tell: this machine's own path is broken, so what fails may be fine"] : []),
  ];
  return `${[...lines, ...(lines.length > 0 ? [""] : []), summary, ...notes].join("\n")}\n`;
}

function sayControl(control: RoundResult["control"]): string {
  if (control.ok === null) return "own path: nothing to measure it by (control.reference in the configuration)";
  const times = [
    control.gateway_ms == null ? null : `gateway ${sayMillis(control.gateway_ms)}`,
    control.reference_ms == null ? null : `reference ${sayMillis(control.reference_ms)}`,
    control.detail ?? null,
  ].filter((part) => part !== null);
  return `own path: ${control.ok ? "good" : "broken"}${times.length > 0 ? ` (${times.join(", ")})` : ""}`;
}

/** What is worth knowing of a good check, in a few words. */
function sayGood(check: CheckResult): string {
  const { evidence } = check;
  const answered = evidence?.answers?.map((answer) => answer.mac).join(" ");
  if (check.check === "neighbour") return answered ? `${answered} answers` : (check.detail ?? evidence?.mac ?? "");
  if (check.check === "dns")
    return [evidence?.records?.slice(0, 4).join(" "), check.detail].filter((part) => part).join("; ");
  const days = evidence?.certificate?.days_left;
  const parts = [
    evidence?.status == null ? null : `HTTP ${evidence.status}`,
    days == null ? null : `certificate ends in ${days} days`,
    check.detail,
  ];
  return parts.filter((part) => part != null).join(", ");
}

const sayMillis = (millis: number): string => (millis < 10 ? `${millis.toFixed(1)} ms` : sayDuration(millis));
