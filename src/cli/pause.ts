import { DAY, parseDuration, SECOND } from "../core/units.ts";
import { commandLine } from "./command-line.ts";
import { onThisHost } from "./host-pause.ts";
import { askHub, findHub, type HubFlags, printJson, safe, sayProblem, withHub } from "./hub-client.ts";

/** `hairpin pause`: maintenance with an end, at the hub and its hosts; without a hub on this host alone. */
export async function run(argv: readonly string[]): Promise<number> {
  const program = withHub(commandLine("pause", "Maintenance: no repair starts and the guard waits until it ends."))
    .option("--for <duration>", "how long, at most 24h", "1h")
    .option("--reason <text>", "kept with the event")
    .option("--host", "only this host's guard and repairs, without asking a hub")
    .option("--json", "print the answer");
  program.parse([...argv], { from: "user" });
  const flags = program.opts<HubFlags & { for: string; reason?: string; host?: boolean; json?: boolean }>();
  const millis = parseDuration(flags.for);
  if (millis === null || millis < SECOND || millis > DAY) {
    process.stderr.write(
      `hairpin pause: --for wants a duration with a unit, between 1s and 24h, such as 30m or 1h, not ${safe(flags.for)}\n`,
    );
    return 2;
  }
  return onThisHost(
    flags.host === true,
    async () => {
      const body = { for: flags.for, ...(flags.reason === undefined ? {} : { reason: flags.reason }) };
      const reply = await askHub(await findHub(flags, "pause"), "POST", "/v1/pause", body);
      if (reply.status !== 200) return sayProblem(reply);
      if (flags.json) printJson(reply.body);
      else
        process.stdout.write(`paused until ${safe((reply.body as { until: string }).until)}; hairpin resume ends it\n`);
      return 0;
    },
    async (directory) => {
      const { writePause } = await import("../runtime/node/pause-file.ts");
      const until = writePause(directory, millis, flags.reason ?? null);
      if (flags.json) printJson({ state: "maintenance", until, host: true });
      else
        process.stdout.write(
          `paused on this host until ${until}: its guard and its repairs wait; hairpin resume --host ends it\n`,
        );
    },
  );
}
