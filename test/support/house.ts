import { type House, resolveHouse } from "../../src/core/config/house.ts";
import { type ConfigInput, configSchema } from "../../src/core/config/schema.ts";
import { assess } from "../../src/core/diagnosis.ts";
import type { HostFacts } from "../../src/core/facts.ts";
import { emptyView, hostGate, recordFacts, recordObservation, type SiteView } from "../../src/core/history.ts";
import type { CheckResult, Evidence, Observation } from "../../src/core/observation.ts";

/** A house with other names than the shipped example, so that nothing can lean on them. */
export const LINK_MAC = "02:aa:bb:cc:dd:01";
export const PARENT_MAC = "02:aa:bb:cc:dd:00";
export const FORMER_MAC = "02:aa:bb:cc:dd:99";
export const OTHER_MAC = "02:00:00:00:00:77";
export const DNS = "10.9.8.53";
export const WEB = "10.9.8.50";

export function houseOf(change: (config: ConfigInput) => ConfigInput = (config) => config): House {
  const config: ConfigInput = {
    site: "attic",
    targets: {
      resolver: {
        address: DNS,
        service: "net/dns",
        checks: [{ dns: { name: "auth.attic.lan", expect: [WEB] } }, { dns: { name: "example.org", upstream: true } }],
      },
      proxy: { address: WEB, service: "web/proxy", checks: [{ https: { host: "auth.attic.lan" } }] },
    },
    link: { name: "lb0", parent: "br-lan", mac: LINK_MAC },
    speaker: { node: "nodeone", kubeconfig_file: "k", services: ["net/dns"] },
    host: { armed: true },
    vantages: { guest: { where: "vm", key_file: "a" }, desk: { where: "lan", key_file: "b" } },
    heal: { mode: "auto" },
  };
  const parsed = configSchema.parse(change(config));
  const { house, problems } = resolveHouse(parsed, () => null);
  if (problems.length > 0) throw new Error(JSON.stringify(problems));
  return house;
}

export function factsOf(change: Partial<HostFacts> = {}): HostFacts {
  return {
    node: "nodeone",
    boot_id: "boot",
    revision: 1,
    armed: true,
    guard: true,
    paused_until: null,
    link: {
      exists: true,
      up: true,
      kind: "macvlan",
      mode: "bridge",
      mac: LINK_MAC,
      parent: "br-lan",
      ifindex: 7,
      rp_filter: 0,
      arp_ignore: 1,
    },
    parent: { exists: true, up: true, mac: PARENT_MAC },
    ports: [{ name: "eth0", carrier: true, hairpin: false, uplink: true }],
    brnf: 1,
    rp_filter_drops: 0,
    neighbours: [],
    speaker: { listening: true, pods: [], announcing: ["net/dns", "web/proxy"], announce_failed: false },
    endpoints: [
      { service: "net/dns", ready: 1 },
      { service: "web/proxy", ready: 1 },
    ],
    advertised: [],
    kubernetes: { reachable: true, detail: null },
    former_macs: [FORMER_MAC],
    guard_log: [],
    guard_stopped: false,
    in_flight: null,
    budget_left_hour: 3,
    breaker: "closed",
    journal: "ok",
    ...change,
  };
}

/** What one vantage sees of one target in one round. */
export interface Sight {
  readonly answers?: readonly string[] | null;
  readonly table?: string | null;
  /** Failure by check id; "dns", "upstream", "https" for short. */
  readonly fails?: Readonly<Record<string, NonNullable<CheckResult["failure"]>>>;
  readonly status?: number;
  /** The vantage knows the answering MAC as another node's, from its plan. */
  readonly known?: boolean;
  /** What the vantage remembers of the address. */
  readonly memory?: Pick<Evidence, "former_macs" | "mac_changes">;
}

const IDS: Readonly<Record<string, readonly [string, string, CheckResult["check"]][]>> = {
  resolver: [
    ["dns", "dns:auth.attic.lan", "dns"],
    ["upstream", "dns:example.org", "dns"],
  ],
  proxy: [["https", "https:auth.attic.lan", "https"]],
};

export function checksOf(target: "resolver" | "proxy", sight: Sight = {}): CheckResult[] {
  const answers = sight.answers === undefined ? [LINK_MAC] : sight.answers;
  const table = sight.table === undefined ? (answers?.[0] ?? null) : sight.table;
  const isRight =
    sight.known === true ||
    (answers === null ? table === LINK_MAC : answers.length === 1 && answers[0] === LINK_MAC && table === LINK_MAC);
  const failure =
    answers?.length === 0 ? "no_neighbour" : answers !== null && answers.length > 1 ? "mac_conflict" : "mac_unexpected";
  const neighbour: CheckResult = {
    target,
    check: "neighbour",
    id: "neighbour",
    ok: isRight,
    failure: isRight ? null : answers === null && table === null ? "no_neighbour" : failure,
    evidence: {
      mac: table,
      asked: answers !== null,
      answers: (answers ?? []).map((mac) => ({ mac, ms: 1 })),
      ...sight.memory,
    },
  };
  const others = IDS[target]!.map(([short, id, check]): CheckResult => {
    const failed = sight.fails?.[short] ?? null;
    const evidence = {
      upstream: short === "upstream",
      ...(sight.status === undefined ? {} : { status: sight.status }),
    };
    return { target, check, id, ok: failed === null, failure: failed, ms: 2, evidence };
  });
  return [neighbour, ...others];
}

/** A house over time, in ledger milliseconds, without clock or network. */
export function stage(house: House) {
  let view: SiteView = emptyView(house, 10_000);
  let now = 1_000_000;
  const seqs = new Map<string, number>();
  const world = {
    house,
    group: house.groups[0]!,
    get view() {
      return view;
    },
    get now() {
      return { mono: now, wall: 1_800_000_000_000 + now };
    },
    pass(ms: number) {
      now += ms;
      return world;
    },
    facts(change: Partial<HostFacts> | null = {}) {
      view = recordFacts(view, "default", change === null ? null : factsOf(change), now);
      return world;
    },
    round(vantage: string, sights: { resolver?: Sight; proxy?: Sight } = {}, control: boolean | null = true) {
      const checks = [...checksOf("resolver", sights.resolver), ...checksOf("proxy", sights.proxy)];
      return world.observed(vantage, checks, control);
    },
    /** A round with whatever results. */
    observed(vantage: string, checks: readonly CheckResult[], control: boolean | null = true) {
      const seq = (seqs.get(vantage) ?? 0) + 1;
      seqs.set(vantage, seq);
      const observation: Observation = {
        type: "hairpin.observation.v1",
        aud: "attic",
        vantage,
        boot_id: "b",
        seq,
        observed_at: new Date(1_800_000_000_000 + now).toISOString(),
        mono_ms: now,
        control: { ok: control },
        checks: [...checks],
      };
      view = recordObservation(view, observation, now, 0);
      return world;
    },
    /** The same round from both vantages, n times, a second apart. */
    rounds(
      times: number,
      sights: { resolver?: Sight; proxy?: Sight } = {},
      vantages: readonly string[] = house.vantages.map((v) => v.name),
    ) {
      for (let index = 0; index < times; index++) {
        now += 1_000;
        for (const vantage of vantages) world.round(vantage, sights);
      }
      return world;
    },
    assess(provedAfter = 0) {
      return assess(view, house, world.group, world.now, provedAfter);
    },
    host() {
      return hostGate(view, world.group, now);
    },
  };
  return world;
}
export type Stage = ReturnType<typeof stage>;
