import type { HairpinEvent } from "../core/event.ts";
import type { RepairReport, RepairRequest } from "../core/repair.ts";
import type { Log } from "./hub-ports.ts";
import type { Seat } from "./hub-state.ts";

/** The log lines of the hub that the lab's timeline shows; their fields are a contract between the processes. */

/** One line for each thing that changed in a group: diagnosis, state, the first closed gate. */
export function narrateSeat(old: Seat, seat: Seat, log: Log): void {
  const group = seat.group.name;
  const { assessment, state } = seat;
  const { cause, summary, evidence, failing, votes } = assessment;
  const same =
    assessment.state === old.assessment.state &&
    cause === old.assessment.cause &&
    failing.join() === old.assessment.failing.join();
  if (!same) {
    const fields = { event: "diagnosis", group, state: assessment.state, cause, summary, evidence, failing, votes };
    log("info", fields, "diagnosis");
  }
  if (state.phase !== old.state.phase) {
    const held_by = state.incident?.heldBy ?? null;
    log("info", { event: "state", group, from: old.state.phase, to: state.phase, held_by }, "state");
  }
  const closed = firstClosed(seat);
  if (closed !== firstClosed(old) || state.lastGates.length > 0 !== old.state.lastGates.length > 0)
    log("info", { event: "gates", group, held_by: closed, gates: state.lastGates }, "gates");
}

function firstClosed({ state }: Seat): string | null {
  return state.lastGates.find((gate) => !gate.open)?.gate ?? null;
}

export function narrateEvent({ data }: HairpinEvent, log: Log): void {
  const { event: kind, target, cause, title, message, heal_id, incident, advice = null } = data;
  log("info", { event: "emitted", kind, target, cause, title, message, heal_id, incident, advice }, "emitted");
}

export function narrateRequest(group: string, { id, step }: RepairRequest, log: Log): void {
  log("info", { event: "repair", id, step, state: "requested", group }, "repair");
}

export function narrateReport(report: RepairReport, log: Log): void {
  const { id, step, state, ms, commands, refusal, detail } = report;
  log("info", { event: "repair", id, step, state, ms, commands, refusal, detail }, "repair");
}
