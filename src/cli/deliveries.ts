import type { Delivery, SubscriberState } from "../core/delivery.ts";
import { explainDelivery } from "../core/doctor/webhook.ts";
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

/** `hairpin deliveries`: the outbox, its dead letters, and sending one again. */
export async function run(argv: readonly string[]): Promise<number> {
  const program = withHub(commandLine("deliveries", "What was sent to whom, and what was not."))
    .option("--dead", "only what was given up")
    .option("--replay <id>", "send this one again")
    .option("--json", "print the document");
  program.parse([...argv], { from: "user" });
  const flags = program.opts<HubFlags & { dead?: boolean; replay?: string; json?: boolean }>();
  return tellHub(async () => {
    const hub = await findHub(flags, flags.replay === undefined ? "read" : "pause");
    if (flags.replay !== undefined) {
      const reply = await askHub(hub, "POST", `/v1/deliveries/${encodeURIComponent(flags.replay)}/replay`, {});
      if (reply.status !== 202) return sayProblem(reply);
      if (flags.json) printJson(reply.body);
      else process.stdout.write(`${safe(flags.replay)} is queued again\n`);
      return 0;
    }
    const reply = await askHub(hub, "GET", `/v1/deliveries${flags.dead ? "?dead=1" : ""}`);
    if (reply.status !== 200) return sayProblem(reply);
    const { deliveries, subscribers } = reply.body as {
      deliveries: Delivery[];
      subscribers: (SubscriberState & { confirms?: boolean })[];
    };
    if (flags.json) printJson(reply.body);
    else {
      printTable([
        ["CREATED", "SUBSCRIBER", "EVENT", "TARGET", "STATE", "TRIES", "ID", "ERROR"],
        ...deliveries.map((row) => [
          row.created_at,
          row.subscriber,
          row.kind,
          row.target,
          row.state,
          String(row.tries),
          row.id,
          row.last_error ?? "",
        ]),
      ]);
      for (const subscriber of subscribers.filter(({ confirms }) => confirms === true)) {
        const [latest] = deliveries
          .filter((row) => row.subscriber === subscriber.name)
          .sort((a, b) => b.event_seq - a.event_seq);
        const words = latest === undefined ? null : explainDelivery(latest, subscriber);
        if (words !== null)
          process.stdout.write(`${safe(subscriber.name)} ${safe(words.text)} hairpin test-notification says more\n`);
      }
      for (const { name, disabled } of subscribers)
        if (disabled !== null)
          process.stdout.write(
            `${safe(name)} is disabled: ${safe(disabled)}; hairpin test-notification tries it again\n`,
          );
    }
    return deliveries.some((row) => row.state === "dead") ? 1 : 0;
  });
}
