import { createHmac, randomBytes } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";

/** What a Home Assistant is that nobody has clicked through: its owner, its door, its broker. */
export interface Seed {
  readonly version: string;
  readonly address: string;
  readonly port: number;
}

/** Before 2026.8 the HTTP server is configured in YAML only. */
export function hasHttpStore(version: string): boolean {
  const [year, month] = version.split(".").map(Number) as [number, number];
  return year > 2026 || (year === 2026 && month >= 8);
}

const hex = (bytes: number): string => randomBytes(bytes).toString("hex");
const base64url = (text: string): string => Buffer.from(text).toString("base64url");

/**
 * Writes .storage as Home Assistant itself would have left it, and returns a bearer token for its owner. Doing the onboarding over
 * its API works as well, and makes it look for services of the Internet.
 */
export function seedStorage(dir: string, seed: Seed): string {
  mkdirSync(`${dir}/.storage`, { recursive: true });
  const now = new Date().toISOString().replace("Z", "+00:00");
  const put = (key: string, version: number, minor_version: number, data: unknown) =>
    writeFileSync(`${dir}/.storage/${key}`, JSON.stringify({ version, minor_version, key, data }), { mode: 0o600 });
  const [user, refresh, secret] = [hex(16), hex(16), hex(64)];
  const group = (id: string, name: string) => ({ id, name });
  put("auth", 1, 1, {
    users: [
      {
        id: user,
        group_ids: ["system-admin"],
        is_owner: true,
        is_active: true,
        name: "House",
        system_generated: false,
        local_only: false,
      },
    ],
    groups: [
      group("system-admin", "Administrators"),
      group("system-users", "Users"),
      group("system-read-only", "Read Only"),
    ],
    credentials: [],
    refresh_tokens: [
      {
        id: refresh,
        user_id: user,
        client_id: null,
        client_name: "end to end",
        client_icon: null,
        token_type: "long_lived_access_token",
        created_at: now,
        access_token_expiration: 315_360_000,
        token: hex(64),
        jwt_key: secret,
        last_used_at: null,
        last_used_ip: null,
        expire_at: null,
        credential_id: null,
        version: seed.version,
      },
    ],
  });
  put("onboarding", 4, 1, { done: ["user", "core_config", "analytics", "integration"] });
  put("core.config", 1, 4, {
    latitude: 52.37,
    longitude: 4.89,
    elevation: 0,
    unit_system_v2: "metric",
    location_name: "House",
    time_zone: "UTC",
    external_url: null,
    internal_url: `http://${seed.address}:${seed.port}`,
    currency: "EUR",
    country: "NL",
    language: "en",
    radius: 100,
  });
  // Stable, not pending: an imported `http:` is tried for 5 minutes, then Home Assistant goes back and restarts itself.
  if (hasHttpStore(seed.version))
    put("http", 3, 1, { stable: door(seed, now), pending: null, yaml_migration_done: true });
  const isOld = !hasHttpStore(seed.version);
  put("core.config_entries", 1, 5, { entries: [brokerEntry(seed, now, isOld)] });
  const issued = Math.floor(Date.now() / 1_000);
  const claims = base64url(JSON.stringify({ iss: refresh, iat: issued, exp: issued + 315_360_000 }));
  const signed = `${base64url('{"alg":"HS256","typ":"JWT"}')}.${claims}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}

function door(seed: Seed, now: string): object {
  return {
    server_host: ["0.0.0.0"],
    server_port: seed.port,
    cors_allowed_origins: ["https://cast.home-assistant.io"],
    use_x_forwarded_for: true,
    trusted_proxies: ["127.0.0.1/32"],
    login_attempts_threshold: -1,
    ip_ban_enabled: true,
    ssl_profile: "intermediate_v6",
    use_x_frame_options: true,
    created_at: now,
    error: null,
    error_message: null,
  };
}

function brokerEntry(seed: Seed, now: string, isOld: boolean): object {
  return {
    created_at: now,
    modified_at: now,
    domain: "mqtt",
    title: "Mosquitto",
    entry_id: hex(13).toUpperCase(),
    unique_id: null,
    source: "user",
    version: isOld ? 1 : 2,
    minor_version: 1,
    data: { broker: seed.address, port: 1_883, protocol: "5" },
    options: {},
    subentries: [],
    discovery_keys: {},
    disabled_by: null,
    pref_disable_new_entities: false,
    pref_disable_polling: false,
  };
}
