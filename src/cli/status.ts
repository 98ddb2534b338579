import type { Status } from "../core/status.ts";
import { commandLine } from "./command-line.ts";
import {
  askHub,
  findHub,
  type HubFlags,
  printJson,
  printTable,
  safe,
  sayProblem,
  tellHub,
  withHub,
} from "./hub-client.ts";

/**
 * 0 when all is well, 1 when something is not, 3 when it cannot be told. A house that is fine inside and not reached from outside
 * stays `ok` as a state, since no address of it fails, and is not well: a script that asks by the code alone learns of it too. A
 * failover (announced_elsewhere) and a silent vantage beside others are told, and break nothing.
 */
export function exitOf({ state, cause }: Pick<Status, "state" | "cause">): number {
  if (state === "unknown") return 3;
  return state === "ok" && cause !== "outside_path" ? 0 : 1;
}

/** `hairpin status`. */
export async function run(argv: readonly string[]): Promise<number> {
  const program = withHub(commandLine("status", "What is broken, since when, and how it is known.")).option(
    "--json",
    "print the document",
  );
  program.addHelpText(
    "after",
    "\nExits 0 when all is well, 1 when something is not (outside_path too: fine inside, not reached from outside), 3 when it cannot be told.",
  );
  program.parse([...argv], { from: "user" });
  const flags = program.opts<HubFlags & { json?: boolean }>();
  return tellHub(async () => {
    const reply = await askHub(await findHub(flags, "read"), "GET", "/v1/status");
    if (reply.status !== 200) return sayProblem(reply);
    const status = reply.body as Status;
    if (flags.json) printJson(status);
    else print(status);
    return exitOf(status);
  });
}

function print(status: Status): void {
  const { heal } = status;
  process.stdout.write(
    `${safe(status.site)}: ${status.state.toUpperCase()}${status.cause ? ` (${status.cause})` : ""}${status.since ? ` since ${status.since}` : ""}\n`,
  );
  process.stdout.write(`${safe(status.summary)}\n`);
  for (const sentence of status.evidence) process.stdout.write(`  ${safe(sentence)}\n`);
  if (status.advice) process.stdout.write(`Type:\n${safe(status.advice)}\n`);
  const vantages = Object.keys(status.vantages).filter((name) => name !== "edge" || status.edge === undefined);
  const rows = Object.entries(status.targets).map(([name, target]) => [
    name,
    target.addresses.join(","),
    target.state,
    ...vantages.map((vantage) => {
      const seen = target.vantages[vantage];
      if (seen === undefined) return "-";
      return (
        seen.failure ??
        (seen.rtt_ms === null || seen.state === "unknown" ? seen.state : `${seen.state} ${seen.rtt_ms.toFixed(1)} ms`)
      );
    }),
  ]);
  process.stdout.write("\n");
  printTable([["TARGET", "ADDRESS", "STATE", ...vantages.map((name) => name.toUpperCase())], ...rows]);
  if (status.edge !== undefined) printOutside(status.edge);
  const held = heal.held_by === null ? "" : `, held by ${heal.held_by}`;
  process.stdout.write(
    `\nheal: mode ${heal.mode}, ${heal.state}${held}, ${heal.budget_left_hour} left this hour, breaker ${heal.breaker}, host ${heal.host}\n`,
  );
  if (heal.paused_until !== null)
    process.stdout.write(
      `paused until ${heal.paused_until}${heal.paused_reason === null ? "" : `: ${safe(heal.paused_reason)}`}; hairpin resume ends it\n`,
    );
  if (heal.last !== null)
    process.stdout.write(
      `last: ${safe(heal.last.step)} ${safe(heal.last.outcome)} at ${heal.last.at} (${safe(heal.last.id)})\n`,
    );
}

function printOutside(edge: NonNullable<Status["edge"]>): void {
  process.stdout.write(`\noutside: ${safe(edge.summary)}\n`);
  for (const [id, { state, failure, detail, ms }] of Object.entries(edge.checks)) {
    const time = ms === null ? "" : ` ${Math.round(ms)} ms`;
    process.stdout.write(`  ${safe(id)}  ${failure ?? state}${time}${detail === null ? "" : `  ${safe(detail)}`}\n`);
  }
  if (edge.advice !== null) process.stdout.write(`Type:\n${safe(edge.advice)}\n`);
}
