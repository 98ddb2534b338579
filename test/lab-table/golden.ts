import type { House } from "../../src/core/config/house.ts";
import { assess } from "../../src/core/diagnosis.ts";
import type { HostFacts } from "../../src/core/facts.ts";
import { emptyView, recordFacts, recordObservation, type SiteView } from "../../src/core/history.ts";
import type { CheckKind, CheckResult, Evidence, Observation } from "../../src/core/observation.ts";
import type { Fault } from "../../src/lab/faults/fault.ts";
import type { LabLine, Told } from "./ran-lab.ts";

/**
 * A golden incident: what the hub heard of one fault in the lab, small enough to be read, and what the diagnosis must make of it. Times
 * are milliseconds from the fault; what is below zero was heard while all was well.
 */
export interface Golden {
  readonly fault: string;
  /** From what it was made, and why, where no lab has seen it: such a one is named made-by-hand-… */
  readonly made_by_hand?: string;
  readonly topology: string;
  readonly brnf: string;
  /** Every cause that is shown while the incident is replayed, in order, with its sentence: reviewed by eye. */
  readonly causes: readonly { readonly at_ms: number; readonly cause: string; readonly summary: string }[];
  readonly heard: readonly Heard[];
}

export type Heard =
  /** `checks` is absent when they are those of the same vantage's round before. */
  | {
      readonly at: number;
      readonly vantage: string;
      readonly control: boolean | null;
      readonly checks?: readonly Seen[];
    }
  /** Only the members that differ from the facts before. */
  | { readonly at: number; readonly facts: Partial<HostFacts> };

interface Seen {
  readonly target: string;
  readonly id: string;
  readonly failure?: string;
  readonly detail?: string;
  readonly evidence?: Evidence;
}

/** Rounds of each vantage, and facts, that are kept from before the fault. */
const BEFORE = 3;
/** What is heard so long after the cause was found says nothing new. */
const AFTER_MS = 6_000;
const LIMIT_MS = 60_000;
const FRESH_GAP_MS = 10_000;
const HOST = "default";

/** What of the evidence the diagnosis reads. Times of answers differ from run to run and are left out. */
function shortEvidence(evidence: Evidence): Evidence {
  const { mac, neighbour_state, asked, answers, upstream, status } = evidence;
  return {
    ...(mac ? { mac } : {}),
    ...(neighbour_state ? { neighbour_state } : {}),
    ...(asked === true ? { asked } : {}),
    ...(asked === true && answers ? { answers: answers.map((answer) => ({ mac: answer.mac, ms: null })) } : {}),
    ...(upstream ? { upstream } : {}),
    ...(status ? { status } : {}),
  };
}

function seenOf(check: CheckResult): Seen {
  const evidence = shortEvidence(check.evidence ?? {});
  return {
    target: check.target,
    id: check.id ?? check.check,
    ...(check.ok ? {} : { failure: check.failure ?? "unclassified", detail: check.detail ?? "" }),
    ...(Object.keys(evidence).length > 0 ? { evidence } : {}),
  };
}

/** Facts without what says nothing of the diagnosis and moves by itself. */
function shortFacts(facts: HostFacts): HostFacts {
  const pods = facts.speaker.pods?.map((pod) => ({ ...pod, age_s: null })) ?? null;
  return {
    ...facts,
    neighbours: null,
    boot_id: "boot",
    revision: 0,
    guard_log: [],
    speaker: { ...facts.speaker, pods },
  };
}

const mono = (line: LabLine) => Number(line["mono_ms"]);
const isHeard = (line: LabLine) => line.what === "heard_round" || line.what === "heard_facts";

/** The incident as it was captured; a fault that the guard repairs is taken from its second, held making. */
export function goldenOf(
  fault: Fault,
  told: Told,
  house: House,
  place: { readonly topology: string; readonly brnf: string },
): Golden {
  const again = told.lines.findIndex((line) => line.what === "again");
  const begin = fault.ending === "guard" && again >= 0 ? again : 0;
  const start = begin > 0 ? mono(told.lines[begin]!) : told.startedMono;
  const all = [...told.before, ...told.lines.slice(0, standsUntil(told, again, begin))].filter(
    (line) => isHeard(line) && !(mono(line) >= start && isCutOff(line, fault, house)),
  );
  const old = all.filter((line) => mono(line) < start);
  const kept = [
    ...keepLast(old, BEFORE),
    ...all.filter((line) => mono(line) >= start && mono(line) < start + LIMIT_MS),
  ];
  const heard = compact(kept, start);
  const causes = replay(heard, house);
  const last = (causes.at(-1)?.at_ms ?? LIMIT_MS) + AFTER_MS;
  const golden = { fault: fault.name, ...place, heard: heard.filter((each) => each.at <= last) };
  return { fault: golden.fault, ...place, causes: replay(golden.heard, house), heard: golden.heard };
}

