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

/** How many lines one answer carries at most: 1,000 lines are some 300 KB. */
export const LIST_MAX = 1_000;

/** GET /v1/sites. `counts` are of everything that matches, also of what does not fit. */
export interface FleetList {
  readonly total: number;
  readonly counts: Readonly<Record<string, number>>;
  readonly sites: readonly FleetRow[];
}

/** Of two that are equally bad, the one that has been so for longer; then by name, so that a page does not jump. */
function worstFirst(a: FleetRow, b: FleetRow): number {
  const rank = rankOf(a.state) - rankOf(b.state);
  if (rank !== 0) return rank;
  if (a.since !== b.since && a.state !== "ok") return a.since < b.since ? -1 : 1;
  return a.site < b.site ? -1 : a.site > b.site ? 1 : 0;
}

/** Every word of the search must stand somewhere in the line, in any case. */
function matches(row: FleetRow, search: string): boolean {
  const text = `${row.site} ${row.state} ${row.cause ?? ""} ${row.summary}`.toLowerCase();
  return search
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

export function fleetList(rows: readonly FleetRow[], search: string, limit: number): FleetList {
  const found = rows.filter((row) => matches(row, search)).sort(worstFirst);
  const counts: Record<string, number> = {};
  for (const row of found) counts[row.state] = (counts[row.state] ?? 0) + 1;
  return { total: found.length, counts, sites: found.slice(0, Math.min(limit, LIST_MAX)) };
}

/** Which part of `total` sites, in the order of their names, is swept in this minute; no row has to remember it. */
export function sweepFrom(minute: number, limit: number, total: number): number {
  return total <= limit ? 0 : (minute * limit) % total;
}
