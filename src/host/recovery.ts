import type { RepairReport } from "../core/repair.ts";
import type { Keeper } from "./keeper.ts";
import type { Ledger } from "./ledger.ts";
import { type Ensured, ensureLink } from "./link.ts";
import type { HostPorts } from "./port.ts";

/**
 * Closes every intent that a crash left without an end: first makes sure of the link, never deleting anything, then writes
 * `interrupted` (safety.md, "crash-only protocol", 1). Killed again in between, it does the same again.
 */
export async function recover(ledger: Ledger, keepers: readonly Keeper[], ports: HostPorts): Promise<void> {
  for (const intent of ledger.openIntents()) {
    const keeper = keepers.find((candidate) => candidate.declared.name === intent.link);
    const started = ports.clock.mono();
    const made = keeper === undefined ? null : await keeper.locked(() => ensureWithoutDeleting(keeper));
    const found = made?.detail ?? (made?.changed ? "the link was made right" : "nothing could be done");
    const report: RepairReport = {
      id: intent.id,
      step: intent.step,
      state: "interrupted",
      refusal: null,
      detail: `the host process ended while it ran; at the next start: ${found}`,
      started_at: intent.at,
      ms: Math.round(ports.clock.mono() - started),
      commands: [...(made?.commands ?? [])],
      advice: made?.advice ?? null,
    };
    ledger.write({ kind: "end", report });
    const { id, step, state, ms, commands, refusal, detail } = report;
    const fields = { event: "repair", id, step, state, ms, commands, refusal, detail };
    ports.log("warn", fields, "an unfinished repair was closed");
  }
}

async function ensureWithoutDeleting(keeper: Keeper): Promise<Ensured | null> {
  const judgement = await keeper.look();
  // Creating without the parent only fails; the guard waits for it.
  if (judgement.kind === "missing" && keeper.sight()?.parent === null) return null;
  return await ensureLink(keeper.declared, judgement, keeper.tools, false);
}
