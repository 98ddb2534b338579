import type { Cause } from "./cause.ts";

export const EVENT_KINDS = [
  "failing",
  "recovered",
  "cause_changed",
  "heal_started",
  "heal_succeeded",
  "heal_failed",
  "held",
  "asked_for_help",
  "guard_repaired",
  "guard_stopped",
  "announcer_changed",
  "vantage_silent",
  "vantage_back",
  "paused",
  "resumed",
  "certificate_expiring",
  "site_dark",
  "site_back",
  "test",
] as const;

export type EventKind = (typeof EVENT_KINDS)[number];

/** The flat `data` of an event: what Home Assistant's templates, ntfy and the status page read. */
export interface EventData {
  readonly schema: "hairpin/alert/1";
  readonly event: EventKind;
  readonly site: string;
  /** The target, or "all" when several are concerned. */
  readonly target: string;
  readonly cause: Cause | null;
  readonly title: string;
  readonly message: string;
  readonly since: string | null;
  readonly vantages_failing: readonly string[];
  readonly incident: string | null;
  readonly heal_id: string | null;
  readonly can_heal: boolean;
  readonly status_url: string | null;
  /** What a person should type, where there is something. */
  readonly advice?: string | null;
  /** Names the gate that is closed, for `held`. */
  readonly held_by?: string | null;
}

/** An event as it is stored and delivered. The id is the `webhook-id` of every delivery of it, with the subscriber's name. */
export interface HairpinEvent {
  readonly id: string;
  /** Order within the site. */
  readonly seq: number;
  readonly type: `hairpin.${EventKind}.v1`;
  readonly timestamp: string;
  readonly group: string;
  readonly data: EventData;
}

export const HOME_ASSISTANT_EVENTS: readonly EventKind[] = [
  "failing",
  "recovered",
  "heal_started",
  "heal_succeeded",
  "heal_failed",
  "asked_for_help",
  "guard_stopped",
  "guard_repaired",
  "vantage_silent",
  "test",
];
