import assert from "node:assert/strict";
import { test } from "node:test";
import { initialState } from "../../src/core/decision.ts";
import type { Delivery } from "../../src/core/delivery.ts";
import type { HairpinEvent } from "../../src/core/event.ts";
import type { GroupState, Phase } from "../../src/core/group.ts";
import type { RepairReport, RepairRequest, Step } from "../../src/core/repair.ts";
import type { Asker, JournalRecord } from "../../src/host/journal.ts";
import { chanceOf } from "./chance.ts";
import { INVARIANTS } from "./invariants/all.ts";
import { NO_MUTANT } from "./mutants.ts";
import { profileOf } from "./profile.ts";
import { createSite, type Site } from "./site.ts";
import { LINK } from "./truth.ts";
import type { Happening } from "./witness.ts";

/** A check that cannot fail proves nothing: each rule that no planted bug shows is shown here a world in which it does not hold. */
const at = "2026-11-24T00:00:00Z";
const profile = { ...profileOf(chanceOf(1)), focus: "mixed", armed: true, mode: "auto" } as const;

/** What the rule says of these happenings, which are `gap` milliseconds apart. */
function said(
  id: string,
  happenings: readonly Happening[],
  prepare: (site: Site) => void = () => {},
  gap = 1_000,
): readonly string[] {
  const site = createSite(1, profile, NO_MUTANT, false);
  prepare(site);
  const broken: string[] = [];
  const watch = INVARIANTS.find((invariant) => invariant.id === id)!.rule!(site, (detail) => broken.push(detail));
  for (const happening of happenings) {
    site.agenda.in(gap, () => {});
    site.agenda.step(Number.MAX_SAFE_INTEGER);
    watch(happening);
  }
  for (const hub of site.hubs) hub.disk.close();
  return broken;
}

const line = (record: Record<string, unknown>): Happening => ({
  kind: "journalled",
  record: { at, ledger: 0, ...record } as JournalRecord,
});
const intent = (id: string, by: Asker = "hub", step: Step = "announce") =>
  line({ kind: "intent", id, by, step, link: LINK, epoch: 1 });
const end = (id: string) => line({ kind: "end", report: { id } as RepairReport });
const request = (id: string, more: Partial<RepairRequest> = {}): RepairRequest => ({
  id,
  step: "announce",
  epoch: 1,
  ttl_ms: 60_000,
  manual: false,
  override: false,
  ...more,
});
const event = (seq: number, group = LINK): HairpinEvent =>
  ({ id: `ev-${seq}`, seq, group, data: { event: "failing" } }) as HairpinEvent;
const row = (seq: number, state: Delivery["state"], subscriber = "steady"): Happening => ({
  kind: "row",
  hub: "hub",
  row: {
    id: `ev-${seq}_${subscriber}`,
    event_id: `ev-${seq}`,
    subscriber,
    state,
    tries: 1,
    last_error: null,
  } as Delivery,
});
const delivered = (seq: number, id = `ev-${seq}_steady`, told = event(seq)): Happening => ({
  kind: "delivered",
  hub: "hub",
  subscriber: "steady",
  id,
  event: told,
});
const born = (seq: number): Happening => ({ kind: "event", hub: "hub", event: event(seq) });
const group = (phase: Phase, change: Partial<GroupState> = {}): Happening => ({
  kind: "group",
  hub: "hub",
  before: null,
  after: { ...initialState(LINK), phase, ...change },
});

/** A hub that holds these votes, and nothing else. */
const hubWith =
  (voters: readonly string[], more: object = {}) =>
  (site: Site): void => {
    const votes = voters.map((voter) => ({ voter, kind: "host_fact", why: "" }));
    const seat = { assessment: { votes }, grace: false, maintenance: null, breaker: { open: false }, ...more };
    const current = () => ({ hub: { explain: () => ({ groups: [seat] }) } });
    site.hubs.splice(0, 1, { ...site.hubs[0]!, current, startedAt: () => -1e9 } as never);
  };

