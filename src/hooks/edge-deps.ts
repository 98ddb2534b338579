import type { FleetPort, SitePort } from "../core/edge/port.ts";
import type { WallMillis } from "../core/units.ts";

/** What the edge's app touches the world through: Durable Objects and WebCrypto on Workers, plain objects on Node. */
export interface EdgeDeps {
  readonly version: string;
  readonly site: (name: string) => SitePort;
  readonly fleet: FleetPort;
  /** Bearer tokens; none set means that nobody may. `admin` adds and removes sites, `read` sees all of them and may ask for a heal. */
  readonly tokens: () => { readonly admin: readonly string[]; readonly read: readonly string[] };
  /** Verifies the assertion that Cloudflare Access puts before a request; null: Access is not used. */
  readonly access: ((assertion: string) => Promise<boolean>) | null;
  /** The other end's address as the platform knows it, never from a header that a sender may set. */
  readonly address: (request: Request, env: unknown) => string;
  /** SHA-256 in base64. */
  readonly digest64: (text: string) => Promise<string>;
  readonly wall: () => WallMillis;
  readonly log: (level: "info" | "warn" | "error", fields: Readonly<Record<string, unknown>>, message: string) => void;
}
