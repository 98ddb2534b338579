import { createHmac, randomBytes } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const hex = (bytes: number) => randomBytes(bytes).toString("hex");
const base64url = (text: string) => Buffer.from(text).toString("base64url");

export interface Seeds {
  readonly version: string;
  readonly port: number;
  readonly broker: {
    readonly host: string;
    readonly port: number;
    readonly username: string;
    readonly password: string;
  };
}

/**
 * Writes the stores of a Home Assistant that has been set up: an owner, a long-lived token, its port and the broker. Returns the
 * token. The forms were seen to work on 2025.1, 2025.4 and 2026.11.
 */
export function seedHomeAssistant(dir: string, { version, port, broker }: Seeds): string {
  mkdirSync(join(dir, ".storage"), { recursive: true });
  const now = new Date().toISOString().replace("Z", "+00:00");
  const put = (key: string, major: number, minor: number, data: unknown) =>
    writeFileSync(join(dir, ".storage", key), JSON.stringify({ version: major, minor_version: minor, key, data }), {
      mode: 0o600,
    });
  const isOld = version.startsWith("2025.");
  const [user, refresh, jwtKey] = [hex(16), hex(16), hex(64)];
  put("auth", 1, 1, {
    users: [
      {
        id: user,
        group_ids: ["system-admin"],
        is_owner: true,
        is_active: true,
        name: "Owner",
        system_generated: false,
        local_only: false,
      },
    ],
    groups: [
      { id: "system-admin", name: "Administrators" },
      { id: "system-users", name: "Users" },
      { id: "system-read-only", name: "Read Only" },
    ],
    credentials: [],
    refresh_tokens: [
      {
        id: refresh,
        user_id: user,
        client_id: null,
        client_name: "e2e",
        client_icon: null,
        token_type: "long_lived_access_token",
        created_at: now,
        access_token_expiration: 315_360_000,
        token: hex(64),
        jwt_key: jwtKey,
        last_used_at: null,
        last_used_ip: null,
        expire_at: null,
        credential_id: null,
        version,
      },
    ],
  });
  put("onboarding", 4, 1, { done: ["user", "core_config", "analytics", "integration"] });
  put("core.config", 1, 4, {
    latitude: 52.37,
    longitude: 4.89,
    elevation: 0,
    unit_system_v2: "metric",
    location_name: "Home",
    time_zone: "Europe/Amsterdam",
    external_url: null,
    internal_url: `http://127.0.0.1:${port}`,
    currency: "EUR",
    country: "NL",
    language: "en",
    radius: 100,
  });
  // Stable, not pending: `http:` read from YAML is a trial since 2026.8, after five minutes of which Home Assistant restarts itself.
  if (!isOld)
    put("http", 3, 1, {
      stable: {
        server_host: ["0.0.0.0"],
        server_port: port,
        cors_allowed_origins: ["https://cast.home-assistant.io"],
        use_x_forwarded_for: false,
        trusted_proxies: [],
        login_attempts_threshold: -1,
        ip_ban_enabled: true,
        ssl_profile: "intermediate_v6",
        use_x_frame_options: true,
        created_at: now,
        error: null,
        error_message: null,
      },
      pending: null,
      yaml_migration_done: true,
    });
  put("core.config_entries", 1, 5, {
    entries: [
      {
        created_at: now,
        modified_at: now,
        domain: "mqtt",
        title: "broker",
        entry_id: hex(13).toUpperCase(),
        unique_id: null,
        source: "user",
        version: isOld ? 1 : 2,
        minor_version: 1,
        data: {
          broker: broker.host,
          port: broker.port,
          protocol: "5",
          username: broker.username,
          password: broker.password,
        },
        options: {},
        subentries: [],
        discovery_keys: {},
        disabled_by: null,
        pref_disable_new_entities: false,
        pref_disable_polling: false,
      },
    ],
  });
  const issued = Math.floor(Date.now() / 1_000);
  const claims = { iss: refresh, iat: issued, exp: issued + 315_360_000 };
  const unsigned = `${base64url('{"alg":"HS256","typ":"JWT"}')}.${base64url(JSON.stringify(claims))}`;
  return `${unsigned}.${createHmac("sha256", jwtKey).update(unsigned).digest("base64url")}`;
}
