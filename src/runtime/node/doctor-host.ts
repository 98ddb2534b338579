import { resolve } from "node:path";
import type { Group, House } from "../../core/config/house.ts";
import type { LinkSight, ProcessSight } from "../../core/doctor/examination.ts";
import { createCluster } from "../../host/cluster.ts";
import { buildFacts } from "../../host/facts.ts";
import { openJournal } from "../../host/journal.ts";
import { createKeeper } from "../../host/keeper.ts";
import { openLedger } from "../../host/ledger.ts";
import type { HostPorts, HostSetup, JournalDisk, LinkRow } from "../../host/port.ts";
import { createProcesses } from "./exec.ts";
import { clock, guardedLinkOf } from "./host-ports.ts";
import { createLookAround } from "./host-surroundings.ts";
import { createHostLink } from "./hub-host-link.ts";
import { createKubernetes } from "./kubernetes.ts";
import { createLinks } from "./link-facts.ts";
import { readSecrets } from "./secret-file.ts";

const NOTHING: JournalDisk = {
  read: () => null,
  append: () => {},
  sync: () => {},
  syncDirectory: () => {},
  truncate: () => {},
  replace: () => {},
  free: () => null,
};

/**
 * Looks at one declared link with the eyes of the host process, and without being one: it writes no journal, starts no guard, and
 * needs neither to be running. The running one is asked at its own door for what only it knows.
 */
export async function lookAtLink(house: House, group: Group, dir: string): Promise<LinkSight> {
  const speaker = group.speaker;
  const guarded = guardedLinkOf(house, group);
  const setup: HostSetup = { armed: false, guard: true, budgetHour: 0, budgetDay: 0, speaker, links: [guarded] };
  const processes = createProcesses();
  const links = createLinks({ ip: processes.path("ip"), isAnnouncing: () => false });
  const kubernetes = speaker === null ? null : createKubernetes(speaker, resolve(dir, speaker.kubeconfig_file));
  const ports: HostPorts = {
    clock,
    disk: NOTHING,
    processes,
    links,
    kubernetes,
    pause: { read: () => null },
    log: () => {},
    bootId: "doctor",
  };
  const journal = openJournal(NOTHING);
  const ledger = openLedger(journal, clock.mono, clock.wall);
  const keeper = createKeeper(guarded, ports, ledger, () => {});
  const cluster =
    kubernetes === null || speaker === null ? null : createCluster(kubernetes, speaker, [guarded], ports.clock);
  const { name, parent } = guarded.link;
  const [table, neighbours, addresses, sight, process, surroundings] = await Promise.all([
    links.table(),
    links.neighbours(parent),
    links.addresses(name),
    cluster === null ? null : cluster.refresh(0),
    askProcess(group, dir),
    createLookAround(processes.path("bridge"))(guarded.link),
  ]);
  await kubernetes?.close();
  keeper.take(table);
  const sockets = links.arpSockets();
  const row = table?.find((known) => known.name === name) ?? null;
  const facts = buildFacts({
    ports,
    setup,
    keeper,
    table,
    neighbours,
    listening: row === null || sockets === null ? null : sockets.has(row.ifindex),
    cluster: sight,
    surroundings,
    ledger,
    journal,
    pause: null,
    guardLog: [],
    guardStopped: false,
    inFlight: null,
  });
  const pod = sight?.pods?.find((known) => known.node === speaker?.node);
  return {
    link: name,
    facts: { ...facts, revision: 0, former_macs: [...(process?.formerMacs ?? [])] },
    rpFilterAll: links.sysctl("all", "rp_filter"),
    addresses: addresses?.filter((address) => address.includes(".")) ?? null,
    parentKind: table?.find((known) => known.name === parent)?.kind ?? null,
    macvtaps: macvtapsOn(parent, table),
    otherListeners: (table ?? [])
      .filter((known) => known.name !== name && sockets?.has(known.ifindex))
      .map((known) => known.name),
    gratuitousInterval: pod?.args === undefined ? undefined : intervalOf(pod.args),
    process: process?.sight ?? null,
  };
}

function macvtapsOn(parent: string, table: readonly LinkRow[] | null): string[] {
  return (table ?? []).filter((row) => row.kind === "macvtap" && row.parent === parent).map((row) => row.name);
}

function intervalOf(args: readonly string[]): string | null {
  return /--gratuitous-arp-interval[= ]([^\s]{1,32})/.exec(args.join(" "))?.[1] ?? null;
}

interface Process {
  readonly sight: ProcessSight;
  readonly formerMacs: readonly string[];
}

/** Null where no host process is declared. */
async function askProcess(group: Group, dir: string): Promise<Process | null> {
  if (group.host === null) return null;
  const { listen, key_file } = group.host;
  const absent = (detail: string, isAsked = true): Process => ({
    sight: { running: false, detail, isAsked },
    formerMacs: [],
  });
  const isUnix = listen.startsWith("unix:");
  let keys: readonly string[] = [];
  try {
    keys = isUnix || key_file === undefined ? [] : readSecrets(resolve(dir, key_file));
  } catch (error) {
    return absent(`${(error as Error).message}.`, false);
  }
  const link = createHostLink(isUnix ? `unix:${resolve(dir, listen.slice("unix:".length))}` : listen, keys);
  const answer = await link.facts(-1, 0, AbortSignal.timeout(3_000));
  link.close();
  if (answer.kind !== "answer") {
    const detail = "detail" in answer ? answer.detail : "no answer";
    // The mode of the socket is its permission.
    return absent(`${listen}: ${detail}.`, !/\b(EACCES|EPERM)\b/.test(detail));
  }
  const { value } = answer;
  return {
    sight: {
      running: true,
      armed: value.armed,
      guard: value.guard,
      pausedUntil: value.paused_until,
      guardStopped: value.guard_stopped,
      breakerOpen: value.breaker === "open",
      journal: value.journal,
    },
    formerMacs: value.former_macs,
  };
}
