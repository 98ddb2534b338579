import { env as bindings } from "cloudflare:workers";
import manifest from "../../../package.json" with { type: "json" };
import type { FleetPort, SitePort } from "../../core/edge/port.ts";
import { edgeApp } from "../../hooks/edge.ts";
import { accessOf } from "./access.ts";
import { digest64 } from "./crypto.ts";
import { type EdgeEnv, tokensOf } from "./env.ts";
import { log } from "./log.ts";

export { Fleet } from "./fleet.ts";
export { Site } from "./site.ts";

/** The edge verifier on Cloudflare Workers: the hooks by fetch, the sweep by cron. The alarm of each site is in site.ts. */
const env = bindings as unknown as EdgeEnv;

/** Fits the 50 subrequests of one invocation on the free plan. */
const SWEEP_MAX = 40;
/** Of the six connections that one invocation may have open. */
const SWEEP_AT_ONCE = 6;

const site = (name: string): SitePort => env.SITES.getByName(name) as unknown as SitePort;
const fleet = (): FleetPort => env.FLEET.getByName("fleet") as unknown as FleetPort;

const app = edgeApp({
  version: manifest.version,
  site,
  fleet: {
    put: (row) => fleet().put(row),
    remove: (name) => fleet().remove(name),
    list: (search, limit) => fleet().list(search, limit),
    turn: (now, limit) => fleet().turn(now, limit),
  },
  tokens: () => ({ admin: tokensOf(env.ADMIN_TOKENS), read: tokensOf(env.READ_TOKENS) }),
  access: env.ACCESS_TEAM && env.ACCESS_AUD ? accessOf(env.ACCESS_TEAM, env.ACCESS_AUD) : null,
  // Set by Cloudflare on every request, over whatever a sender wrote there.
  address: (request) => request.headers.get("cf-connecting-ip") ?? "unknown",
  digest64,
  wall: () => Date.now(),
  log,
});

/** The net under the alarms: each minute the same tick for some of the sites, in turn; with few sites for all of them. */
async function sweep(now: number): Promise<void> {
  const names = [...(await fleet().turn(now, Number(env.SWEEP_MAX ?? SWEEP_MAX)))];
  const lane = async (): Promise<void> => {
    for (let name = names.shift(); name !== undefined; name = names.shift()) {
      try {
        await site(name).tick();
      } catch (error) {
        log("error", { site: name, error: String(error) }, "a tick by cron failed");
      }
    }
  };
  await Promise.all(Array.from({ length: SWEEP_AT_ONCE }, lane));
}

export default {
  fetch: (request, env, context) => app.fetch(request, env as object, context),
  scheduled: (_, __, context) => context.waitUntil(sweep(Date.now())),
} satisfies ExportedHandler;