const CASES: readonly (readonly [string, string, () => readonly string[]])[] = [
  ["I2", "two repairs at once", () => said("I2", [intent("a"), intent("b")])],
  [
    "I6",
    "killed between delete and create, and no link after the start",
    () =>
      said("I6", [
        intent("a", "hub", "recreate-link"),
        { kind: "link_lost" },
        { kind: "host_died", power: false },
        { kind: "host_started" },
      ]),
  ],
  [
    "I9",
    "a remedy on a liar's word alone",
    () =>
      said("I9", [{ kind: "requested", hub: "hub", request: request("a") }], (site) => {
        hubWith(["lan"])(site);
        site.liars.add("lan");
      }),
  ],
  [
    "I10",
    "a command that is not on the list",
    () => said("I10", [{ kind: "command", tool: "ip", args: ["link", "delete", "eth0"], right: true }]),
  ],
  [
    "I10",
    "a fifth repair by hand within an hour",
    () =>
      said(
        "I10",
        ["a", "b", "c", "d", "e"].map((id) => intent(id, "person")),
      ),
  ],
  [
    "I11",
    "a remedy while the host is paused",
    () => said("I11", [intent("a")], ({ host }) => void Object.assign(host, { pauseText: "{}" })),
  ],
  [
    "I11",
    "a remedy with the hub's breaker open",
    () =>
      said(
        "I11",
        [{ kind: "requested", hub: "hub", request: request("a") }],
        hubWith(["lan", "vm"], { breaker: { open: true } }),
      ),
  ],
  [
    "I13",
    "a step before the one that was tried",
    () =>
      said("I13", [
        intent("x-inc-1-1-restart-speaker"),
        end("x-inc-1-1-restart-speaker"),
        intent("x-inc-1-1-announce"),
      ]),
  ],
  ["I15", "an event that was never queued", () => said("I15", [born(1), { kind: "end" }])],
  [
    "I15",
    "an event that is delivered and was never got",
    () =>
      said("I15", [
        born(1),
        ...["steady", "flaky", "assistant"].map((name) => row(1, "delivered", name)),
        { kind: "end" },
      ]),
  ],
  ["I16", "a retry under another id", () => said("I16", [delivered(1, "a"), delivered(1, "b")])],
  [
    "I16",
    "a retry with another body",
    () => said("I16", [delivered(1), delivered(1, "ev-1_steady", event(1, "other"))]),
  ],
  [
    "I17",
    "a report that was acknowledged and is not in the store",
    () =>
      said("I17", [observed("accepted", "x"), { kind: "end" }], ({ hubs }) => {
        hubs[0]!.start();
      }),
  ],
  ["I18", "one number with two bodies", () => said("I18", [observed("accepted", "x"), observed("accepted", "y")])],
  ["I19", "an older event after a newer one", () => said("I19", [delivered(2), delivered(1)])],
  ["I20", "confirmed without a word", () => said("I20", [row(1, "confirmed", "assistant")])],
  [
    "I21",
    "half an hour of failing in silence",
    () => said("I21", [group("failing"), group("ok")], (site) => hubWith([])(site), 30 * 60_000),
  ],
  ["I25", "an outbox without a bound", () => said("I25", [{ kind: "end" }], overfull)],
];

function observed(answer: "accepted", digest: string): Happening {
  return {
    kind: "observed",
    hub: "hub",
    observation: { vantage: "lan", boot_id: "b", seq: 1 } as never,
    digest,
    age: 0,
    answer,
    liar: false,
  };
}

function overfull({ hubs }: Site): void {
  hubs[0]!.start();
  const many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1100)";
  hubs[0]!.disk.rows(
    `${many} INSERT INTO outbox SELECT 'x' || i, 'steady', 'queued', i, '{}' FROM n WHERE true RETURNING id`,
  );
}

for (const [id, what, broken] of CASES) test(`${id} is broken by ${what}`, () => assert.notDeepEqual(broken(), []));
