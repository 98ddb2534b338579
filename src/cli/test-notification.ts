import type { Delivery } from "../core/delivery.ts";
import { commandLine } from "./command-line.ts";
import { askHub, findHub, type HubFlags, printJson, printTable, sayProblem, tellHub, withHub } from "./hub-client.ts";

const WAIT_MS = 15_000;

/** `hairpin test-notification`: sends `test` to every subscriber and says which took it, and which confirmed it. */
export async function run(argv: readonly string[]): Promise<number> {
  const program = withHub(
    commandLine("test-notification", "Send a test to every subscriber, and say which confirmed."),
  ).option("--json", "print the document");
  program.parse([...argv], { from: "user" });
  const flags = program.opts<HubFlags & { json?: boolean }>();
  return tellHub(async () => {
    const hub = await findHub(flags, "pause");
    const reply = await askHub(hub, "POST", "/v1/test-notifications", {});
    if (reply.status !== 202) return sayProblem(reply);
    const sent = (reply.body as { deliveries: Delivery[] }).deliveries;
    const until = performance.now() + WAIT_MS;
    let rows = sent;
    const isOpen = (row: Delivery) => (row.state === "queued" && row.tries === 0) || row.state === "accepted";
    while (rows.some(isOpen) && performance.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, 300));
      const now = await askHub(hub, "GET", "/v1/deliveries");
      const known = (now.body as { deliveries: Delivery[] }).deliveries;
      rows = sent.map((row) => known.find((other) => other.id === row.id) ?? row);
    }
    if (flags.json) printJson({ deliveries: rows });
    else if (rows.length === 0) process.stdout.write("nobody is configured under notify: nothing was sent\n");
    else
      printTable([
        ["SUBSCRIBER", "STATE", "ERROR"],
        ...rows.map((row) => [
          row.subscriber,
          row.state,
          row.last_error ?? (row.state === "accepted" ? "it answered 200; its blueprint has not confirmed it" : ""),
        ]),
      ]);
    return rows.every((row) => row.state === "delivered" || row.state === "confirmed")
      ? 0
      : rows.some((row) => row.state === "queued" || row.state === "dead")
        ? 1
        : 3;
  });
}
