import { createHash } from "node:crypto";
import type { House } from "../../core/config/house.ts";
import type { EdgePort } from "../../engine/hub-ports.ts";
import { hmac } from "./hmac.ts";
import type { Keys } from "./hub-keys.ts";
import type { HubResolver } from "./hub-resolver.ts";
import { createExchange } from "./hub-send.ts";

/** Four requests of 6 KiB and 16 observations of 1 KiB are 40 KiB: an answer that is larger is not an edge's. */
const ANSWER_MAX = 65_536;

/** The way to the edge of the configuration: its name is resolved as every other outgoing one. Undefined where there is none. */
export function edgeOf(house: House, keys: Keys, resolver: HubResolver): EdgePort | undefined {
  if (house.edge === undefined) return undefined;
  const exchange = createExchange(resolver, ANSWER_MAX);
  const url = heartbeatUrl(house.edge.url, house.site);
  return {
    settings: house.edge,
    hmac,
    digest: (text) => createHash("sha256").update(text).digest("hex"),
    keys: keys.edgeKeys,
    healKeys: keys.healKeys,
    send: (signed, body, signal) =>
      exchange({ method: "POST", url, headers: { "content-type": "application/json", ...signed }, body }, signal),
  };
}

/** Where a site's heartbeats go. */
export const heartbeatUrl = (edge: string, site: string): string =>
  `${edge.replace(/\/+$/, "")}/v1/sites/${site}/heartbeats`;
