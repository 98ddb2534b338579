import type { Fleet } from "./fleet.ts";
import type { Site } from "./site.ts";

/** Bindings, variables and secrets of wrangler.toml. Tokens are lists, separated by commas, so that one can be changed without a gap. */
export interface EdgeEnv {
  readonly SITES: DurableObjectNamespace<Site>;
  readonly FLEET: DurableObjectNamespace<Fleet>;
  /** Secret: adds and removes sites. Unset: nobody can. */
  readonly ADMIN_TOKENS?: string;
  /** Secret: sees every site and may ask for a heal. Unset: nobody can, but for the tokens of a site and Access. */
  readonly READ_TOKENS?: string;
  /** Cloudflare Access: the team's name and the application's audience tag; both or none. */
  readonly ACCESS_TEAM?: string;
  readonly ACCESS_AUD?: string;
  /** Where DNS over HTTPS is asked; unset: Cloudflare's own resolver. */
  readonly DOH_URL?: string;
  /** Sites that cron visits in one minute: each is one request to an object. */
  readonly SWEEP_MAX?: string;
}

/** At least 16 characters: a shorter one is a mistake, and is not taken for a token. */
export function tokensOf(list: string | undefined): readonly string[] {
  return (list ?? "")
    .split(",")
    .map((token) => token.trim())
    .filter((token) => token.length >= 16);
}
