import { commandLine } from "./command-line.ts";
import { askHub, findHub, type HubFlags, printJson, sayProblem, tellHub, withHub } from "./hub-client.ts";

/** `hairpin reset-breaker`: only a person closes an open breaker (I12). */
export async function run(argv: readonly string[]): Promise<number> {
  const program = withHub(commandLine("reset-breaker", "Close the breaker again, after you have looked.")).option(
    "--json",
    "print the answer",
  );
  program.parse([...argv], { from: "user" });
  const flags = program.opts<HubFlags & { json?: boolean }>();
  return tellHub(async () => {
    const reply = await askHub(await findHub(flags, "pause"), "POST", "/v1/breaker/reset", {});
    if (reply.status !== 200) return sayProblem(reply);
    if (flags.json) printJson(reply.body);
    else process.stdout.write("the breaker is closed\n");
    return 0;
  });
}
