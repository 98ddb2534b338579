import { DurableObject } from "cloudflare:workers";
import type { FleetList, FleetRow } from "../../core/edge/fleet.ts";
import type { FleetPort } from "../../core/edge/port.ts";
import { openEdgeFleet } from "../../engine/edge-store.ts";
import type { EdgeEnv } from "./env.ts";
import { durableSql } from "./store.ts";

/** The list of all sites: one object, which hears of a site when its state changes and never of a heartbeat. */
export class Fleet extends DurableObject<EdgeEnv> implements FleetPort {
  readonly #rows = openEdgeFleet(durableSql(this.ctx.storage));

  async put(row: FleetRow): Promise<void> {
    this.#rows.put(row);
  }

  async remove(site: string): Promise<void> {
    this.#rows.remove(site);
  }

  async list(search: string, limit: number): Promise<FleetList> {
    return this.#rows.list(search, limit);
  }

  async turn(now: number, limit: number): Promise<readonly string[]> {
    return this.#rows.turn(now, limit);
  }
}
