import type { JournalRecord } from "../../src/host/journal.ts";
import type { LogLine } from "./host-world.ts";

const DELETE = "ip link delete";

/** Every intent has exactly one end (I4). */
export function endsProblem(records: readonly JournalRecord[]): string | null {
  const intents = records.flatMap((record) => (record.kind === "intent" ? [record.id] : []));
  const ends = records.flatMap((record) => (record.kind === "end" ? [record.report.id] : []));
  for (const id of intents) {
    const count = ends.filter((end) => end === id).length;
    if (count !== 1) return `I4: the intent ${id} has ${count} ends`;
  }
  if (new Set(intents).size !== intents.length) return "I3: an id has two intents";
  const orphan = ends.find((id) => !intents.includes(id));
  return orphan === undefined ? null : `I4: the end of ${orphan} has no intent`;
}

export const openIntents = (records: readonly JournalRecord[]): string[] => {
  const ends = new Set(records.flatMap((record) => (record.kind === "end" ? [record.report.id] : [])));
  return records.flatMap((record) => (record.kind === "intent" && !ends.has(record.id) ? [record.id] : []));
};

/**
 * No command that changes the host starts before an intent without an end is on the disk (I5). `open` is what the journal held
 * when this life began: what a crash left unflushed and the kernel kept all the same counts from then on.
 */
export function orderProblem(lines: readonly LogLine[], open: readonly string[]): string | null {
  const running = new Set(open);
  for (const { ran, durable, id } of lines) {
    if (durable === "intent") running.add(id!);
    if (durable === "end") running.delete(id!);
    if (ran !== undefined && running.size === 0) return `I5: ${ran} ran without a durable intent`;
  }
  return null;
}

export const deletions = (lines: readonly LogLine[]): number => lines.filter(({ ran }) => ran === DELETE).length;
