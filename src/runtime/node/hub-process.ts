import { createHash, randomInt } from "node:crypto";
import { resolve } from "node:path";
import type { House } from "../../core/config/house.ts";
import { createHub, type Hub } from "../../engine/hub.ts";
import type { Clock } from "../../engine/hub-ports.ts";
import { openStore } from "../../engine/store.ts";
import { hubApp } from "../../hooks/app.ts";
import { monoMillis } from "./clock.ts";
import { hmac } from "./hmac.ts";
import { edgeOf } from "./hub-edge.ts";
import { createHostLink } from "./hub-host-link.ts";
import { openKeys, readWebhookSecrets } from "./hub-keys.ts";
import { type Listening, listenOn, peerOf } from "./hub-listen.ts";
import { receiversOf } from "./hub-receivers.ts";
import { createResolver } from "./hub-resolver.ts";
import { createSend } from "./hub-send.ts";
import type { Log } from "./log.ts";
import { brokersOf } from "./mqtt-client.ts";
import { packageVersion } from "./package-version.ts";
import { randomId } from "./random-id.ts";
import { openSqlite } from "./store-sqlite.ts";

export interface RunningHub {
  readonly hub: Hub;
  readonly listening: Listening;
  close(): Promise<void>;
}

const clock: Clock = {
  mono: monoMillis,
  wall: Date.now,
  after(millis, run) {
    const timer = setTimeout(run, Math.min(millis, 2 ** 31 - 1));
    return () => clearTimeout(timer);
  },
};

/** Wires a hub from its configuration: secrets, store, hosts, receivers, engine, HTTP. Throws SecretError, StoreError, or a listen error. */
export async function startHub(house: House, dir: string, log: Log): Promise<RunningHub> {
  const say = (level: "info" | "warn" | "error", fields: Readonly<Record<string, unknown>>, message: string) =>
    log[level](fields, message);
  const keys = openKeys(house, dir, (message) => log.warn(message));
  const database = openSqlite(resolve(dir, house.hub.data));
  const store = openStore(database);
  const resolver = createResolver(house.hub.resolvers, {
    get: (name) => store.meta<readonly string[]>(`address ${name}`),
    set: (name, addresses) => {
      try {
        store.setMeta(`address ${name}`, addresses);
      } catch {
        // Only the memory of an answer: the answer itself is used.
      }
    },
  });
  const { receivers, heartbeats } = receiversOf(house, dir, createSend(resolver));
  const hosts = Object.fromEntries(
    Object.entries(house.hosts).map(
      ([name, host]) =>
        [
          name,
          createHostLink(
            listenPath(host.listen, dir),
            host.key_file === undefined ? [] : readWebhookSecrets(resolve(dir, host.key_file)),
          ),
        ] as const,
    ),
  );
  const version = packageVersion();
  const edge = edgeOf(house, keys, resolver);
  const hub = createHub({
    house,
    version,
    store,
    clock,
    hosts,
    subscribers: receivers,
    heartbeats,
    brokers: brokersOf(house, dir, resolver),
    ...(edge === undefined ? {} : { edge }),
    chance: () => randomInt(2 ** 32) / 2 ** 32,
    randomId,
    log: say,
  });
  const app = hubApp({
    house,
    version,
    hub,
    peer: peerOf,
    tokens: keys.tokens,
    vantageKeys: keys.vantageKeys,
    hmac,
    digest: (text) => createHash("sha256").update(text).digest("hex"),
    mono: monoMillis,
    wall: Date.now,
    log: say,
  });
  const tls =
    house.hub.tls === undefined
      ? null
      : { cert_file: resolve(dir, house.hub.tls.cert_file), key_file: resolve(dir, house.hub.tls.key_file) };
  const entries = Array.isArray(house.hub.listen) ? house.hub.listen : [house.hub.listen];
  let listening: Listening;
  try {
    listening = await listenOn(entries, (request, env) => app.fetch(request, env as never), tls);
  } catch (error) {
    database.close();
    throw error;
  }
  hub.start();
  log.info({ event: "ready", listen: listening.where, site: house.site, mode: house.heal.mode }, "ready");
  return {
    hub,
    listening,
    async close() {
      await hub.stop();
      for (const host of Object.values(hosts)) host.close();
      await listening.close();
      database.close();
    },
  };
}

const listenPath = (listen: string, dir: string): string =>
  listen.startsWith("unix:") ? `unix:${resolve(dir, listen.slice(5))}` : listen;
