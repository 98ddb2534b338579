import { decide, initialState, policyOf } from "../../src/core/decision.ts";
import type { HostFacts } from "../../src/core/facts.ts";
import type { AskAnswer, Effect, GroupState, Input, ManualAsk } from "../../src/core/group.ts";
import type { RepairReport } from "../../src/core/repair.ts";
import type { Sight, Stage } from "./house.ts";

export type Sights = { resolver?: Sight; proxy?: Sight };

/** Plays a house against the reducer: a second at a time, a round from each vantage every ten. */
export function play(world: Stage) {
  const policy = policyOf(world.house, world.group);
  let state: GroupState = initialState(world.group.name);
  let seconds = 0;
  const refused: string[] = [];
  const effects: (Effect & { at: number })[] = [];
  const kit = {
    get state() {
      return state;
    },
    policy,
    /** Ids that the host refused in words: nothing ran. */
    refused,
    /** How many automatic steps each incident came to. */
    get climbs() {
      const steps = new Map<string, number>();
      for (const { id, manual } of kit.requests()) {
        const incident = /^(.*-inc-\d+-\d+)-/.exec(id)?.[1] ?? id;
        if (!manual) steps.set(incident, (steps.get(incident) ?? 0) + 1);
      }
      return [...steps.values()];
    },
    /** Everything that was effected so far, with the second it happened at. */
    effects,
    told: () => effects.flatMap((effect) => (effect.kind === "emit" ? [effect.draft.kind] : [])),
    requests: () =>
      effects.flatMap((effect) => (effect.kind === "repair" ? [{ at: effect.at, ...effect.request }] : [])),
    input(input: Input): AskAnswer | undefined {
      const decision = decide(state, input, world.now, policy);
      state = decision.state;
      effects.push(...decision.effects.map((effect) => ({ ...effect, at: seconds })));
      return decision.answer;
    },
    start() {
      kit.input({ kind: "started", hub: "hub1" });
      return kit;
    },
    assess() {
      kit.input({ kind: "assessed", assessment: world.assess(state.provedAfter), host: world.host() });
      return kit;
    },
    /** Lets seconds pass; each vantage has a round every `every` seconds, the host's facts come every second. */
    run(
      forSeconds: number,
      sights: Sights = {},
      facts: Partial<HostFacts> | null = {},
      every = 2,
      vantages = world.house.vantages.map((v) => v.name),
    ) {
      for (let second = 0; second < forSeconds; second++) {
        seconds += 1;
        world.pass(1_000).facts(facts);
        if (seconds % every === 0) for (const vantage of vantages) world.round(vantage, sights);
        kit.assess();
      }
      return kit;
    },
    report(change: Partial<RepairReport> & Pick<RepairReport, "state">) {
      const flight = state.flight;
      if (flight === null) throw new Error("nothing is in flight");
      const report = {
        id: flight.request.id,
        step: flight.request.step,
        refusal: null,
        detail: null,
        started_at: null,
        ms: 1_200,
        commands: [],
        advice: null,
        ...change,
      };
      if (report.state === "refused") refused.push(report.id);
      kit.input({ kind: "reported", report });
      return kit;
    },
    ask(change: Partial<ManualAsk> = {}): AskAnswer {
      const ask = {
        id: `ask-${effects.length}`,
        step: null,
        reason: null,
        by: "anna",
        dryRun: false,
        override: false,
        force: false,
        ...change,
      };
      return kit.input({ kind: "asked", ask, assessment: world.assess(state.provedAfter), host: world.host() })!;
    },
  };
  return kit;
}
