import type { Assessment } from "../core/assessment.ts";
import type { Group, House } from "../core/config/house.ts";
import { decide, initialState, policyOf } from "../core/decision.ts";
import { assess } from "../core/diagnosis.ts";
import type { AskAnswer, Effect, EventDraft, GroupState, Input, ManualAsk, Policy } from "../core/group.ts";
import { hostGate, type SiteView } from "../core/history.ts";
import type { Instant } from "../core/units.ts";

/** One group as the hub holds it: its state, and how it looked when that state was decided. */
export interface Seat {
  readonly group: Group;
  readonly policy: Policy;
  readonly state: GroupState;
  readonly assessment: Assessment;
}

/** Something that is to be taken in. All of it is decided for one instant. */
export interface Change {
  readonly view?: (view: SiteView, now: Instant) => SiteView;
  /** Inputs that come before the assessment, by group. */
  readonly inputs?: (group: string) => readonly Input[];
  readonly ask?: { readonly group: string; readonly ask: ManualAsk };
  /** Drafts from outside the groups' decisions. */
  readonly drafts?: readonly EventDraft[];
}

export interface Stepped {
  readonly view: SiteView;
  readonly seats: readonly Seat[];
  readonly effects: readonly Effect[];
  readonly drafts: readonly { readonly group: string; readonly draft: EventDraft }[];
  readonly answer: AskAnswer | null;
}

/** Events that concern no group. */
export const SITE_GROUP = "site";

export function seatsOf(
  house: House,
  view: SiteView,
  stored: readonly GroupState[],
  now: Instant,
  disarmed: boolean,
): readonly Seat[] {
  return house.groups.map((group) => {
    const state = stored.find((known) => known.group === group.name) ?? initialState(group.name);
    return {
      group,
      policy: policyOf(house, group, disarmed),
      state,
      assessment: assess(view, house, group, now, state.provedAfter),
    };
  });
}

/** Takes one change in: view, then assessment, then decision. Pure; saving and running effects is the engine's. */
export function step(house: House, view: SiteView, seats: readonly Seat[], change: Change, now: Instant): Stepped {
  const nextView = change.view?.(view, now) ?? view;
  const effects: Effect[] = [];
  const drafts: { group: string; draft: EventDraft }[] = (change.drafts ?? []).map((draft) => ({
    group: SITE_GROUP,
    draft,
  }));
  let answer: AskAnswer | null = null;
  const next = seats.map((seat): Seat => {
    let { state } = seat;
    const take = (input: Input) => {
      const decision = decide(state, input, now, seat.policy);
      state = decision.state;
      if (decision.answer !== undefined) answer = decision.answer;
      for (const effect of decision.effects) {
        if (effect.kind === "emit") drafts.push({ group: seat.group.name, draft: effect.draft });
        else effects.push(effect);
      }
    };
    for (const input of change.inputs?.(seat.group.name) ?? []) take(input);
    const assessment = assess(nextView, house, seat.group, now, state.provedAfter);
    const host = hostGate(nextView, seat.group, now.mono);
    if (change.ask?.group === seat.group.name) take({ kind: "asked", ask: change.ask.ask, assessment, host });
    else if (change.ask === undefined) take({ kind: "assessed", assessment, host });
    return { ...seat, state, assessment };
  });
  return { view: nextView, seats: next, effects, drafts: oncePerSite(drafts), answer };
}

type Drafts = Stepped["drafts"];
/** What a person orders for the whole site: every group takes it, and one event tells it. */
const OF_THE_SITE: ReadonlySet<string> = new Set(["paused", "resumed"]);

/** A house with three links is paused once, not three times: several groups that say the same of it become one event of the site. */
function oncePerSite(drafts: Drafts): Drafts {
  const same = (one: Drafts[number], other: Drafts[number]) =>
    one.draft.kind === other.draft.kind && one.draft.message === other.draft.message;
  return drafts.flatMap((entry, index) => {
    if (!OF_THE_SITE.has(entry.draft.kind)) return [entry];
    const alike = drafts.filter((other) => same(entry, other));
    if (alike.length === 1) return [entry];
    if (drafts.findIndex((other) => same(entry, other)) !== index) return [];
    return [{ group: SITE_GROUP, draft: { ...entry.draft, target: "all", cause: null, since: null, incident: null } }];
  });
}

/**
 * Whether a state must be written now. What only decays with time (the flap penalty, the words of a gate that counts seconds) is
 * computed again from an older one, and would cost an fsync every second.
 */
export function mustSave(before: GroupState, after: GroupState): boolean {
  return before !== after && !onlyAged(before, after) && essence(before) !== essence(after);
}

/** What a tick in which nothing happened leaves behind: the same parts, and a penalty that has decayed. Spares it the long comparison. */
function onlyAged(before: GroupState, after: GroupState): boolean {
  const { flap: was, ...old } = before;
  const { flap: is, ...now } = after;
  return (
    was.suppressed === is.suppressed && (Object.keys(now) as (keyof typeof now)[]).every((key) => old[key] === now[key])
  );
}

function essence(state: GroupState): string {
  const gates = state.lastGates.map((answer) => [answer.gate, answer.open]);
  return JSON.stringify({ ...state, flap: state.flap.suppressed, lastGates: gates });
}
