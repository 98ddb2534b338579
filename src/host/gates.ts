import type { Refusal, RepairRequest } from "../core/repair.ts";
import { DAY, HOUR, type Millis } from "../core/units.ts";
import { type ClusterSight, hasNoEndpoints } from "./cluster.ts";
import type { Journal } from "./journal.ts";
import type { Lease } from "./lease.ts";
import { type Ledger, MANUAL_HOUR } from "./ledger.ts";
import type { Judgement, Sight } from "./link.ts";
import type { Pause } from "./pause.ts";
import type { GuardedLink, HostSetup } from "./port.ts";

export interface Refused {
  readonly refusal: Refusal;
  readonly detail: string;
  /** Ledger milliseconds after which asking again may help. */
  readonly retryAfter: Millis | null;
}

export interface GateView {
  readonly setup: HostSetup;
  readonly journal: Journal;
  readonly ledger: Ledger;
  readonly lease: Lease;
  readonly pause: Pause | null;
  readonly guarded: GuardedLink;
  readonly sight: Sight | null;
  readonly judgement: Judgement;
  /** Null where no speaker is declared. */
  readonly cluster: ClusterSight | null;
  /** Milliseconds since the request was received. */
  readonly age: Millis;
}

const refuse = (refusal: Refusal, detail: string, retryAfter: Millis | null = null): Refused => ({
  refusal,
  detail,
  retryAfter,
});

/** The gates of the host, in the order of safety.md; the first closed one is the answer. Null: all are open. */
export function closedGate(request: RepairRequest, view: GateView): Refused | null {
  return (
    journalGate(view) ??
    orderGate(request, view) ??
    budgetGate(request, view) ??
    linkGate(request, view) ??
    clusterGate(request, view)
  );
}

function journalGate({ journal }: GateView): Refused | null {
  if (journal.health() === "unreadable")
    return refuse("journal", `the journal is unreadable: ${journal.detail() ?? "?"}`);
  if (!journal.hasRoom()) return refuse("journal", "less than 1 MiB is free where the journal lies");
  return null;
}

function orderGate(request: RepairRequest, { setup, ledger, lease, pause, age }: GateView): Refused | null {
  const held = lease.closed(request);
  if (held !== null) return held;
  const greatest = ledger.epoch(request.hub ?? null);
  if (request.epoch < greatest) return refuse("old_epoch", `epoch ${request.epoch} is older than ${greatest}`);
  if (age >= request.ttl_ms) return refuse("expired", `its time to live of ${request.ttl_ms} ms is over`);
  if (!setup.armed) return refuse("host_not_armed", "host.armed is false in this host's own file");
  if (pause !== null && !(request.manual && request.override))
    return refuse("maintenance", `paused until ${pause.until}${pause.reason ? `: ${pause.reason}` : ""}`);
  const breaker = ledger.breaker();
  if (breaker.open && !(request.manual && request.override))
    return refuse("breaker_open", breaker.why ?? "the breaker is open");
  return null;
}

function budgetGate(request: RepairRequest, { setup, ledger }: GateView): Refused | null {
  if (request.manual) {
    const spent = ledger.spent("person", HOUR);
    return spent >= MANUAL_HOUR
      ? refuse("budget", `${spent} repairs were asked for by hand in the last hour: at most ${MANUAL_HOUR}`, HOUR)
      : null;
  }
  if (ledger.spent("hub", HOUR) >= setup.budgetHour)
    return refuse("budget", `${setup.budgetHour} remedies in an hour are spent`, HOUR);
  if (ledger.spent("hub", DAY) >= setup.budgetDay)
    return refuse("budget", `${setup.budgetDay} remedies in a day are spent`, DAY);
  return null;
}

function linkGate(request: RepairRequest, { guarded, sight, judgement }: GateView): Refused | null {
  const { link } = guarded;
  if (sight === null) return refuse("parent_missing", "the kernel could not be asked for its links");
  if (sight.parent === null) return refuse("parent_missing", `${link.parent} does not exist`);
  if (!sight.parent.up) return refuse("parent_down", `${link.parent} is down`);
  if (judgement.kind === "foreign") return refuse("foreign_link", judgement.what);
  if (judgement.kind === "drifted" && request.step !== "ensure-link") {
    return refuse("foreign_link", `${link.name} has ${judgement.what.join(", ")}: ensure-link comes first`);
  }
  return null;
}

function clusterGate(request: RepairRequest, { setup, guarded, cluster }: GateView): Refused | null {
  if (hasNoEndpoints(cluster, guarded)) {
    return refuse(
      "no_endpoints",
      "no endpoint of the Services is ready: the speaker has withdrawn the addresses, and no step brings them back",
    );
  }
  const restarts = request.step === "restart-speaker" || (request.step === "recreate-link" && setup.speaker !== null);
  if (!restarts) return null;
  if (setup.speaker === null || cluster === null) return refuse("not_configured", "no speaker is declared");
  if (cluster.reachable !== true)
    return refuse(
      "kubernetes_unreachable",
      `a speaker restarted now would stay away: ${cluster.detail ?? "the API does not answer"}`,
    );
  if (cluster.forbidden) return refuse("no_rights", `the speaker's pods may not be listed: ${cluster.detail ?? "403"}`);
  return null;
}
