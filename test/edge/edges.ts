import { createHash, randomInt } from "node:crypto";
import { readFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { serve } from "@hono/node-server";
import type { FleetPort, SitePort } from "../../src/core/edge/port.ts";
import type { SiteState } from "../../src/core/edge/site.ts";
import { createEdgeSite } from "../../src/engine/edge-site.ts";
import { type EdgeSiteStore, openEdgeFleet, openEdgeSite } from "../../src/engine/edge-store.ts";
import type { SqlPort } from "../../src/engine/store.ts";
import { edgeApp } from "../../src/hooks/edge.ts";
import { readJson } from "../../src/hooks/json.ts";
import { hmac } from "../../src/runtime/node/hmac.ts";
import { dnsTransport } from "../../src/runtime/node/probe-dns.ts";
import { tlsHttp } from "../../src/runtime/node/probe-https.ts";
import { clock } from "../../src/runtime/node/probe-ports.ts";
import { tcpConnect } from "../../src/runtime/node/probe-tcp.ts";
import { openSqlite } from "../../src/runtime/node/store-sqlite.ts";
import { send } from "./send.ts";

export const root = new URL("../../", import.meta.url).pathname;
export const version = (JSON.parse(readFileSync(`${root}package.json`, "utf8")) as { version: string }).version;
export const ADMIN = "admin-token-of-the-tests";
export const READ = "read-token-of-the-tests";

// Without these the local runtime asks Cloudflare for things at every start; the tests are offline.
process.env["CLOUDFLARE_CF_FETCH_ENABLED"] = "false";
process.env["WRANGLER_SEND_METRICS"] = "false";
process.env["WRANGLER_LOG"] = "error";

/** The edge on one of its runtimes, as the suite drives it. */
export interface Edge {
  readonly name: "Node" | "workerd";
  readonly url: string;
  /** Runs cron once. */
  scheduled(): Promise<void>;
  /** Rows that the site has in its store; 0 also when it has no table. */
  rows(site: string): Promise<number>;
  /** Takes the site's object out of memory: what it knows afterwards it has from the store. */
  evict(site: string): Promise<void>;
  /**
   * Changes the site's row behind its back, which its alarm does not learn of: time that has passed, an alarm that was lost. Only the
   * store itself can tell such a story without waiting for it.
   */
  amend(site: string, change: (state: SiteState) => SiteState): Promise<void>;
  stop(): Promise<void>;
}

const GET = "SELECT state FROM site WHERE k = 1";
const SET = "UPDATE site SET state = ? WHERE k = 1";
const parse = (row: { readonly [column: string]: unknown } | undefined) =>
  JSON.parse(String(row?.["state"])) as SiteState;

interface NodeSite {
  readonly sql: SqlPort & { close(): void };
  port: SitePort;
  timer: NodeJS.Timeout | null;
  at: number;
  /** What it is doing beside its answers. */
  readonly busy: Set<Promise<unknown>>;
}

/** Alarms by a timer, one object per site, node:sqlite: the adapters that workerd has of its own. */
function nodeSites(fleet: FleetPort, dohUrl: string) {
  const sites = new Map<string, NodeSite>();
  let isStopped = false;

  const follow = (site: NodeSite, work: Promise<unknown>): void => {
    site.busy.add(work);
    void work.finally(() => site.busy.delete(work));
  };

  function create(site: NodeSite, store: EdgeSiteStore): SitePort {
    const arm = async (at: number): Promise<void> => {
      const wanted = Math.max(at, Date.now() + 1_000);
      if (site.timer !== null && site.at <= wanted) return;
      clearTimeout(site.timer ?? undefined);
      site.at = wanted;
      site.timer = setTimeout(() => {
        site.timer = null;
        const ticked = site.port.tick().catch((error: Error) => {
          if (!isStopped) throw error;
        });
        follow(site, ticked);
      }, wanted - Date.now());
    };
    return createEdgeSite({
      store,
      fleet,
      hmac,
      digest: async (text) => createHash("sha256").update(text).digest("hex"),
      wall: () => Date.now(),
      chance: () => Math.random(),
      send,
      probes: {
        clock,
        chance: { uint16: () => randomInt(65_536) },
        tcp: tcpConnect,
        https: tlsHttp,
        dnsOverTcp: dnsTransport,
        dnsOverHttps: {
          async exchange(request, accept) {
            const reply = await fetch(dohUrl, {
              method: "POST",
              headers: { "content-type": "application/dns-message" },
              body: new Uint8Array(request.query),
            });
            const value = new Uint8Array(await reply.arrayBuffer());
            if (accept(value)) return { ok: true, value };
            return {
              ok: false,
              fault: { stage: "connect", timedOut: false, errno: null, message: "another question" },
            };
          },
        },
      },
      readJson,
      arm,
      background: (work) => follow(site, work),
      async wipe() {
        clearTimeout(site.timer ?? undefined);
        site.timer = null;
        site.sql.run("DROP TABLE site");
        store.forget();
      },
      log: (fields, message) => console.error(message, fields),
    });
  }

  const of = (name: string): NodeSite => {
    const known = sites.get(name);
    if (known !== undefined) return known;
    const site = { sql: openSqlite(":memory:"), timer: null, at: 0, busy: new Set() } as unknown as NodeSite;
    site.port = create(site, openEdgeSite(site.sql));
    sites.set(name, site);
    return site;
  };
  /** As workerd does: an object that is at work is not taken out of memory. */
  const evict = async (name: string): Promise<void> => {
    const site = of(name);
    await Promise.allSettled(site.busy);
    site.port = create(site, openEdgeSite(site.sql));
  };
  const stop = (): void => {
    isStopped = true;
    for (const site of sites.values()) {
      clearTimeout(site.timer ?? undefined);
      site.sql.close();
    }
  };
  return { of, evict, stop };
}

export async function nodeEdge(dohUrl: string): Promise<Edge> {
  const rows = openEdgeFleet(openSqlite(":memory:"));
  const fleet: FleetPort = {
    put: async (row) => rows.put(row),
    remove: async (site) => rows.remove(site),
    list: async (search, limit) => rows.list(search, limit),
    turn: async (now, limit) => rows.turn(now, limit),
  };
  const sites = nodeSites(fleet, dohUrl);
  const app = edgeApp({
    version,
    site: (name) => sites.of(name).port,
    fleet,
    tokens: () => ({ admin: [ADMIN], read: [READ] }),
    access: null,
    address: () => "127.0.0.1",
    digest64: async (text) => createHash("sha256").update(text).digest("base64"),
    wall: () => Date.now(),
    log: () => {},
  });
  const server = await new Promise<ReturnType<typeof serve>>((resolve) => {
    const started = serve({ fetch: app.fetch, hostname: "127.0.0.1", port: 0 }, () => resolve(started));
  });
  return {
    name: "Node",
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async scheduled() {
      for (const name of await fleet.turn(Date.now(), 1_000)) await sites.of(name).port.tick();
    },
    async rows(site) {
      const { sql } = sites.of(site);
      const has = sql.all("SELECT 1 FROM sqlite_master WHERE name = 'site'").length > 0;
      return has ? sql.all("SELECT 1 FROM site").length : 0;
    },
    evict: sites.evict,
    async amend(site, change) {
      const { sql } = sites.of(site);
      sql.run(SET, JSON.stringify(change(parse(sql.all(GET)[0]))));
    },
    async stop() {
      sites.stop();
      await new Promise((resolve) => {
        server.close(resolve);
        if ("closeAllConnections" in server) server.closeAllConnections();
      });
    },
  };
}

/** The real local runtime, by wrangler's own harness, with the wrangler.toml that is deployed. */
export async function workerdEdge(dohUrl: string, vars: Readonly<Record<string, string>> = {}): Promise<Edge> {
  const { createTestHarness } = await import("wrangler");
  const harness = createTestHarness({
    root,
    workers: [
      {
        configPath: "./wrangler.toml",
        vars: { DOH_URL: dohUrl, SWEEP_MAX: "1000", ...vars },
        secrets: { ADMIN_TOKENS: ADMIN, READ_TOKENS: `${READ},too-short` },
      },
    ],
  });
  const { url } = await harness.listen();
  const worker = harness.getWorker("hairpin-edge");
  return {
    name: "workerd",
    url: url.origin,
    async scheduled() {
      await worker.scheduled({ cron: "* * * * *", scheduledTime: new Date() });
    },
    async rows(site) {
      const storage = await worker.getDurableObjectStorage("SITES", { name: site });
      const has = await storage.exec("SELECT 1 FROM sqlite_master WHERE name = 'site'");
      return has.length > 0 ? (await storage.exec("SELECT 1 FROM site")).length : 0;
    },
    evict: (site) => worker.evictDurableObject("SITES", { name: site }),
    async amend(site, change) {
      const storage = await worker.getDurableObjectStorage("SITES", { name: site });
      await storage.exec(SET, JSON.stringify(change(parse((await storage.exec(GET))[0]))));
    },
    stop: () => harness.close(),
  };
}
