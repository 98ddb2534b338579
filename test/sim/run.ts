import { DAY } from "../../src/core/units.ts";
import { chanceOf } from "./chance.ts";
import type { Fault } from "./fault.ts";
import { INVARIANTS } from "./invariants/all.ts";
import { MUTANTS, NO_MUTANT } from "./mutants.ts";
import { type Profile, planOf, profileOf } from "./profile.ts";
import { counting } from "./reached.ts";
import { createSite, type Site } from "./site.ts";
import { isHealthy, LINK, linkIsRight } from "./truth.ts";
import type { Happening, Violation } from "./witness.ts";

/** After the last day everything is put right, and what waits has this long to end. */
const SETTLE = 110 * 60_000;
/** After the end of a fault that hairpin could not cure, or may not. */
const HANDYMAN = 75 * 60_000;
/** Steps of one run: a storm of messages is a bug of the simulation or of what it simulates. */
const STEPS_MAX = 6_000_000;

export interface RunOptions {
  readonly seed: number;
  readonly days: number;
  readonly mutant?: string;
  /** Faults of the plan that are left out, by index. */
  readonly without?: ReadonlySet<number>;
  readonly story?: boolean;
  /** Clocks that would leap stand as they are (I26). */
  readonly still?: boolean;
}

export interface RunResult {
  readonly seed: number;
  readonly focus: string;
  readonly days: number;
  readonly violations: readonly Violation[];
  readonly counts: ReadonlyMap<string, number>;
  readonly plan: readonly Fault[];
  readonly story: readonly string[];
  readonly fingerprint: number;
  /** What was begun and said, with its time. */
  readonly decisions: readonly string[];
  readonly byPace: ReadonlyMap<number, number>;
  readonly steps: number;
}

/** Ends when every promise that can settle has settled: ticks come after the last microtask. Now and then the real loop gets its turn. */
const turn = (steps: number) =>
  new Promise<void>((resolve) => (steps % 512 === 0 ? setImmediate(resolve) : process.nextTick(resolve)));

/** Errors of the code under test that nobody caught: the program is wrong (style.md, "Three kinds of error"). */
async function guarded<T>(site: Site, work: () => Promise<T>): Promise<T> {
  const caught = (error: unknown) => {
    site.witness.fail("no uncaught error", error instanceof Error ? (error.stack ?? error.message) : String(error));
  };
  process.on("unhandledRejection", caught);
  try {
    return await work();
  } finally {
    process.off("unhandledRejection", caught);
  }
}

export function profileFor(seed: number): Profile {
  return profileOf(chanceOf(seed).fork("profile"));
}

export async function run(options: RunOptions): Promise<RunResult> {
  const { seed, days } = options;
  const profile = profileFor(seed);
  const mutant = options.mutant === undefined ? NO_MUTANT : MUTANTS[options.mutant]!();
  const site = createSite(seed, profile, mutant, options.story === true, options.still === true);
  const { witness, agenda } = site;
  const plan = planOf(profile, days, chanceOf(seed).fork("plan"));
  const chosen = plan.filter(({ index }) => options.without?.has(index) !== true);
  const phases = (happening: Happening) => {
    if (happening.kind === "group")
      site.hubs.find(({ name }) => name === happening.hub)?.phaseIs(happening.after.phase);
  };
  const decisions: string[] = [];
  const deciding = (happening: Happening) => {
    const at = Math.round(agenda.now());
    if (happening.kind === "event") decisions.push(`${at} ${happening.event.data.event} ${happening.event.data.cause}`);
    if (happening.kind === "requested") decisions.push(`${at} ${happening.request.step}`);
  };
  const watching = (happening: Happening) => {
    for (const watch of site.watchers) watch(happening);
  };
  const rules = INVARIANTS.flatMap(({ id, rule }) =>
    rule === null ? [] : [rule(site, (detail) => witness.fail(id, detail))],
  );
  witness.attach([phases, deciding, counting(site), ...rules, watching]);
  await guarded(site, async () => {
    // From here on all runs among microtasks, whoever called: a tick that is asked for comes after the last of them.
    await turn(0);
    begin(site);
    const endings = chosen.map((fault) => schedule(site, fault));
    let healthy = isHealthy(site.kernel.truth);
    let turns = 0;
    const advance = async (end: number) => {
      while (agenda.step(end)) {
        await turn(++turns);
        keepPace(site);
        const now = isHealthy(site.kernel.truth);
        if (now !== healthy) {
          healthy = now;
          witness.tell({ kind: "health", healthy });
          witness.note(healthy ? "the addresses work" : "the addresses do not work");
          site.heat(5_000);
        }
        if (witness.violations.length > 0 || agenda.spent().steps > STEPS_MAX) break;
      }
    };
    await advance(days * DAY);
    for (const end of endings) end();
    if (witness.violations.length === 0) await advance(days * DAY + SETTLE);
    if (agenda.spent().steps > STEPS_MAX) witness.fail("I25", `${STEPS_MAX} steps: something goes round`);
    if (witness.violations.length === 0) witness.tell({ kind: "end" });
  });
  for (const hub of site.hubs) hub.disk.close();
  const { byPace, steps } = agenda.spent();
  const { violations, counts, story } = witness;
  return {
    seed,
    focus: profile.focus,
    days,
    violations,
    counts,
    plan: chosen,
    story,
    fingerprint: witness.fingerprint(),
    decisions,
    byPace,
    steps,
  };
}

