import { commandLine } from "./command-line.ts";
import { onThisHost } from "./host-pause.ts";
import { askHub, findHub, type HubFlags, printJson, sayProblem, withHub } from "./hub-client.ts";

/** `hairpin resume`: ends a maintenance, at the hub and its hosts; without a hub on this host alone. */
export async function run(argv: readonly string[]): Promise<number> {
  const program = withHub(
    commandLine("resume", "End the maintenance. A fresh confirmation is needed before anything is repaired."),
  )
    .option("--host", "only this host's guard and repairs, without asking a hub")
    .option("--json", "print the answer");
  program.parse([...argv], { from: "user" });
  const flags = program.opts<HubFlags & { host?: boolean; json?: boolean }>();
  return onThisHost(
    flags.host === true,
    async () => {
      const reply = await askHub(await findHub(flags, "pause"), "POST", "/v1/resume", {});
      if (reply.status !== 200) return sayProblem(reply);
      if (flags.json) printJson(reply.body);
      else process.stdout.write("resumed\n");
      return 0;
    },
    async (directory) => {
      const { removePause } = await import("../runtime/node/pause-file.ts");
      removePause(directory);
      if (flags.json) printJson({ state: "resumed", host: true });
      else process.stdout.write("resumed on this host\n");
    },
  );
}