/** The index of the line after which the fault may no longer stand: its doctors have been, or it is made once more. */
function standsUntil(told: Told, again: number, begin: number): number {
  const doctors = told.lines.flatMap((line, index) => (line.what === "doctor" ? [index] : []));
  const last = doctors.filter((index) => begin > 0 || again < 0 || index < again).at(-1);
  if (last !== undefined) return last;
  return again >= 0 && begin === 0 ? again : told.lines.length;
}

/** A vantage beyond a cut uplink goes on asking, and nobody hears it: the lines here are its own log. */
function isCutOff(line: LabLine, fault: Fault, house: House): boolean {
  const vantage = house.vantages.find((each) => each.name === line.who);
  return fault.name === "uplink-down" && (vantage?.where === "lan" || vantage?.where === "routed");
}

function keepLast(lines: readonly LabLine[], count: number): readonly LabLine[] {
  return lines.filter((line, index) => {
    const later = lines.slice(index + 1).filter((other) => other.who === line.who && other.what === line.what);
    return later.length < count;
  });
}

function compact(lines: readonly LabLine[], start: number): readonly Heard[] {
  const rounds = new Map<string, string>();
  let facts: HostFacts | null = null;
  return [...lines]
    .sort((a, b) => mono(a) - mono(b))
    .map((line): Heard => {
      const at = Math.round(mono(line) - start);
      if (line.what === "heard_facts") {
        const now = shortFacts(line["facts"] as HostFacts);
        const before = facts;
        facts = now;
        const changed = Object.entries(now).filter(
          ([key, value]) => JSON.stringify(value) !== JSON.stringify(before?.[key as keyof HostFacts]),
        );
        return { at, facts: Object.fromEntries(changed) };
      }
      const checks = (line["checks"] as CheckResult[]).map(seenOf);
      const text = JSON.stringify(checks);
      const vantage = String(line.who);
      const same = rounds.get(vantage) === text;
      rounds.set(vantage, text);
      const control = (line["control"] as { ok: boolean | null }).ok;
      return { at, vantage, control, ...(same ? {} : { checks }) };
    });
}

/** The kind of a check by its id, which begins with it. */
function kindOf(id: string): CheckKind {
  return id.split(/[:@#]/)[0] as CheckKind;
}

function resultOf(seen: Seen): CheckResult {
  const ok = seen.failure === undefined;
  const failure = (seen.failure ?? null) as CheckResult["failure"];
  return { ...seen, check: kindOf(seen.id), ok, failure, ms: 1, evidence: seen.evidence ?? {} };
}

/** Feeds the incident to the pure diagnosis, which looks again with everything heard and each second, as the hub's does. */
export function replay(heard: readonly Heard[], house: House): Golden["causes"] {
  const zero = 1_000_000;
  let view: SiteView = emptyView(house, FRESH_GAP_MS, zero + (heard[0]?.at ?? 0));
  let facts: HostFacts | null = null;
  const rounds = new Map<string, readonly Seen[]>();
  const found: { at_ms: number; cause: string; summary: string }[] = [];
  const look = (at: number) => {
    for (const group of house.groups) {
      const { cause, summary } = assess(view, house, group, { mono: zero + at, wall: zero + at });
      if (cause !== null && found.at(-1)?.cause !== cause) found.push({ at_ms: at, cause, summary });
    }
  };
  let seq = 0;
  for (const [index, each] of heard.entries()) {
    if ("facts" in each) {
      facts = { ...(facts ?? ({} as HostFacts)), ...each.facts };
      view = recordFacts(view, HOST, facts, zero + each.at);
    } else {
      const checks = each.checks ?? rounds.get(each.vantage) ?? [];
      rounds.set(each.vantage, checks);
      view = recordObservation(view, observation(each.vantage, ++seq, each.control, checks), zero + each.at, 0);
    }
    look(each.at);
    const next = heard[index + 1]?.at ?? each.at;
    for (let at = each.at + 1_000; at < next; at += 1_000) look(at);
  }
  return found;
}

function observation(vantage: string, seq: number, control: boolean | null, checks: readonly Seen[]): Observation {
  return {
    type: "hairpin.observation.v1",
    aud: "lab",
    vantage,
    boot_id: "boot",
    seq,
    observed_at: "2026-11-24T10:00:00.000Z",
    mono_ms: seq,
    control: { ok: control },
    checks: checks.map(resultOf),
  };
}
