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
    let subscribers: readonly (SubscriberState & { confirms?: boolean })[] = [];
    let all: readonly Delivery[] = [];
    const isOpen = (row: Delivery) => (row.state === "queued" && row.tries === 0) || row.state === "accepted";
    while (rows.some(isOpen) && performance.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, 300));
      const now = await askHub(hub, "GET", "/v1/deliveries");
      const { deliveries: known, subscribers: states } = now.body as {
        deliveries: Delivery[];
        subscribers: typeof subscribers;
      };
      subscribers = states;
      all = known;
      rows = sent.map((row) => known.find((other) => other.id === row.id) ?? row);
    }
    const explained = rows.map((row) => {
      const subscriber = subscribers.find((known) => known.name === row.subscriber) ?? null;
      const first = row.tries > 0 ? row : (firstInLine(row, all) ?? row);
      const words = subscriber?.confirms === true ? explainDelivery(first, subscriber) : null;
      const text =
        first === row ? words?.text : `${words?.text} The test waits behind ${first.kind} of ${first.created_at}.`;
      return { ...row, explained: words === null ? null : { ...words, text: text ?? "" } };
    });
    if (flags.json) printJson({ deliveries: explained });
    else if (rows.length === 0) process.stdout.write("nobody is configured under notify: nothing was sent\n");
    else {
      printTable([
        ["SUBSCRIBER", "STATE", "ERROR"],
        ...rows.map((row) => [row.subscriber, row.state, row.last_error ?? ""]),
      ]);
      for (const { subscriber, explained: words } of explained) {
        if (words === null) continue;
        process.stdout.write(`\n${safe(subscriber)} ${safe(words.text)}\n`);
        for (const cause of words.causes) process.stdout.write(`  - ${cause}\n`);
        if (words.advice !== null) process.stdout.write(`  ${words.advice}\n`);
      }
    }
    return rows.every((row) => row.state === "delivered" || row.state === "confirmed")
      ? 0
      : rows.some((row) => row.state === "queued" || row.state === "dead")
        ? 1
        : 3;
  });
}

/** Reports go in their order: the older one that a report waits for. */
function firstInLine(row: Delivery, all: readonly Delivery[]): Delivery | null {
  const older = all.filter(
    (other) =>
      other.subscriber === row.subscriber &&
      other.group === row.group &&
      other.state === "queued" &&
      other.event_seq < row.event_seq,
  );
  return older.reduce<Delivery | null>((a, b) => (a === null || b.event_seq < a.event_seq ? b : a), null);
}