function begin(site: Site): void {
  site.kernel.boot(true);
  site.speaker.ensurePod();
  site.host.start();
  site.hubs[0]!.start();
  for (const vantage of site.vantages) vantage.start();
}

/** Arranges a fault's begin and end; the result ends it early. */
function schedule(site: Site, fault: Fault): () => void {
  const { agenda, witness } = site;
  let end: (() => void) | null = null;
  const over = () => {
    if (end === null) return;
    const undo = end;
    end = null;
    undo();
    site.active.delete(fault);
    site.heat(30_000);
    witness.note(`- ${fault.kind.kind} ends`);
    witness.tell({ kind: "fault", fault, begins: false });
    if (fault.kind.group !== "person") agenda.in(HANDYMAN, () => putRight(site));
  };
  agenda.in(fault.at, () => {
    witness.note(`+ ${fault.kind.kind} begins (fault ${fault.index}, ${Math.round(fault.length / 1_000)} s)`);
    witness.count(`fault ${fault.kind.kind}`);
    site.active.add(fault);
    site.heat(20_000);
    witness.tell({ kind: "fault", fault, begins: true });
    end = fault.kind.begin(site, chanceOf(site.seed).fork(`fault ${fault.index}`));
    agenda.in(fault.length, over);
  });
  return over;
}

/** Somebody comes and repairs by hand what is still broken when no fault is left, so that a run does not end in one long outage. */
function putRight(site: Site): void {
  const { kernel, speaker, active, witness } = site;
  const isRight = isHealthy(kernel.truth) && kernel.truth.sysctls.get(`${LINK}.rp_filter`) === 0;
  if (isRight || kernel.truth.off || [...active].some(({ kind }) => kind.group === "outside")) return;
  witness.note("a person repairs the house by hand");
  if (!linkIsRight(kernel.truth)) {
    kernel.remove(LINK);
    kernel.add({}, true);
  }
  kernel.truth.sysctls.set(`${LINK}.rp_filter`, 0).set(`${LINK}.arp_ignore`, 1);
  speaker.deletePod();
  speaker.ensurePod();
  site.heat(10_000);
}

/** How exactly the present moment is worth simulating. Timers are never early; in quiet stretches they are late. */
function keepPace(site: Site): void {
  const { agenda } = site;
  const slow = site.gap < 60_000 ? 20_000 : 60_000;
  const want = (pace: number) => agenda.wantPace(pace, Math.max(2_000, 1.2 * pace));
  for (const hub of site.hubs) {
    const phase = hub.phase();
    if (phase === "ok") continue;
    const age = agenda.now() - hub.phaseSince();
    if (["pending", "healing", "verifying", "suspect"].includes(phase)) want(age < 150_000 ? 0 : 10_000);
    else if (phase === "failing") want(age < 90_000 ? 0 : age < 900_000 ? 10_000 : slow);
    else want(age < 30_000 ? 10_000 : age < 600_000 ? slow : 300_000);
  }
  for (const fault of site.active) {
    const age = agenda.now() - fault.at;
    want(age < 120_000 ? 10_000 : age < 600_000 ? slow : 300_000);
  }
}
