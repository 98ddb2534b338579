import type { HubInstance, RepairReport } from "../core/repair.ts";
import { DAY, MINUTE, type Millis } from "../core/units.ts";
import { JOURNAL_MAX, type Journal, type JournalRecord } from "./journal.ts";
import { nameOf } from "./lease.ts";

/** Automatic and manual remedies that failed in a row until the breaker opens. */
const BREAKER_AFTER = 3;
const TOO_MANY = `${BREAKER_AFTER} remedies in a row did not finish well on this host`;
/** Remedies that a person may start in an hour (safety.md, "Gates"). */
export const MANUAL_HOUR = 4;
/** Hubs whose epochs are kept. */
const HUBS_MAX = 16;
/** MACs kept for each link. */
const FORMER_MAX = 8;
/** The guard's own repairs count for ten minutes (guard.ts); a little more is kept. */
const GUARD_KEPT: Millis = 15 * MINUTE;
/** Results kept for an id that is asked about again. */
const REPORTS_MAX = 256;

type Intent = Extract<JournalRecord, { kind: "intent" }>;

/** What the journal adds up to. The only memory of the host: budget, breaker, epoch and results survive with it. */
export interface Ledger {
  /** Ledger time now: what earlier processes saw pass, plus what this one has. */
  readonly now: () => Millis;
  /** Journals the record, then counts it. False: it is not durable, and nothing may be run. */
  readonly write: (record: DistributiveOmit<JournalRecord, "at" | "ledger">) => boolean;
  readonly openIntents: () => readonly Intent[];
  readonly report: (id: string) => RepairReport | null;
  readonly isKnown: (id: string) => boolean;
  /** The greatest epoch obeyed: of this hub, or of all when the sender does not name itself. */
  readonly epoch: (hub: HubInstance | null) => number;
  /** Whom this host obeyed last. */
  readonly holder: () => HubInstance | null;
  readonly breaker: () => { readonly open: boolean; readonly why: string | null };
  readonly spent: (by: "hub" | "person", within: Millis) => number;
  readonly guardRuns: (link: string, within: Millis) => number;
  readonly formerMacs: (link: string) => readonly string[];
  /** Rewrites a journal that has grown too long; harmless at any time when no repair runs. */
  readonly compact: () => void;
}

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

