import type { HairpinEvent } from "../core/event.ts";
import { commandLine } from "./command-line.ts";
import { askHub, findHub, type HubFlags, safe, sayProblem, streamHub, tellHub, withHub } from "./hub-client.ts";

interface Flags extends HubFlags {
  readonly follow?: boolean;
  readonly after?: string;
  readonly limit: string;
  readonly json?: boolean;
}

/** `hairpin events`: history, and with --follow what happens from now on. */
export async function run(argv: readonly string[]): Promise<number> {
  const program = withHub(commandLine("events", "What happened, oldest first."))
    .option("--follow", "go on until interrupted")
    .option("--after <seq>", "only what came after this sequence number")
    .option("--limit <n>", "at most so many", "50")
    .option("--json", "print one object a line");
  program.parse([...argv], { from: "user" });
  const flags = program.opts<Flags>();
  for (const [name, value] of [
    ["--after", flags.after ?? "0"],
    ["--limit", flags.limit],
  ] as const) {
    if (!/^\d{1,9}$/.test(value)) {
      process.stderr.write(`hairpin events: ${name} wants a whole number\n`);
      return 2;
    }
  }
  const print = (event: HairpinEvent) => process.stdout.write(flags.json ? `${JSON.stringify(event)}\n` : line(event));
  return tellHub(async () => {
    const hub = await findHub(flags, "read");
    const query = flags.after === undefined ? "" : `&after=${flags.after}`;
    const reply = await askHub(hub, "GET", `/v1/events?limit=${flags.limit}${query}`);
    if (reply.status !== 200) return sayProblem(reply);
    const { events, last } = reply.body as { events: HairpinEvent[]; last: number };
    for (const event of events) print(event);
    let seen = last;
    while (flags.follow) {
      for await (const text of streamHub(hub, `/v1/events/stream?after=${seen}`)) {
        const event = JSON.parse(text) as HairpinEvent;
        if (event.seq <= seen) continue;
        seen = event.seq;
        print(event);
      }
      await new Promise((resolve) => setTimeout(resolve, 1_000));
    }
    return 0;
  });
}

function line({ timestamp, data }: HairpinEvent): string {
  const advice = data.advice ? `\n    ${safe(data.advice).replaceAll("\n", "\n    ")}` : "";
  return `${timestamp}  ${data.event.padEnd(15)}  ${safe(data.title)}\n    ${safe(data.message)}${advice}\n`;
}
