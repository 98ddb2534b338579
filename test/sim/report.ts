import { DAY } from "../../src/core/units.ts";
import { INVARIANTS } from "./invariants/all.ts";
import type { Outcome } from "./job.ts";
import { MUST_REACH } from "./reached.ts";
import type { Shrunk } from "./shrink.ts";
import { clockText } from "./witness.ts";

const PACE_NAMES: Readonly<Record<number, string>> = {
  0: "to the millisecond",
  10000: "by 10 s",
  20000: "by 20 s",
  60000: "by the minute",
  300000: "by 5 min",
  540000: "by 9 min",
  3540000: "by 59 min",
};

/** Sums over all runs. */
export function createTally() {
  const counts = new Map<string, number>();
  const byPace = new Map<number, number>();
  const focuses = new Map<string, number>();
  let days = 0;
  let runs = 0;
  let steps = 0;
  return {
    counts,
    days: () => days,
    add(outcome: Outcome): void {
      runs++;
      days += outcome.days;
      steps += outcome.steps;
      focuses.set(outcome.focus, (focuses.get(outcome.focus) ?? 0) + 1);
      for (const [what, count] of outcome.counts) counts.set(what, (counts.get(what) ?? 0) + count);
      for (const [pace, millis] of outcome.byPace) byPace.set(pace, (byPace.get(pace) ?? 0) + millis);
    },
    /** What a full run must have come to, and has not. */
    missed: (): readonly string[] =>
      [
        ...MUST_REACH,
        "persistent faults judged",
        "twins of one seed compared",
        "twins with and without leaps compared",
      ].filter((what) => !counts.get(what)),
    print(seconds: number): void {
      const list = (prefix: string) =>
        [...counts]
          .filter(([what]) => what.startsWith(prefix))
          .sort((a, b) => b[1] - a[1])
          .map(([what, count]) => `${what.slice(prefix.length)} ${count}`)
          .join(", ");
      console.log(
        `${Math.round(days)} simulated days in ${seconds.toFixed(1)} s: ${(days / seconds).toFixed(1)} days per second; ${runs} runs, ${steps} steps`,
      );
      console.log(`runs about: ${[...focuses].map(([focus, count]) => `${focus} ${count}`).join(", ")}`);
      const total = [...byPace.values()].reduce((sum, millis) => sum + millis, 0);
      const paces = [...byPace].sort((a, b) => a[0] - b[0]);
      console.log(
        `timers:     ${paces.map(([pace, millis]) => `${PACE_NAMES[pace] ?? pace} ${((100 * millis) / total).toFixed(1)} % (${(millis / DAY).toFixed(1)} d)`).join(", ")}`,
      );
      console.log(`faults:     ${list("fault ")}`);
      console.log(`causes:     ${list("cause ")}`);
      console.log(`events:     ${list("event ")}`);
      console.log(`refusals:   ${list("refused: ")}`);
      console.log("reached:");
      for (const what of [...counts.keys()].sort())
        if (!/^(fault|cause|event|refused:) ?/.test(what))
          console.log(`  ${String(counts.get(what)).padStart(7)}  ${what}`);
    },
  };
}

/** The shortest story that breaks the invariant, and how to see it again. */
export function printStory({ options, result, tries }: Shrunk, whole: boolean): void {
  const [violation] = result.violations;
  const skipped = [...(options.without ?? [])];
  const replay = [
    `--seed ${options.seed}`,
    `--days ${options.days}`,
    ...(skipped.length > 0 ? [`--without ${skipped.join(",")}`] : []),
    ...(options.mutant ? [`--mutant ${options.mutant}`] : []),
  ];
  console.log(
    `\n${violation?.invariant} does not hold: seed ${options.seed}, at ${clockText(violation?.at ?? 0)}: ${violation?.detail}`,
  );
  console.log(`replay: npm run test:sim -- ${replay.join(" ")}    (the shortest of ${tries} tries)`);
  console.log(`faults: ${result.plan.map(({ kind, at }) => `${kind.kind} at ${clockText(at)}`).join("; ") || "none"}`);
  for (const line of whole ? result.story : result.story.slice(-60)) console.log(`  ${line}`);
}

export function printInvariants(): void {
  for (const { id, where } of INVARIANTS) console.log(`${id.padEnd(4)} ${where}`);
}
