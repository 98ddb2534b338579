import { commandLine } from "./command-line.ts";
import { askHub, findHub, type HubFlags, printJson, sayProblem, tellHub, withHub } from "./hub-client.ts";

/** `hairpin resume`: ends a maintenance. */
export async function run(argv: readonly string[]): Promise<number> {
  const program = withHub(
    commandLine("resume", "End the maintenance. A fresh confirmation is needed before anything is repaired."),
  ).option("--json", "print the answer");
  program.parse([...argv], { from: "user" });
  const flags = program.opts<HubFlags & { json?: boolean }>();
  return tellHub(async () => {
    const reply = await askHub(await findHub(flags, "pause"), "POST", "/v1/resume", {});
    if (reply.status !== 200) return sayProblem(reply);
    if (flags.json) printJson(reply.body);
    else process.stdout.write("resumed\n");
    return 0;
  });
}
