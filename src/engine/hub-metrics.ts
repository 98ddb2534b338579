import { CAUSES } from "../core/cause.ts";
import type { House } from "../core/config/house.ts";
import { isFresh, type SiteView } from "../core/history.ts";
import type { Observation } from "../core/observation.ts";
import { STATES, statusOf } from "../core/status.ts";
import type { Instant } from "../core/units.ts";
import type { Seat } from "./hub-state.ts";

type Labels = Readonly<Record<string, string>>;
interface Sample {
  readonly labels: Labels;
  readonly value: number;
}
export interface Metric {
  readonly name: string;
  readonly help: string;
  readonly type: "gauge" | "counter";
  readonly samples: readonly Sample[];
}

/** Counts since this process started: Prometheus knows how to read a counter that begins again. */
export function createCounters() {
  const heals = new Map<string, Sample>();
  const deliveries = new Map<string, Sample>();
  const add = (table: Map<string, Sample>, labels: Labels) => {
    const key = JSON.stringify(labels);
    table.set(key, { labels, value: (table.get(key)?.value ?? 0) + 1 });
  };
  return {
    heal: (step: string, outcome: string) => add(heals, { step, outcome }),
    delivery: (subscriber: string, outcome: string) => add(deliveries, { subscriber, outcome }),
    heals: (): readonly Sample[] => [...heals.values()],
    deliveries: (): readonly Sample[] => [...deliveries.values()],
  };
}

export interface Measured {
  readonly house: House;
  readonly version: string;
  readonly view: SiteView;
  readonly seats: readonly Seat[];
  readonly latest: ReadonlyMap<string, Observation>;
  readonly counters: ReturnType<typeof createCounters>;
  readonly outbox: readonly { subscriber: string; state: string; n: number }[];
  readonly now: Instant;
  readonly storeOk: boolean;
}

const gauge = (name: string, help: string, samples: readonly Sample[]): Metric => ({
  name,
  help,
  type: "gauge",
  samples,
});

/** Every series of the hub. What has not been heard freshly is absent rather than wrong. */
export function metricsOf(measured: Measured): readonly Metric[] {
  const { house, view, seats, now, counters } = measured;
  const status = statusOf(house, view, seats, now);
  const targets = Object.entries(status.targets).flatMap(([target, { state }]) =>
    STATES.map((name) => ({ labels: { target, state: name }, value: state === name ? 1 : 0 })),
  );
  const causes = seats.flatMap(({ group, assessment }) =>
    CAUSES.map((cause) => ({ labels: { group: group.name, cause }, value: assessment.cause === cause ? 1 : 0 })),
  );
  return [
    gauge("hairpin_build_info", "The version that runs.", [{ labels: { version: measured.version }, value: 1 }]),
    ...probeMetrics(measured),
    gauge("hairpin_target_state", "1 for the state a target is in.", targets),
    gauge("hairpin_cause", "1 for the cause of a group's trouble.", causes),
    gauge(
      "hairpin_vantage_up",
      "Whether a vantage has been heard freshly.",
      house.vantages.map(({ name }) => ({ labels: { vantage: name }, value: isUp(view, name, now) ? 1 : 0 })),
    ),
    { name: "hairpin_heals_total", help: "Repairs by step and outcome.", type: "counter", samples: counters.heals() },
    gauge(
      "hairpin_heal_budget_left",
      "Automatic repairs left in this hour of ledger time.",
      seats.map(({ group }) => ({
        labels: { group: group.name },
        value: status.groups[group.name]?.heal.budget_left_hour ?? 0,
      })),
    ),
    gauge(
      "hairpin_breaker_open",
      "1 while the breaker is open.",
      seats.map(({ group, state }) => ({ labels: { group: group.name }, value: state.breaker.open ? 1 : 0 })),
    ),
    {
      name: "hairpin_deliveries_total",
      help: "Tries to deliver, by subscriber and outcome.",
      type: "counter",
      samples: counters.deliveries(),
    },
    gauge(
      "hairpin_outbox",
      "Deliveries by subscriber and state.",
      measured.outbox.map(({ subscriber, state, n }) => ({ labels: { subscriber, state }, value: n })),
    ),
    gauge("hairpin_store_up", "Whether the store takes writes.", [{ labels: {}, value: measured.storeOk ? 1 : 0 }]),
  ];
}

function isUp(view: SiteView, name: string, now: Instant): boolean {
  const seen = view.vantages[name];
  return seen !== undefined && isFresh(view, seen, now.mono);
}

function probeMetrics({ view, latest, now }: Measured): readonly Metric[] {
  const success: Sample[] = [];
  const duration: Sample[] = [];
  const expiry: Sample[] = [];
  for (const [vantage, observation] of latest) {
    if (!isUp(view, vantage, now)) continue;
    for (const result of observation.checks) {
      const labels = { vantage, target: result.target, check: result.id ?? result.check };
      success.push({ labels, value: result.ok ? 1 : 0 });
      if (result.ms != null) duration.push({ labels: { ...labels, phase: "total" }, value: result.ms / 1_000 });
      for (const [phase, ms] of Object.entries(result.phases ?? {}))
        if (ms !== null) duration.push({ labels: { ...labels, phase }, value: ms / 1_000 });
      const until = Date.parse(result.evidence?.certificate?.valid_to ?? "");
      if (!Number.isNaN(until)) expiry.push({ labels, value: until / 1_000 });
    }
  }
  return [
    gauge("hairpin_probe_success", "Whether the last round of a check was good.", success),
    gauge("hairpin_probe_duration_seconds", "How long the last round of a check took, by phase.", duration),
    gauge("hairpin_cert_expiry_timestamp_seconds", "When a certificate ends.", expiry),
  ];
}
