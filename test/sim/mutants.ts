import type { Observation } from "../../src/core/observation.ts";
import type { RepairRequest } from "../../src/core/repair.ts";
import type { HubPorts } from "../../src/engine/hub-ports.ts";
import { crc32 } from "../../src/host/checksum.ts";
import { decodeJournal, type JournalRecord } from "../../src/host/journal.ts";
import type { HostPorts } from "../../src/host/port.ts";
import type { Site } from "./site.ts";

/** A bug that is put in from outside, at a port: the code under test has no switch for it. */
export interface Mutant {
  readonly name: string;
  host(ports: HostPorts, site: Site): HostPorts;
  hub(ports: HubPorts): HubPorts;
  request(request: RepairRequest): RepairRequest;
  /** The name under which the host knows the id. */
  idAtHost(id: string): string;
  observation(observation: Observation): Observation;
}

export const NO_MUTANT: Mutant = {
  name: "none",
  host: (ports) => ports,
  hub: (ports) => ports,
  request: (request) => request,
  idAtHost: (id) => id,
  observation: (observation) => observation,
};

/** A start that sees no unfinished intent: it reads a tick in the place of each, of the same length. */
function withoutIntents(bytes: Uint8Array): Uint8Array {
  const { records } = decodeJournal(bytes);
  const ended = new Set(records.map((record) => (record.kind === "end" ? record.report.id : "")));
  let out = "";
  for (const line of Buffer.from(bytes).toString("utf8").split("\n").slice(1)) {
    let record: JournalRecord | null = null;
    try {
      record = JSON.parse(line.slice(9)) as JournalRecord;
    } catch {
      // A torn tail stays as it is.
    }
    if (record?.kind === "intent" && !ended.has(record.id)) {
      const tick = JSON.stringify({ kind: "tick", at: record.at, ledger: record.ledger }).padEnd(line.length - 9);
      out += `\n${crc32(Buffer.from(tick))} ${tick}`;
    } else out += `\n${line}`;
  }
  return Buffer.from(out);
}

const noRecovery: Mutant = {
  ...NO_MUTANT,
  name: "no-recovery",
  host: (ports) => ({
    ...ports,
    disk: {
      ...ports.disk,
      read: () => {
        const bytes = ports.disk.read();
        return bytes === null || bytes.length === 0 ? bytes : withoutIntents(bytes);
      },
    },
  }),
};

/** Every delivery of a request is a new one to the host. */
function noIdempotency(): Mutant {
  const latest = new Map<string, string>();
  let count = 0;
  return {
    ...NO_MUTANT,
    name: "no-idempotency",
    request(request) {
      const id = `${request.id}__m${++count}`;
      latest.set(request.id, id);
      return { ...request, id };
    },
    idAtHost: (id) => latest.get(id) ?? id,
  };
}

/** The id that a hub knows, from the one in a mutated journal. */
export const trueId = (id: string): string => id.replace(/__m\d+$/, "");

/** Intents reach the disk only after the first command. */
const actBeforeIntent: Mutant = {
  ...NO_MUTANT,
  name: "act-before-intent",
  host(ports) {
    let held: Uint8Array | null = null;
    const release = () => {
      if (held === null) return;
      const line = held;
      held = null;
      ports.disk.append(line);
      ports.disk.sync();
    };
    return {
      ...ports,
      disk: {
        ...ports.disk,
        append(line) {
          release();
          if (Buffer.from(line).includes('"kind":"intent"')) held = line;
          else ports.disk.append(line);
        },
        sync: () => (held === null ? ports.disk.sync() : undefined),
      },
    };
  },
};

/** Ledgers that count what the wall clock says. */
const wallClockBudget: Mutant = {
  ...NO_MUTANT,
  name: "wall-clock-budget",
  host: (ports) => ({ ...ports, clock: { ...ports.clock, mono: ports.clock.wall } }),
  hub: (ports) => ({ ...ports, clock: { ...ports.clock, mono: ports.clock.wall } }),
};

/** What a vantage with a bad path of its own says is taken for a failure. */
const unknownAsFailed: Mutant = {
  ...NO_MUTANT,
  name: "unknown-as-failed",
  observation: (observation) =>
    observation.control.ok === false ? { ...observation, control: { ...observation.control, ok: true } } : observation,
};

const noTimeToLive: Mutant = {
  ...NO_MUTANT,
  name: "no-time-to-live",
  request: (request) => ({ ...request, ttl_ms: 86_400_000 }),
};

const noEpoch: Mutant = {
  ...NO_MUTANT,
  name: "no-epoch",
  request: (request) => ({ ...request, epoch: Number.MAX_SAFE_INTEGER }),
};

export const MUTANTS: Readonly<Record<string, () => Mutant>> = {
  "no-recovery": () => noRecovery,
  "no-idempotency": noIdempotency,
  "act-before-intent": () => actBeforeIntent,
  "wall-clock-budget": () => wallClockBudget,
  "unknown-as-failed": () => unknownAsFailed,
  "no-time-to-live": () => noTimeToLive,
  "no-epoch": () => noEpoch,
};
