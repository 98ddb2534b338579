import { type FleetList, type FleetRow, fleetList, sweepFrom } from "../core/edge/fleet.ts";
import type { SiteState } from "../core/edge/site.ts";
import { MINUTE, type WallMillis } from "../core/units.ts";
import type { SqlPort } from "./store.ts";

/** The edge's tables and statements, the same on node:sqlite and on a SQLite Durable Object. A change of a site writes one row. */
const SCHEMA = {
  site: "CREATE TABLE IF NOT EXISTS site (k INTEGER PRIMARY KEY CHECK (k = 1), state TEXT NOT NULL)",
  fleet: "CREATE TABLE IF NOT EXISTS fleet (site TEXT PRIMARY KEY, row TEXT NOT NULL) WITHOUT ROWID",
} as const;

const SQL = {
  has: "SELECT 1 AS one FROM sqlite_master WHERE type = 'table' AND name = ?",
  siteGet: "SELECT state FROM site WHERE k = 1",
  siteSet: "INSERT INTO site (k, state) VALUES (1, ?) ON CONFLICT (k) DO UPDATE SET state = excluded.state",
  fleetAll: "SELECT row FROM fleet",
  fleetSet: "INSERT INTO fleet (site, row) VALUES (?, ?) ON CONFLICT (site) DO UPDATE SET row = excluded.row",
  fleetRemove: "DELETE FROM fleet WHERE site = ?",
  fleetCount: "SELECT count(*) AS n FROM fleet",
  fleetPart: "SELECT site FROM fleet ORDER BY site LIMIT ? OFFSET ?",
} as const;

export interface EdgeSiteStore {
  load(): SiteState | null;
  save(state: SiteState): void;
  /** Says that the tables are gone. */
  forget(): void;
}

/**
 * One site's memory. An object that was never added has no table and gets none by being asked: names that somebody makes up leave
 * nothing behind.
 */
export function openEdgeSite(sql: SqlPort): EdgeSiteStore {
  let isThere = sql.all(SQL.has, "site").length > 0;
  return {
    load() {
      if (!isThere) return null;
      const row = sql.all(SQL.siteGet)[0];
      return row === undefined ? null : (JSON.parse(String(row["state"])) as SiteState);
    },
    save(state) {
      sql.transaction(() => {
        if (!isThere) sql.run(SCHEMA.site);
        sql.run(SQL.siteSet, JSON.stringify(state));
      });
      isThere = true;
    },
    forget() {
      isThere = false;
    },
  };
}

/** The list of a fleet: written when a site's state changes, not with each heartbeat. */
export function openEdgeFleet(sql: SqlPort) {
  sql.run(SCHEMA.fleet);
  return {
    put: (row: FleetRow): void => sql.run(SQL.fleetSet, row.site, JSON.stringify(row)),
    remove: (site: string): void => sql.run(SQL.fleetRemove, site),
    list: (search: string, limit: number): FleetList =>
      fleetList(
        sql.all(SQL.fleetAll).map((row) => JSON.parse(String(row["row"])) as FleetRow),
        search,
        limit,
      ),
    turn(now: WallMillis, limit: number): readonly string[] {
      const total = Number(sql.all(SQL.fleetCount)[0]?.["n"] ?? 0);
      const from = sweepFrom(Math.floor(now / MINUTE), limit, total);
      return sql.all(SQL.fleetPart, limit, from).map((row) => String(row["site"]));
    },
  };
}
