import type { Rule } from "../witness.ts";
import * as host from "./host.ts";
import * as ladder from "./ladder.ts";
import * as outbox from "./outbox.ts";
import * as votes from "./votes.ts";

/** An invariant of safety.md. `rule` null: checked elsewhere, as `where` says. */
export interface Invariant {
  readonly id: string;
  readonly where: string;
  readonly rule: Rule | null;
}

/**
 * Where each invariant is checked. "here" is on the fly, in every run of the simulation; "by twin runs" compares two runs of one
 * seed (test/sim/twins.ts). What needs real processes, sockets or output is said so and is not claimed here.
 */
export const INVARIANTS: readonly Invariant[] = [
  { id: "I1", where: "here", rule: host.budgetHolds },
  { id: "I2", where: "here", rule: host.singleFlight },
  { id: "I3", where: "here", rule: host.oneDeletionPerId },
  { id: "I4", where: "here", rule: host.oneEndPerIntent },
  { id: "I5", where: "here", rule: host.intentBeforeCommand },
  { id: "I6", where: "here", rule: host.linkSurvivesCrash },
  { id: "I7", where: "here", rule: votes.quorumBehindRemedy },
  { id: "I8", where: "here", rule: votes.unknownIsNoVote },
  { id: "I9", where: "here", rule: votes.liarsCauseNothing },
  { id: "I10", where: "here", rule: host.nothingElseRuns },
  { id: "I11", where: "here", rule: votes.armedAndAwake },
  { id: "I12", where: "here", rule: ladder.breakerStaysOpen },
  { id: "I13", where: "here", rule: ladder.ladderInOrder },
  { id: "I14", where: "here", rule: host.nothingStale },
  { id: "I15", where: "here", rule: outbox.everyEventArrives },
  { id: "I16", where: "here", rule: outbox.retriesAreTheSame },
  { id: "I17", where: "here", rule: outbox.acknowledgedIsKept },
  { id: "I18", where: "here", rule: outbox.oneBodyPerNumber },
  { id: "I19", where: "here", rule: outbox.eventsInOrder },
  { id: "I20", where: "here", rule: outbox.onlyWordsConfirm },
  { id: "I21", where: "here", rule: ladder.noSilentState },
  { id: "I22", where: "here", rule: ladder.calmStaysCalm },
  { id: "I23", where: "here, in runs about one persistent fault", rule: ladder.notSafeByIdleness },
  { id: "I24", where: "here, for events; votes and repairs never wait for a delivery", rule: outbox.slowDelayNobody },
  {
    id: "I25",
    where: "here: timers, journal, outbox, receipts; sockets and memory in test/runtime",
    rule: outbox.allIsBounded,
  },
  { id: "I26", where: "by twin runs, with and without leaps of all clocks", rule: null },
  { id: "I27", where: "elsewhere: needs the real output of every process", rule: null },
  { id: "I28", where: "elsewhere: needs real probes against real servers (test/runtime/probe-*.test.ts)", rule: null },
  { id: "I29", where: "by twin runs of the same seed", rule: null },
  {
    id: "I30",
    where: "here: no right link is deleted unasked; in runs about hairpin's own parts, the addresses work throughout",
    rule: host.neverWorse,
  },
];
