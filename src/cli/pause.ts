import { parseDuration } from "../core/units.ts";
import { commandLine } from "./command-line.ts";
import { askHub, findHub, type HubFlags, printJson, safe, sayProblem, tellHub, withHub } from "./hub-client.ts";

/** `hairpin pause`: maintenance with an end. */
export async function run(argv: readonly string[]): Promise<number> {
  const program = withHub(commandLine("pause", "Maintenance: no repair starts until it ends."))
    .option("--for <duration>", "how long, at most 24h", "1h")
    .option("--reason <text>", "kept with the event")
    .option("--json", "print the answer");
  program.parse([...argv], { from: "user" });
  const flags = program.opts<HubFlags & { for: string; reason?: string; json?: boolean }>();
  if (parseDuration(flags.for) === null) {
    process.stderr.write(
      `hairpin pause: --for wants a duration with a unit, such as 30m or 1h, not ${safe(flags.for)}\n`,
    );
    return 2;
  }
  return tellHub(async () => {
    const body = { for: flags.for, ...(flags.reason === undefined ? {} : { reason: flags.reason }) };
    const reply = await askHub(await findHub(flags, "pause"), "POST", "/v1/pause", body);
    if (reply.status !== 200) return sayProblem(reply);
    if (flags.json) printJson(reply.body);
    else
      process.stdout.write(`paused until ${safe((reply.body as { until: string }).until)}; hairpin resume ends it\n`);
    return 0;
  });
}
