import type { Phase } from "../../src/core/group.ts";
import type { RepairReport, RepairRequest } from "../../src/core/repair.ts";
import { createHub, type Hub } from "../../src/engine/hub.ts";
import type { HostLink, HostReply } from "../../src/engine/hub-ports.ts";
import { openStore } from "../../src/engine/store.ts";
import { Life, type Machine } from "./life.ts";
import type { Site } from "./site.ts";
import type { SqlDisk } from "./sql-disk.ts";
import type { Vote } from "./witness.ts";

/** The hub's timers come last within a beat. */
const PHASE = 13_000;
const REPAIR_TIMEOUT = 10_000;

export interface HubProcess {
  readonly name: string;
  readonly disk: SqlDisk;
  start(): void;
  kill(): void;
  current(): { readonly hub: Hub; readonly life: Life } | null;
  life(): Life | null;
  heldDown: boolean;
  /** Starts so far: a view of what was heard begins anew with each. */
  starts(): number;
  startedAt(): number;
  /** The phase of its group as it was last made durable. */
  phase(): Phase;
  phaseSince(): number;
  phaseIs(phase: Phase): void;
}

export function createHubProcess(site: Site, name: string, machine: Machine, disk: SqlDisk): HubProcess {
  const { agenda, witness } = site;
  const luck = site.chance.fork(name);
  let current: { hub: Hub; life: Life } | null = null;
  let starts = 0;
  let startedAt = 0;
  let phase: Phase = "ok";
  let phaseSince = 0;

  const died = (life: Life) => {
    if (current?.life === life) current = null;
    witness.tell({ kind: "hub_died", hub: name });
    witness.note(`${name} died`);
    agenda.in(luck.between(500, 6_000), () => process.start());
  };

  const process: HubProcess = {
    name,
    disk,
    heldDown: false,
    current: () => current,
    life: () => current?.life ?? null,
    starts: () => starts,
    startedAt: () => startedAt,
    kill: () => current?.life.kill(),
    phase: () => phase,
    phaseSince: () => phaseSince,
    phaseIs(now) {
      if (now !== phase) phaseSince = agenda.now();
      phase = now;
    },
    start() {
      if (current !== null || process.heldDown) return;
      const life = new Life(name, machine, agenda, PHASE, died);
      const ids = site.chance.fork(`${name} ${++starts}`);
      try {
        const store = openStore(disk.port(name, life));
        const hub = createHub(
          site.mutant.hub({
            house: site.house,
            version: "0.0.0",
            store,
            clock: { mono: life.mono, wall: life.wall, after: life.after },
            hosts: { default: hostLink(site, name, life) },
            subscribers: site.receivers.map((receiver) => receiver.subscriber(process, life)),
            heartbeats: site.profile.heartbeat
              ? [
                  {
                    name: "watch",
                    every: 60_000,
                    beat: () => life.answer({ kind: "answered", status: 200, retryAfter: null }),
                  },
                ]
              : [],
            chance: ids.next,
            randomId: (length) => Array.from({ length }, () => ids.int(0, 35).toString(36)).join(""),
            log: (_level, fields, message) => life.alive && hear(fields, message),
          }),
        );
        if (!life.alive) return;
        current = { hub, life };
        startedAt = agenda.now();
        witness.tell({ kind: "hub_started", hub: name });
        witness.note(`${name} starts`);
        site.heat(15_000);
        hub.start();
      } catch (error) {
        if (!(error instanceof Error && error.name === "StoreError")) throw error;
        witness.note(`${name} cannot start: ${error.message}`);
        if (life.alive) life.kill();
      }
    },
  };

  const hear = (fields: Readonly<Record<string, unknown>>, message: string): void => {
    const { event, phase: _ } = fields as { event?: string; phase?: string };
    if (event === undefined || event === "delivery") return;
    const dull = event === "diagnosis" && (fields["state"] === "ok" || fields["state"] === "unknown");
    if (!dull) site.heat(event === "gates" ? 1_500 : 8_000);
    else if (agenda.pace() === 0) site.heat(2_500);
    if (event === "diagnosis") {
      witness.tell({
        kind: "diagnosed",
        hub: name,
        votes: fields["votes"] as readonly Vote[],
        cause: fields["cause"] as string | null,
      });
      witness.count(`cause ${fields["cause"] ?? "none"}`);
      witness.note(`${name}: ${fields["state"]} ${fields["cause"] ?? ""}: ${fields["summary"]}`);
    } else if (event === "gates") witness.note(`${name}: held by ${fields["held_by"] ?? "nothing"}`);
    else if (event === "emitted") witness.note(`${name}: event ${fields["kind"]} ${fields["title"]}`);
    else if (event === "state")
      witness.note(`${name}: ${fields["from"]} to ${fields["to"]} (${fields["held_by"] ?? ""})`);
    else
      witness.note(
        `${name}: ${message} ${fields["id"]} ${fields["state"]} ${fields["refusal"] ?? fields["detail"] ?? ""}`,
      );
  };
  return process;
}

function hostLink(site: Site, hub: string, life: Life): HostLink {
  const { witness, net, host } = site;
  const channel = `${hub}-host`;
  const lost = { kind: "unreachable", detail: "lost" } as const;
  return {
    async facts(after, wait, signal, hub) {
      if (!life.touch()) return new Promise(() => {});
      const reply = await net.call(channel, life, null, () => {
        const there = host.current();
        if (there === null) return null;
        if (hub !== undefined) there.host.heard(hub);
        return { life: there.life, answer: there.host.facts(null, after, wait, signal) };
      });
      if (!reply.ok) return { kind: "unreachable", detail: reply.detail };
      return reply.value === null ? { kind: "unknown_id" } : { kind: "answer", value: structured(reply.value) };
    },
    async repair(request) {
      witness.tell({ kind: "requested", hub, request });
      witness.count(request.manual ? "heals asked by hand" : "remedies asked");
      if (!life.touch()) return new Promise(() => {});
      return await submitTo(site, hub, life, request);
    },
    async report(id): Promise<HostReply<RepairReport>> {
      if (!life.touch()) return new Promise(() => {});
      const reply = await net.call(channel, life, REPAIR_TIMEOUT, () => {
        const there = host.current();
        return there === null
          ? null
          : { life: there.life, answer: Promise.resolve(there.host.repairs.find(site.mutant.idAtHost(id))) };
      });
      if (!reply.ok) return lost;
      return reply.value === null ? { kind: "unknown_id" } : { kind: "answer", value: { ...reply.value, id } };
    },
  };
}

/** Sends a request to the host's hook, as an honest hub or anybody with its key does. */
export async function submitTo(
  site: Site,
  from: string,
  life: Life,
  request: RepairRequest,
): Promise<HostReply<RepairReport>> {
  const { witness, net, host } = site;
  const reply = await net.call(`${from}-host`, life, REPAIR_TIMEOUT, () => {
    const there = host.current();
    if (there === null) return null;
    witness.tell({ kind: "received", from, request });
    const answer = there.host.repairs.submit(site.mutant.request(request)).then((submitted) => {
      witness.note(
        `host answers ${request.id}: ${submitted.kind} ${submitted.report.refusal ?? submitted.report.state}`,
      );
      const report = { ...submitted.report, id: request.id };
      if (there.life.alive) witness.tell({ kind: "answered", from, report });
      return report;
    });
    return { life: there.life, answer };
  });
  return reply.ok ? { kind: "answer", value: reply.value } : { kind: "unreachable", detail: reply.detail };
}

/** What crosses the wire is a copy. Facts are only read by the hub, so the cheap kind will do. */
const structured = <T extends object>(value: T): T => ({ ...value });
