import type { Edge } from "./hub-edge.ts";
import type { Metric } from "./hub-metrics.ts";

/** The series of the edge verifier: whether it hears this house, and what it sees from outside, as vantage `edge`. */
export function edgeMetrics(edge: Edge): readonly Metric[] {
  const { state, clock_skew_ms, checks, cause } = edge.status();
  const seen = Object.entries(checks).filter(([, check]) => check.state !== "unknown");
  const labels = (check: string) => ({ vantage: "edge", target: "outside", check });
  const gauge = (name: string, help: string, samples: Metric["samples"]): Metric => ({
    name,
    help,
    type: "gauge",
    samples,
  });
  return [
    gauge("hairpin_edge_up", "Whether the edge accepted the last heartbeat.", [
      { labels: {}, value: state === "ok" ? 1 : 0 },
    ]),
    {
      name: "hairpin_edge_heartbeats_total",
      help: "Heartbeats to the edge, by outcome.",
      type: "counter",
      samples: [...edge.counts()].map(([outcome, value]) => ({ labels: { outcome }, value })),
    },
    gauge(
      "hairpin_edge_clock_skew_seconds",
      "The edge's clock minus this one's.",
      clock_skew_ms === null ? [] : [{ labels: {}, value: clock_skew_ms / 1_000 }],
    ),
    gauge(
      "hairpin_edge_probe_success",
      "Whether a public name is good from outside.",
      seen.map(([check, { state: word }]) => ({ labels: labels(check), value: word === "ok" ? 1 : 0 })),
    ),
    gauge(
      "hairpin_edge_probe_duration_seconds",
      "How long the last probe from outside took.",
      seen.flatMap(([check, { ms }]) => (ms === null ? [] : [{ labels: labels(check), value: ms / 1_000 }])),
    ),
    gauge("hairpin_outside_path_broken", "1 while all is fine inside and not from outside.", [
      { labels: {}, value: cause === null ? 0 : 1 },
    ]),
  ];
}
