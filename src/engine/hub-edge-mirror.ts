import {
  EDGE_BODY_MAX,
  HEALS_WAITING_MAX,
  type HealResult,
  type Heartbeat,
  type OutsideCheck,
  type StatusMirror,
} from "../core/edge/wire.ts";
import type { Status } from "../core/status.ts";
import type { Millis } from "../core/units.ts";

/** A house may have more targets than one heartbeat carries; then the worst are shown. */
const TARGETS_MAX = 64;
const SUMMARY_MAX = 1_024;

/**
 * The house's own status in the form in which it stands at the edge: in an alert it may be the last that is known of a house that is
 * dark. Nothing of it is a secret, and nothing of it is an address but what the summary names.
 */
export function mirrorOf(status: Status): StatusMirror {
  const targets = Object.entries(status.targets)
    .sort(([, a], [, b]) => Number(a.state === "ok") - Number(b.state === "ok"))
    .slice(0, TARGETS_MAX)
    .map(([name, { state, vantages }]) => {
      const seen = Object.entries(vantages).map(
        ([vantage, { state: word, failure, rtt_ms, observed_at }]) =>
          [vantage, { state: word, failure, rtt_ms, observed_at }] as const,
      );
      return [name, { state, vantages: Object.fromEntries(seen) }] as const;
    });
  const { mode, state, breaker } = status.heal;
  return {
    state: status.state,
    cause: status.cause,
    summary: status.summary.slice(0, SUMMARY_MAX),
    since: status.since,
    targets: Object.fromEntries(targets),
    heal: { mode, state, breaker },
  };
}

export interface Beat {
  readonly site: string;
  readonly boot_id: string;
  readonly seq: number;
  readonly sent_at: string;
  readonly silence: Millis;
  readonly every: Millis;
  readonly status: Status;
  readonly checks: readonly OutsideCheck[];
  readonly results: readonly HealResult[];
}

/** The text of one heartbeat. What would not fit is left out, the vantages first: that the house lives is what counts. */
export function heartbeatText(beat: Beat): string {
  const status = mirrorOf(beat.status);
  const whole: Heartbeat = {
    type: "hairpin.heartbeat.v1",
    aud: "edge",
    site: beat.site,
    boot_id: beat.boot_id,
    seq: beat.seq,
    sent_at: beat.sent_at,
    silence_ms: beat.silence,
    every_ms: beat.every,
    status,
    checks: [...beat.checks],
    heal_results: beat.results.slice(-HEALS_WAITING_MAX),
  };
  const text = JSON.stringify(whole);
  // Counted in characters, of which each may take three bytes.
  if (3 * text.length <= EDGE_BODY_MAX) return text;
  const bare = Object.entries(status.targets).map(([name, { state }]) => [name, { state, vantages: {} }] as const);
  return JSON.stringify({ ...whole, status: { ...status, targets: Object.fromEntries(bare) } });
}
