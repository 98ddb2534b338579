import type { Site } from "./site.ts";
import type { Happening } from "./witness.ts";

/** What a run must have come to, lest its silence prove nothing. Each is a counter of `counting`. */
export const MUST_REACH = [
  "remedies started",
  "heals started by hand",
  "guard repairs",
  "heals verified",
  "heals ineffective",
  "requests refused by the host",
  "breakers opened at the hub",
  "breakers opened at the host",
  "crashes of the host inside a repair",
  "crashes of the host with its link deleted",
  "crashes of the hub",
  "crashes of the hub with a repair in flight",
  "torn or lost tail of the journal",
  "messages lost",
  "messages doubled",
  "lies told",
  "people asked for help",
  "dead letters",
  "reports taken twice",
  "reports refused by signature",
] as const;

/** Counts what was reached. */
export function counting({ witness, hubs, kernel }: Site) {
  const open = new Map<string, boolean>();
  let flying = false;
  let lost = false;
  return (happening: Happening): void => {
    const { count } = witness;
    switch (happening.kind) {
      case "journalled": {
        const { record } = happening;
        if (record.kind === "intent") {
          open.set(record.id, record.by !== "guard");
          if (record.by !== "guard") count(record.by === "hub" ? "remedies started" : "heals started by hand");
        } else if (record.kind === "end") {
          open.delete(record.report.id);
          lost = false;
        } else if (record.kind === "breaker" && record.open) count("breakers opened at the host");
        return;
      }
      case "link_lost":
        lost = true;
        return;
      case "host_died":
        if (happening.power) {
          count("losses of power");
          return;
        }
        count("crashes of the host");
        if (open.size > 0) count("crashes of the host inside a repair");
        if (lost && !kernel.truth.links.some(({ name }) => name === "metallb0"))
          count("crashes of the host with its link deleted");
        return;
      case "hub_died":
        count("crashes of the hub");
        if (flying) count("crashes of the hub with a repair in flight");
        return;
      case "group":
        if (happening.hub === hubs[0]?.name) flying = happening.after.flight !== null;
        if (happening.before?.breaker.open === false && happening.after.breaker.open)
          count("breakers opened at the hub");
        return;
      case "event": {
        const { event } = happening.event.data;
        count(`event ${event}`);
        if (event === "heal_succeeded") count("heals verified");
        if (event === "heal_failed") count("heals ineffective");
        if (event === "asked_for_help") count("people asked for help");
        return;
      }
      case "answered":
        if (happening.report.state === "refused") {
          count("requests refused by the host");
          count(`refused: ${happening.report.refusal}`);
        }
        return;
      case "row":
        if (happening.row.state === "dead") count("dead letters");
        return;
      case "observed":
        if (happening.answer === "duplicate") count("reports taken twice");
        return;
      default:
    }
  };
}
