import { randomBytes } from "node:crypto";
import { hostApp } from "../../hooks/host.ts";
import { createHost, type Host } from "../../host/host.ts";
import type { HostPorts } from "../../host/port.ts";
import { monoMillis } from "../../runtime/node/clock.ts";
import { loadConfig } from "../../runtime/node/config-file.ts";
import { setupOf } from "../../runtime/node/host-ports.ts";
import { listen } from "../../runtime/node/host-server.ts";
import { openJournalDisk } from "../../runtime/node/journal.ts";
import { say, serve } from "../standins/channel.ts";
import { SimulatedMachine } from "./simulated-machine.ts";

/**
 * The real host process's logic (guard, journal, gates, repairs, hook) over a simulated machine: the link and the speaker exist only
 * in this process's memory. Named simulated wherever it shows.
 */
export interface SimulatedHostInit {
  readonly config: string;
}

export interface SimulatedHostOrder {
  readonly act: "delete-link" | "kill-speaker" | "restore";
}

serve<SimulatedHostInit, SimulatedHostOrder>(async ({ config }) => {
  const { house } = loadConfig(config);
  const found = setupOf(house, null);
  const link = house.links[0];
  if (found === null || link === undefined) throw new Error("the loopback lab wants one host and one link");
  let host: Host | null = null;
  const machine = new SimulatedMachine(link, {
    heard: (row, deleted) =>
      host?.hear([
        {
          deleted,
          name: row.name,
          ifindex: row.ifindex,
          up: row.up,
          mac: row.mac,
          parent: row.parent,
          atMono: monoMillis(),
        },
      ]),
    announced: (isAnnounced) => say({ what: "announced", yes: isAnnounced }),
    log: (text) => say({ what: "speaker-report", report: { kind: "log", text } }),
  });
  const disk = openJournalDisk(found.host.journal);
  const log: HostPorts["log"] = (level, fields, message) =>
    say({
      what: "line",
      line: {
        ...fields,
        msg: message,
        level: { info: 30, warn: 40, error: 50 }[level],
        name: "host",
        mono_ms: monoMillis(),
      },
    });
  host = createHost(found.setup, {
    clock: {
      mono: monoMillis,
      wall: () => Date.now(),
      after: (ms, call) => {
        const timer = setTimeout(call, ms);
        return () => clearTimeout(timer);
      },
    },
    disk,
    processes: { run: (tool, args) => machine.command(tool, args) },
    links: machine.links,
    kubernetes: machine.kubernetes(
      found.setup.speaker,
      found.setup.links.flatMap((each) => each.targets),
    ),
    pause: { read: () => null },
    log,
    bootId: randomBytes(8).toString("hex"),
  });
  await host.start();
  const guardian = host;
  const app = hostApp({
    host: {
      submit: guardian.repairs.submit,
      find: guardian.repairs.find,
      facts: guardian.facts,
      heard: guardian.heard,
      resetBreaker: guardian.resetBreaker,
      pause: () => new Date().toISOString(),
      resume: () => {},
    },
    verify: null,
    log,
  });
  await listen(found.host.listen, (request) => app.fetch(request));
  machine.scan();
  return ({ act }) => {
    if (act === "delete-link") machine.deleteLink();
    else if (act === "kill-speaker") machine.killSpeaker();
    else machine.restore();
  };
});
