import assert from "node:assert/strict";
import type { OutsideCheck, OutsideObservation } from "../../src/core/edge/wire.ts";
import { tcpServer } from "../support/probe-servers.ts";
import { recorder } from "../support/recorder.ts";
import type { Case } from "./case.ts";
import { dnsTcpServer } from "./doh.ts";
import { House } from "./driver.ts";

type NameCheck = Extract<OutsideCheck, { kind: "dns" }>;

export const name = (label: string, server: string | null, expect: string[] | null = null): NameCheck => ({
  kind: "dns",
  id: `dns:${label}.example.com`,
  name: `${label}.example.com`,
  type: "A",
  expect,
  server,
});

/** Heartbeats until the edge has asked everything; what it saw comes with the answer. */
export async function seenBy(house: House, checks: readonly OutsideCheck[]): Promise<readonly OutsideObservation[]> {
  await house.answer({ checks });
  await house.until((status) => (status.json["outside"] as unknown[]).length === checks.length);
  const { observations } = await house.answer({ checks });
  return observations;
}

export const words = (seen: readonly OutsideObservation[]) =>
  seen.map(({ id, ok, failure }) => `${id.replace(".example.com", "")} ${ok ? "ok" : failure}`);

export const DNS_WORDS = [
  "dns:a ok",
  "dns:empty dns_empty",
  "dns:nxdomain dns_nxdomain",
  "dns:servfail dns_servfail",
  "dns:refused dns_refused",
  "dns:junk dns_malformed",
];
export const LABELS = ["a", "empty", "nxdomain", "servfail", "refused", "junk"];

/** Probes of what the world sees; the observations come back with the answer to a heartbeat. */
export const OUTSIDE: readonly Case[] = [
  {
    name: "names over HTTPS: each answer has its word of the closed list",
    async run(edge) {
      const house = await new House(edge).add();
      const seen = await seenBy(
        house,
        LABELS.map((label) => name(label, null)),
      );
      assert.deepEqual(words(seen), DNS_WORDS);
    },
  },
  {
    name: "names over TCP at a resolver that was named: the same words",
    async run(edge) {
      const server = await dnsTcpServer();
      try {
        const house = await new House(edge).add();
        const seen = await seenBy(
          house,
          LABELS.map((label) => name(label, `127.0.0.1:${server.port}`)),
        );
        assert.deepEqual(words(seen), DNS_WORDS);
      } finally {
        server.close();
      }
    },
  },
  {
    name: "an answer that is not the expected one, and a port: open and closed",
    async run(edge) {
      const listener = await tcpServer(() => {});
      const closed = await tcpServer(() => {});
      closed.close();
      try {
        const house = await new House(edge).add();
        const seen = await seenBy(house, [
          name("a", null, ["192.0.2.8"]),
          { kind: "tcp", id: "open", host: "127.0.0.1", port: listener.port },
          { kind: "tcp", id: "closed", host: "127.0.0.1", port: closed.port },
        ]);
        assert.deepEqual(words(seen), ["dns:a dns_wrong_answer", "open ok", "closed refused"]);
        for (const { observed_at, ms } of seen) {
          assert.equal(Math.abs(Date.parse(observed_at) - Date.now()) < 30_000, true);
          assert.notEqual(ms, null);
        }
      } finally {
        listener.close();
      }
    },
  },
  {
    name: "what is no longer asked is no longer shown, and an alert says what the world still sees",
    async run(edge) {
      const receiver = await recorder();
      const listener = await tcpServer(() => {});
      try {
        const url = `http://127.0.0.1:${receiver.port}/`;
        const house = await new House(edge).add({ notify: [{ kind: "webhook", url }] });
        const door: OutsideCheck = { kind: "tcp", id: "tcp:door", host: "127.0.0.1", port: listener.port };
        await seenBy(house, [name("a", null), door]);
        await house.answer({ checks: [door], silence_ms: 1_000 });
        assert.deepEqual(
          ((await house.ask("GET", "/status")).json["outside"] as OutsideObservation[]).map(({ id }) => id),
          ["tcp:door"],
        );
        await receiver.until((got) => got.length >= 1);
        assert.match(receiver.got[0]!.body, /From outside its public names still answer \(1 of 1\)/);
      } finally {
        receiver.close();
        listener.close();
      }
    },
  },
];
