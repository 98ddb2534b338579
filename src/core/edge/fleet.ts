import type { WallMillis } from "../units.ts";
import type { SiteState } from "./site.ts";

/** One site in the list of a fleet. It is written when it changes, not with each heartbeat. */
export interface FleetRow {
  readonly site: string;
  /** dark, waiting, or the house's own state. */
  readonly state: string;
  readonly cause: string | null;
  readonly summary: string;
  /** When this state began, as ISO time. */
  readonly since: string;
}

/** Worst first: what a person must look at stands on top. */
const RANKS: readonly string[] = [
  "dark",
  "failing",
  "waiting",
  "degraded",
  "healing",
  "suspect",
  "unknown",
  "maintenance",
  "ok",
];

export function rankOf(state: string): number {
  const rank = RANKS.indexOf(state);
  return rank < 0 ? RANKS.indexOf("unknown") : rank;
}

export function fleetRow(state: SiteState): FleetRow {
  const since = (at: WallMillis) => new Date(at).toISOString();
  if (state.phase === "dark")
    return {
      site: state.site,
      state: "dark",
      cause: state.status?.cause ?? null,
      summary: state.events.findLast(({ data }) => data.event === "site_dark")?.data.message ?? "No heartbeat comes.",
      since: since(state.since),
    };
  if (state.phase === "waiting" || state.status === null)
    return {
      site: state.site,
      state: "waiting",
      cause: null,
      summary: "No heartbeat has come yet.",
      since: since(state.since),
    };
  const { status } = state;
  return {
    site: state.site,
    state: status.state,
    cause: status.cause,
    summary: status.summary,
    since: status.since ?? since(state.since),
  };
}

/** Whether the list has to be written: rtts move with every heartbeat, this does not. */
export function isNewsToFleet(before: FleetRow | null, after: FleetRow): boolean {
  return (
    before === null ||
    before.state !== after.state ||
    before.cause !== after.cause ||
    before.summary !== after.summary ||
    before.since !== after.since
  );
}
