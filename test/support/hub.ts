import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { type House, resolveHouse } from "../../src/core/config/house.ts";
import { type ConfigInput, configSchema } from "../../src/core/config/schema.ts";
import type { HostFacts } from "../../src/core/facts.ts";
import type { RepairReport, RepairRequest } from "../../src/core/repair.ts";
import { sign } from "../../src/core/standard-webhooks.ts";
import { createHub } from "../../src/engine/hub.ts";
import type { Broker, Clock, EdgePort, HostLink, HubPorts, Subscriber } from "../../src/engine/hub-ports.ts";
import { openStore, type SqlPort } from "../../src/engine/store.ts";
import { hubApp } from "../../src/hooks/app.ts";
import type { Peer } from "../../src/hooks/deps.ts";
import { hmac } from "../../src/runtime/node/hmac.ts";
import { openSqlite } from "../../src/runtime/node/store-sqlite.ts";
import { factsOf as calmFacts } from "./house.ts";

export const secret = (seed: string): string => `whsec_${createHash("sha256").update(seed).digest("base64")}`;
export const TOKEN = "a-token-of-the-operator";
export const WALL = Date.parse("2026-11-24T10:00:00Z");

export function houseOf(extra: Partial<ConfigInput> = {}): House {
  const input: ConfigInput = {
    site: "home",
    targets: { dns: { address: "192.0.2.53", checks: [{ dns: { name: "a.example" } }] } },
    link: { name: "metallb0", parent: "bridge0", mac: "f2:5a:5f:84:40:e8" },
    host: { armed: true },
    vantages: { lan: { where: "lan", key_file: "lan" }, vm: { where: "vm", key_file: "vm" } },
    hub: { listen: "127.0.0.1:8787", url: "http://127.0.0.1:8787" },
    heal: { mode: "auto", confirm: "15s" },
    ...extra,
  };
  return resolveHouse(configSchema.parse(input), () => null).house;
}

/** The facts of this house's host, which has said little yet. */
export function factsOf(extra: Partial<HostFacts> = {}): HostFacts {
  const calm = calmFacts();
  return calmFacts({
    node: "n5",
    boot_id: "b1",
    link: { ...calm.link, mac: "f2:5a:5f:84:40:e8", parent: "bridge0" },
    parent: { exists: true, up: true, mac: "02:00:00:00:00:01" },
    ports: [],
    brnf: 0,
    speaker: { ...calm.speaker, announcing: [] },
    endpoints: null,
    advertised: null,
    kubernetes: { reachable: null, detail: null },
    former_macs: [],
    ...extra,
  });
}

