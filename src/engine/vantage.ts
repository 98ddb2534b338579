import type { Observation } from "../core/observation.ts";
import { followPlans } from "./vantage-plans.ts";
import type { VantagePorts } from "./vantage-port.ts";
import { createReporter } from "./vantage-reporter.ts";
import { createRounds, type DoneRound } from "./vantage-rounds.ts";

/** The schema's limit. */
const CHECKS_MAX = 256;

/** Runs a vantage until the signal aborts: rounds, reports and the plan go on side by side, and none waits for another. */
export async function runVantage(ports: VantagePorts, signal: AbortSignal): Promise<void> {
  const reporter = await createReporter(ports, (rounds) => rounds > 0 && loop.hurry(rounds));
  let reporting: Promise<void> = Promise.resolve();
  const loop = createRounds(ports, (round) => {
    ports.seen?.(round);
    // One after the other, so that the numbers are in the order of the rounds.
    reporting = reporting.then(async () => {
      const seq = await reporter.nextSeq();
      say(ports, seq, round);
      await reporter.report(seq, JSON.stringify(observationOf(ports, seq, round)));
    });
  });
  ports.log(
    "info",
    { event: "ready", vantage: ports.token.vantage, hub: ports.token.hub, boot_id: ports.bootId },
    "ready",
  );
  await Promise.all([
    loop.run(signal),
    reporter.run(signal),
    followPlans(
      ports,
      (plan) => {
        reporter.limit(plan.spool_max);
        loop.follow(plan);
      },
      loop.hurry,
      signal,
    ),
  ]);
  await reporting;
  await reporter.close();
}

function observationOf(ports: VantagePorts, seq: number, round: DoneRound): Observation {
  return {
    type: "hairpin.observation.v1",
    aud: ports.token.site,
    vantage: ports.token.vantage,
    boot_id: ports.bootId,
    seq,
    observed_at: new Date(round.startedWall).toISOString(),
    mono_ms: Math.max(0, round.startedMono),
    control: round.control,
    checks: round.checks.slice(0, CHECKS_MAX),
  };
}

/** The log's line of a round: what failed in full, what was good in short. */
function say(ports: VantagePorts, seq: number, round: DoneRound): void {
  const checks = round.checks.map(({ target, check, id, ok, failure, detail, ms, evidence }) => ({
    target,
    id: id ?? check,
    ok,
    failure: failure ?? null,
    detail: detail ?? null,
    ms: ms ?? null,
    evidence: evidence ?? {},
  }));
  const failing = checks.filter((check) => !check.ok).length;
  ports.log(
    failing > 0 ? "warn" : "info",
    { event: "round", seq, round: round.kind, control: round.control, checks },
    failing > 0 ? `${failing} of ${checks.length} checks fail` : "all checks are good",
  );
}
