import type { Assessment } from "../core/assessment.ts";
import type { GateAnswer, StepTried } from "../core/group.ts";
import type { EdgeStatus } from "../core/status.ts";
import { commandLine } from "./command-line.ts";
import { askHub, findHub, type HubFlags, printJson, safe, sayProblem, tellHub, withHub } from "./hub-client.ts";

interface Explained {
  readonly disarmed?: boolean;
  readonly groups: readonly {
    group: string;
    phase: string;
    held_by: string | null;
    gates: readonly GateAnswer[];
    assessment: Assessment;
    incident: { id: string; steps: readonly StepTried[] } | null;
  }[];
  readonly outside?: EdgeStatus;
}
interface Past {
  readonly id: string;
  readonly group: string;
  readonly since: string;
  readonly ended_at: string | null;
  readonly cause: string | null;
  readonly summary: string;
  readonly evidence: readonly string[];
  readonly gates: readonly GateAnswer[];
  readonly steps: readonly StepTried[];
  readonly timeline: readonly { at: string; phase: string; cause: string | null; held_by: string | null }[];
}

const say = (text: string) => process.stdout.write(`${safe(text)}\n`);

/** `hairpin explain [INCIDENT]`: what was seen, what was concluded, which gate held it back. */
export async function run(argv: readonly string[]): Promise<number> {
  const program = withHub(
    commandLine("explain", "Why it did or did not heal: what was seen, what follows, the gates in order."),
  )
    .argument("[incident]", "an incident's id; without one, how it is now")
    .option("--json", "print the document");
  program.parse([...argv], { from: "user" });
  const flags = program.opts<HubFlags & { json?: boolean }>();
  const incident = program.args[0];
  return tellHub(async () => {
    const hub = await findHub(flags, "read");
    const reply = await askHub(
      hub,
      "GET",
      `/v1/explain${incident === undefined ? "" : `?incident=${encodeURIComponent(incident)}`}`,
    );
    if (reply.status !== 200) return sayProblem(reply);
    if (flags.json) printJson(reply.body);
    else if (incident === undefined) sayNow(reply.body as Explained);
    else sayPast(reply.body as Past);
    return 0;
  });
}

function sayNow({ groups, outside, disarmed }: Explained): void {
  if (disarmed) say("automatic repairs are switched off in Home Assistant, by its switch Auto heal (docs/mqtt.md)");
  for (const group of groups) sayGroup(group);
  if (outside === undefined) return;
  say(`outside: ${outside.cause ?? outside.state}; what the edge says is shown, and never a vote for a repair`);
  say(`  ${outside.summary}`);
  for (const sentence of outside.evidence) say(`  - ${sentence}`);
  for (const heal of outside.heals) say(`  heal ${heal.id} from outside: ${heal.status} ${heal.state}: ${heal.detail}`);
}

function sayGroup({ group, phase, gates, assessment, incident, held_by }: Explained["groups"][number]): void {
  const state = phase === assessment.state ? "" : `, ${phase}`; // "ok, ok" says it twice.
  say(
    `${group}: ${assessment.state}${assessment.cause ? ` (${assessment.cause})` : ""}${state}${held_by ? `, held by ${held_by}` : ""}${incident ? `, incident ${incident.id}` : ""}`,
  );
  say(`  ${assessment.summary}`);
  for (const sentence of assessment.evidence) say(`  - ${sentence}`);
  for (const vote of assessment.votes) say(`  vote: ${vote.voter} (${vote.kind}): ${vote.why}`);
  sayGates(gates);
  sayTried(incident?.steps ?? []);
}

function sayPast(past: Past): void {
  say(`${past.id} of ${past.group}: ${past.cause ?? "no cause"}, ${past.since} to ${past.ended_at ?? "now"}`);
  say(`  ${past.summary}`);
  for (const sentence of past.evidence) say(`  - ${sentence}`);
  for (const entry of past.timeline)
    say(
      `  ${entry.at}  ${entry.phase}${entry.held_by ? `, held by ${entry.held_by}` : ""}${entry.cause ? ` (${entry.cause})` : ""}`,
    );
  sayGates(past.gates);
  sayTried(past.steps);
}

function sayGates(gates: readonly GateAnswer[]): void {
  for (const gate of gates) say(`  gate ${gate.gate.padEnd(14)} ${gate.open ? "open  " : "CLOSED"}  ${gate.why}`);
}

function sayTried(steps: readonly StepTried[]): void {
  for (const step of steps)
    say(`  step ${step.step}: ${step.outcome}${step.ms === null ? "" : `, ${Math.round(step.ms)} ms`} (${step.id})`);
}
