import { randomUUID } from "node:crypto";
import type { HealRecord } from "../core/heal-record.ts";
import { STEPS } from "../core/repair.ts";
import { commandLine } from "./command-line.ts";
import {
  askHub,
  findHub,
  type HubAddress,
  type HubFlags,
  printJson,
  safe,
  sayProblem,
  tellHub,
  withHub,
} from "./hub-client.ts";

interface Flags extends HubFlags {
  readonly step?: string;
  readonly target?: string;
  readonly reason?: string;
  readonly dryRun?: boolean;
  readonly override?: boolean;
  readonly force?: boolean;
  readonly wait: boolean;
  readonly json?: boolean;
}

/** The longest a step takes to run and to be proved: 180 s and 120 s. */
const FOLLOW_MS = 310_000;

/** `hairpin heal`: asks for a repair and follows it until it is proved. */
export async function run(argv: readonly string[]): Promise<number> {
  const program = withHub(
    commandLine(
      "heal",
      "Ask for a repair now. Without --step: make the link right, or recreate it where it was right already.",
    ),
  )
    .option("--step <step>", `one of ${STEPS.join(", ")}`)
    .option("--target <name>", "a target of the group that is meant, where there are several")
    .option("--reason <text>", "kept with the repair")
    .option("--dry-run", "say what would be done")
    .option("--override", "pass maintenance and an open breaker")
    .option("--force", "also when nothing seems to need it")
    .option("--no-wait", "do not follow the repair")
    .option("--json", "print one document");
  program.parse([...argv], { from: "user" });
  const flags = program.opts<Flags>();
  if (flags.step !== undefined && !(STEPS as readonly string[]).includes(flags.step)) {
    process.stderr.write(`hairpin heal: --step is one of ${STEPS.join(", ")}, not ${safe(flags.step)}\n`);
    return 2;
  }
  return tellHub(async () => {
    const hub = await findHub(flags, "heal");
    const body = {
      ...(flags.step === undefined ? {} : { step: flags.step }),
      ...(flags.target === undefined ? {} : { target: flags.target }),
      ...(flags.reason === undefined ? {} : { reason: flags.reason }),
      ...(flags.dryRun ? { dry_run: true } : {}),
      ...(flags.override ? { override: true } : {}),
      ...(flags.force ? { force: true } : {}),
    };
    const reply = await askHub(hub, "POST", "/heal", body, { "idempotency-key": randomUUID() });
    const answer = reply.body as { id: string | null; state: string; detail: string; advice?: string | null };
    if (reply.status !== 202) {
      if (flags.json) printJson(answer);
      else if (reply.status === 200)
        process.stdout.write(
          `${answer.state}: ${safe(answer.detail)}\n${answer.advice ? `${safe(answer.advice)}\n` : ""}`,
        );
      else sayProblem(reply);
      return reply.status === 200 ? 0 : 1;
    }
    if (!flags.wait || answer.id === null) {
      if (flags.json) printJson(answer);
      else process.stdout.write(`${answer.state}: ${safe(answer.detail)} (${safe(answer.id)})\n`);
      return 0;
    }
    return follow(hub, answer.id, flags.json === true);
  });
}

async function follow(hub: HubAddress, id: string, json: boolean): Promise<number> {
  let state = "";
  const until = performance.now() + FOLLOW_MS;
  for (;;) {
    const reply = await askHub(hub, "GET", `/v1/heals/${id}`);
    if (reply.status !== 200) return sayProblem(reply);
    const record = reply.body as HealRecord;
    const ended = !["pending", "healing", "verifying"].includes(record.state);
    if (!json && record.state !== state)
      process.stdout.write(
        `${record.step}: ${safe(record.state)}${record.detail ? ` (${safe(record.detail)})` : ""}\n`,
      );
    state = record.state;
    if (ended || performance.now() > until) {
      if (json) printJson(record);
      else
        for (const step of record.steps)
          for (const command of step.commands)
            process.stdout.write(
              `  ${safe(command.argv.join(" "))}  ${command.ms.toFixed(0)} ms, exit ${command.exit}\n`,
            );
      return record.state === "verified" || record.state === "done" ? 0 : 1;
    }
    await new Promise((resolve) => setTimeout(resolve, 400));
  }
}