/** A clock that stands still until it is moved; what was to run later runs as it is passed. */
export function handClock() {
  let mono = 1_000;
  let wall = WALL;
  let timers: { at: number; run: () => void }[] = [];
  const clock: Clock = {
    mono: () => mono,
    wall: () => wall,
    after(millis, run) {
      const timer = { at: mono + millis, run };
      timers.push(timer);
      return () => {
        timers = timers.filter((other) => other !== timer);
      };
    },
  };
  return {
    clock,
    leap: (millis: number) => {
      wall += millis;
    },
    async pass(millis: number): Promise<void> {
      const end = mono + millis;
      for (;;) {
        const next = timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0];
        if (next === undefined) break;
        timers = timers.filter((timer) => timer !== next);
        wall += Math.max(0, next.at - mono);
        mono = Math.max(mono, next.at);
        next.run();
        for (let turn = 0; turn < 20; turn++) await Promise.resolve();
      }
      wall += end - mono;
      mono = end;
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

export interface FakeHost {
  facts: HostFacts;
  reachable: boolean;
  readonly asked: RepairRequest[];
  readonly reports: Map<string, RepairReport>;
  readonly link: HostLink;
}

/** A host hook that answers at once with what the test lays out. */
export function fakeHost(facts: HostFacts = factsOf()): FakeHost {
  const asked: RepairRequest[] = [];
  const reports = new Map<string, RepairReport>();
  const host: FakeHost = {
    facts,
    asked,
    reports,
    reachable: true,
    link: {
      facts: async () =>
        host.reachable
          ? { kind: "answer" as const, value: host.facts }
          : { kind: "unreachable" as const, detail: "ECONNREFUSED" },
      async repair(request: RepairRequest) {
        if (!host.reachable) return { kind: "unreachable" as const, detail: "ECONNREFUSED" };
        asked.push(request);
        const report: RepairReport = {
          id: request.id,
          step: request.step,
          state: "accepted",
          refusal: null,
          detail: null,
          started_at: null,
          ms: null,
          commands: [],
          advice: null,
        };
        reports.set(request.id, report);
        return { kind: "answer" as const, value: report };
      },
      async report(id: string) {
        const known = reports.get(id);
        return known === undefined ? { kind: "unknown_id" as const } : { kind: "answer" as const, value: known };
      },
    },
  };
  return host;
}

export interface HarnessOptions {
  readonly house?: House;
  readonly sql?: SqlPort;
  readonly subscribers?: readonly Subscriber[];
  readonly brokers?: readonly Broker[];
  readonly edge?: EdgePort;
  readonly host?: FakeHost;
  readonly hand?: ReturnType<typeof handClock>;
  readonly from?: readonly string[];
  /** The name of the hub's store, which the ids of its incidents carry. */
  readonly name?: string;
}

/** A hub with its app, in memory, on a clock that the test moves. */
export function harness(options: HarnessOptions = {}) {
  const house = options.house ?? houseOf();
  const hand = options.hand ?? handClock();
  const sql = options.sql ?? openSqlite(":memory:");
  const host = options.host ?? fakeHost();
  const lines: { message: string; fields: Readonly<Record<string, unknown>> }[] = [];
  const log: HubPorts["log"] = (_level, fields, message) => void lines.push({ message, fields });
  const store = openStore(sql);
  // The spread of a cool-down follows from the incident's id: a test that compares times wants the same one.
  if (store.meta("hub") === null) store.setMeta("hub", options.name ?? "hub1");
  const hub = createHub({
    house,
    version: "0.0.0",
    store,
    clock: hand.clock,
    hosts: Object.keys(house.hosts).length > 0 ? { default: host.link } : {},
    subscribers: options.subscribers ?? [],
    heartbeats: [],
    brokers: options.brokers ?? [],
    ...(options.edge === undefined ? {} : { edge: options.edge }),
    chance: () => 0.5,
    randomId: (length) => randomBytes(length).toString("hex").slice(0, length),
    log,
  });
  const peer: Peer = { unix: false, address: "192.0.2.9", local: "127.0.0.1:8787", hosts: ["127.0.0.1:8787"] };
  const app = hubApp({
    house,
    version: "0.0.0",
    hub,
    peer: (env) => ({ ...peer, ...(env as Partial<Peer>) }),
    tokens: () => [
      { name: "operator", scopes: ["heal", "ack", "read", "pause"], from: options.from ?? [], secret: TOKEN },
      { name: "signer", scopes: ["heal", "pause"], from: [], secret: secret("signer") },
      { name: "reader", scopes: ["read"], from: [], secret: "a-token-that-only-reads" },
    ],
    vantageKeys: (name) => (house.vantages.some((vantage) => vantage.name === name) ? [secret(name)] : []),
    hmac,
    digest: (text) => createHash("sha256").update(text).digest("hex"),
    mono: hand.clock.mono,
    wall: hand.clock.wall,
    log,
  });
  const post = (
    path: string,
    body: string | ReadableStream | null,
    headers: Record<string, string> = {},
    env: Partial<Peer> = {},
  ) =>
    app.request(
      path,
      { method: "POST", headers, ...(body === null ? {} : { body, duplex: "half" }) } as RequestInit,
      env,
    );
  const heal = (body: string | null, headers: Record<string, string> = {}, env: Partial<Peer> = {}) =>
    post(
      "/heal",
      body,
      {
        authorization: `Bearer ${TOKEN}`,
        ...(body === null ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      env,
    );
  async function report(
    vantage: string,
    body: string,
    sent: { id?: string; key?: string; seconds?: number; tamper?: (headers: Record<string, string>) => void } = {},
  ) {
    const seconds = sent.seconds ?? Math.floor(hand.clock.wall() / 1_000);
    const headers: Record<string, string> = {
      "content-type": "application/json",
      ...(await sign([sent.key ?? secret(vantage)], sent.id ?? idOf(body), seconds, body, hmac)),
    };
    sent.tamper?.(headers);
    return post("/v1/observations", body, headers);
  }
  const observation = (vantage: string, seq: number, extra: Record<string, unknown> = {}) =>
    JSON.stringify({
      type: "hairpin.observation.v1",
      aud: "home",
      vantage,
      boot_id: "boot1",
      seq,
      observed_at: new Date(hand.clock.wall()).toISOString(),
      mono_ms: hand.clock.mono(),
      control: { ok: true, gateway_ms: 0.4 },
      checks: [],
      ...extra,
    });
  return { house, hand, hub, app, host, lines, sql, post, heal, report, observation };
}

function idOf(body: string): string {
  const { boot_id = "boot1", seq = 1 } = JSON.parse(body) as { boot_id?: string; seq?: number };
  return `${boot_id}_${seq}`;
}

/** A round in which nobody answers who-has, or everything is fine. */
export function round(ok: boolean) {
  const mac = "f2:5a:5f:84:40:e8";
  return {
    checks: [
      {
        target: "dns",
        check: "dns",
        id: "dns:a.example",
        ok,
        failure: ok ? null : "no_reply",
        detail: ok ? null : "no answer",
        ms: ok ? 1.2 : 1_000,
        tries: ok ? 1 : 3,
      },
      {
        target: "dns",
        check: "neighbour",
        id: "neighbour",
        ok,
        failure: ok ? null : "no_neighbour",
        detail: ok ? null : "nobody answers",
        ms: ok ? 0.4 : 500,
        evidence: {
          mac: ok ? mac : null,
          neighbour_state: ok ? "REACHABLE" : "FAILED",
          asked: true,
          answers: ok ? [{ mac, ms: 0.4 }] : [],
        },
      },
    ],
  };
}

/** Lets the hub start, and see its address fail from both vantages for five rounds. */
export async function failFiveRounds(made: ReturnType<typeof harness>): Promise<void> {
  made.hub.start();
  await made.hand.pass(100);
  for (let seq = 1; seq <= 5; seq++) {
    for (const vantage of ["lan", "vm"])
      assert.equal((await made.report(vantage, made.observation(vantage, seq, round(false)))).status, 202);
    await made.hand.pass(1_000);
  }
}