export function openLedger(journal: Journal, mono: () => Millis, wall: () => number): Ledger {
  let base = 0;
  const startedMono = mono();
  let epoch = 0;
  const epochs = new Map<string, number>();
  let holder: HubInstance | null = null;
  let failures = 0;
  let breaker: { open: boolean; why: string | null } = { open: false, why: null };
  const intents = new Map<string, Intent>();
  const reports = new Map<string, RepairReport>();
  let starts: { readonly intent: Intent }[] = [];
  const former = new Map<string, string[]>();
  const declared = new Map<string, string>();

  const remember = (link: string, mac: string) => {
    const macs = (former.get(link) ?? []).filter((known) => known !== mac);
    former.set(link, [mac, ...macs].slice(0, FORMER_MAX));
  };

  const obeyed = (hub: HubInstance, its: number) => {
    const name = nameOf(hub);
    const greatest = Math.max(epochs.get(name) ?? 0, its);
    epochs.delete(name);
    epochs.set(name, greatest);
    while (epochs.size > HUBS_MAX) epochs.delete(epochs.keys().next().value!);
    holder = hub;
  };

  const count = (record: JournalRecord): void => {
    base = Math.max(base, record.ledger);
    switch (record.kind) {
      case "open":
        for (const [link, mac] of Object.entries(record.macs)) {
          const before = declared.get(link);
          if (before !== undefined && before !== mac) remember(link, before);
          declared.set(link, mac);
        }
        return;
      case "intent":
        intents.set(record.id, record);
        starts.push({ intent: record });
        epoch = Math.max(epoch, record.epoch);
        if (record.hub) obeyed(record.hub, record.epoch);
        return;
      case "end": {
        const intent = intents.get(record.report.id);
        intents.delete(record.report.id);
        // The guard's results are not asked for, and must not push out those that are.
        if (intent?.by === "guard") return;
        reports.set(record.report.id, record.report);
        while (reports.size > REPORTS_MAX) reports.delete(reports.keys().next().value!);
        if (intent !== undefined) failures = record.report.state === "done" ? 0 : failures + 1;
        return;
      }
      case "mac":
        remember(record.link, record.mac);
        return;
      case "breaker":
        breaker = { open: record.open, why: record.why };
        if (!record.open) failures = 0;
        return;
      case "kept":
        epoch = Math.max(epoch, record.epoch);
        for (const [hub, greatest] of Object.entries(record.epochs ?? {})) epochs.set(hub, greatest);
        holder = record.holder ?? holder;
        failures = record.failures;
        return;
      case "tick":
        return;
    }
  };
  for (const record of journal.records) count(record);
  const startBase = base;
  // A crash between the third failure and the breaker's own line must not close it.
  if (failures >= BREAKER_AFTER) breaker = { open: true, why: breaker.why ?? TOO_MANY };

  const now = (): Millis => startBase + (mono() - startedMono);
  const write: Ledger["write"] = (record) => {
    const full = { ...record, at: new Date(wall()).toISOString(), ledger: Math.round(now()) } as JournalRecord;
    if (!journal.append(full)) return false;
    count(full);
    if (full.kind === "intent") starts = starts.filter(({ intent }) => now() - intent.ledger <= DAY);
    if (full.kind === "end" && failures >= BREAKER_AFTER && !breaker.open) {
      write({ kind: "breaker", open: true, why: TOO_MANY });
    }
    return true;
  };
  const within = (millis: Millis) => starts.filter(({ intent }) => now() - intent.ledger < millis);

  return {
    now,
    write,
    openIntents: () => [...intents.values()],
    report: (id) => reports.get(id) ?? null,
    isKnown: (id) => reports.has(id) || intents.has(id),
    epoch: (hub) => (hub === null ? epoch : (epochs.get(nameOf(hub)) ?? 0)),
    holder: () => holder,
    breaker: () => breaker,
    spent: (by, millis) => within(millis).filter(({ intent }) => intent.by === by).length,
    guardRuns: (link, millis) =>
      within(millis).filter(({ intent }) => intent.by === "guard" && intent.link === link).length,
    formerMacs: (link) => former.get(link) ?? [],
    compact: () => {
      if (journal.size() < JOURNAL_MAX || intents.size > 0) return;
      const at = new Date(wall()).toISOString();
      const ledger = Math.round(now());
      const macs = Object.fromEntries(declared);
      const kept: JournalRecord[] = [
        { kind: "open", at, ledger: 0, boot: "rewritten", macs },
        ...[...former].flatMap(([link, list]) =>
          list.toReversed().map((mac): JournalRecord => ({ kind: "mac", at, ledger: 0, link, mac })),
        ),
      ];
      const counted = within(DAY).filter(({ intent }) => intent.by !== "guard" || now() - intent.ledger < GUARD_KEPT);
      for (const { intent } of counted) kept.push(intent);
      for (const report of reports.values()) kept.push({ kind: "end", at, ledger: 0, report: trimmed(report) });
      // Intents whose results have been dropped are closed again, so that no start takes them for unfinished ones.
      for (const { intent } of counted) {
        if (!reports.has(intent.id)) kept.push({ kind: "end", at, ledger: 0, report: forgotten(intent) });
      }
      kept.push(
        { kind: "breaker", at, ledger: 0, open: breaker.open, why: breaker.why },
        { kind: "kept", at, ledger, epoch, epochs: Object.fromEntries(epochs), holder, failures },
      );
      journal.rewrite(kept);
    },
  };
}

function trimmed(report: RepairReport): RepairReport {
  return {
    ...report,
    commands: report.commands.map((command) => ({ ...command, output: command.output.slice(0, 256) })),
  };
}

function forgotten(intent: Intent): RepairReport {
  const detail = "the result is no longer kept";
  return {
    id: intent.id,
    step: intent.step,
    state: "interrupted",
    refusal: null,
    detail,
    started_at: intent.at,
    ms: null,
    commands: [],
    advice: null,
  };
}
