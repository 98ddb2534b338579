import assert from "node:assert/strict";
import { test } from "node:test";
import { evidence } from "../../src/core/observation.ts";
import { createMacMemory } from "../../src/probes/mac-memory.ts";
import type { NeighbourEvent } from "../../src/probes/port.ts";
import { parseNeighbourLine } from "../../src/runtime/node/neighbour-events.ts";
import { FORMER_MAC, houseOf, LINK_MAC, OTHER_MAC, type Sight, stage } from "../support/house.ts";

const VIP = "10.9.8.53";
const START = Date.parse("2026-11-24T03:12:00.000Z");

/** A memory with a clock that is set and a kernel that says what it is told to. */
function remembering(follows = true) {
  let wall = START;
  let running = true;
  let heard: (event: NeighbourEvent) => void = () => assert.fail("nobody follows");
  let began = () => {};
  const memory = createMacMemory({ wall: () => wall }, (onEvent, onStart) => {
    if (!follows) return null;
    [heard, began] = [onEvent, onStart];
    return { isRunning: () => running };
  });
  return {
    recall: memory.recall,
    kernel: (mac: string | null, state: string, address = VIP) => heard({ address, mac, state }),
    restart: () => began(),
    end: () => {
      running = false;
    },
    after: (seconds: number) => {
      wall += seconds * 1_000;
    },
  };
}

test("a MAC that no longer answers is remembered with the time at which it last did", () => {
  const { recall, after } = remembering();
  assert.deepEqual(recall(VIP, LINK_MAC, [LINK_MAC]).former_macs, []);
  after(7);
  recall(VIP, LINK_MAC, [LINK_MAC]);
  after(60);
  assert.deepEqual(recall(VIP, LINK_MAC, [OTHER_MAC]).former_macs, [], "it still stands in the table");
  after(60);
  assert.deepEqual(recall(VIP, OTHER_MAC, [OTHER_MAC]).former_macs, [
    { mac: LINK_MAC, seen_at: "2026-11-24T03:13:07.000Z" },
  ]);
  after(60);
  assert.deepEqual(
    recall(VIP, null, []).former_macs.map(({ mac }) => mac),
    [OTHER_MAC, LINK_MAC],
    "nobody answers: the newest first",
  );
  assert.deepEqual(recall("10.9.8.50", LINK_MAC, [LINK_MAC]).former_macs, [], "another address has its own");
});

test("an entry that the kernel turns to another MAC and STALE was announced; one that it turns to REACHABLE was asked for", () => {
  const { recall, kernel, after } = remembering();
  recall(VIP, LINK_MAC, [LINK_MAC]);
  after(7);
  kernel(OTHER_MAC, "STALE");
  assert.deepEqual(recall(VIP, OTHER_MAC, [OTHER_MAC]).mac_changes, [
    { at: "2026-11-24T03:12:07.000Z", from: LINK_MAC, to: OTHER_MAC },
  ]);
  kernel(LINK_MAC, "REACHABLE");
  kernel(LINK_MAC, "STALE");
  kernel(null, "FAILED");
  kernel(OTHER_MAC, "STALE", "10.9.8.99");
  assert.equal(recall(VIP, LINK_MAC, [LINK_MAC]).mac_changes?.length, 1);
  kernel(null, "FAILED");
  kernel(OTHER_MAC, "STALE");
  assert.equal(
    recall(VIP, OTHER_MAC, [OTHER_MAC]).mac_changes?.length,
    2,
    "an entry that had failed is turned as well",
  );
});

test("what happened while the kernel was not followed is no change that was seen", () => {
  const { recall, kernel, restart, end } = remembering();
  recall(VIP, LINK_MAC, [LINK_MAC]);
  restart();
  kernel(OTHER_MAC, "STALE");
  assert.deepEqual(recall(VIP, OTHER_MAC, [OTHER_MAC]).mac_changes, []);
  end();
  assert.equal(recall(VIP, OTHER_MAC, [OTHER_MAC]).mac_changes, null, "not running: unknown, not none");
  assert.equal(remembering(false).recall(VIP, LINK_MAC, []).mac_changes, null, "without ip: unknown");
});

test("everything has a maximum, and the wire takes it", () => {
  const { recall, kernel, after } = remembering();
  const mac = (index: number) => `02:00:00:00:00:${index.toString(16).padStart(2, "0")}`;
  recall(VIP, mac(0), [mac(0)]);
  for (let index = 1; index < 100; index++) {
    after(1);
    kernel(mac(index), "STALE");
  }
  const told = recall(VIP, mac(99), [mac(99)]);
  assert.equal(told.former_macs.length, 8);
  assert.equal(told.former_macs[0]?.mac, mac(98));
  assert.deepEqual(told.mac_changes?.[0], { at: "2026-11-24T03:13:39.000Z", from: mac(98), to: mac(99) });
  assert.equal(told.mac_changes?.length, 4);
  assert.equal(evidence.safeParse(told).success, true);
  const nine = [...told.former_macs, { mac: mac(1), seen_at: "2026-11-24T03:12:00Z" }];
  assert.equal(evidence.safeParse({ former_macs: nine }).success, false);
  assert.equal(evidence.safeParse({ former_macs: [{ mac: mac(1), seen_at: "yesterday" }] }).success, false);
  for (let index = 0; index < 600; index++) recall(`10.0.${index >> 8}.${index & 255}`, LINK_MAC, []);
  assert.deepEqual(
    recall(VIP, null, []).former_macs,
    [],
    "the address that was asked the longest time ago is forgotten",
  );
});

test("ip monitor: entries, routers, ends, and nonsense", () => {
  const line = parseNeighbourLine;
  assert.deepEqual(line("10.0.0.2 dev eth0 lladdr 02:00:00:00:00:01 STALE "), {
    address: "10.0.0.2",
    mac: "02:00:00:00:00:01",
    state: "STALE",
  });
  assert.deepEqual(line("fd00::2 dev eth0 lladdr 02:00:00:00:00:02 router REACHABLE "), {
    address: "fd00::2",
    mac: "02:00:00:00:00:02",
    state: "REACHABLE",
  });
  assert.deepEqual(line("10.0.0.2 dev eth0 router FAILED "), { address: "10.0.0.2", mac: null, state: "FAILED" });
  assert.equal(line("Deleted 10.0.0.2 dev eth0 lladdr 02:00:00:00:00:02 STALE")?.mac, null);
  assert.equal(line("10.0.0.2 dev tun0 lladdr 10.0.0.9 STALE")?.mac, null);
  for (const junk of ["", " ", "Deleted", "netlink receive error No buffer space available (105)", "dev dev dev"])
    assert.equal(line(junk), null, junk);
});

const memory: NonNullable<Sight["memory"]> = {
  former_macs: [
    { mac: LINK_MAC, seen_at: "2026-11-24T03:12:07.000Z" },
    { mac: FORMER_MAC, seen_at: "2026-11-20T10:00:00.000Z" },
  ],
  mac_changes: [{ at: "2026-11-24T03:12:07.000Z", from: LINK_MAC, to: OTHER_MAC }],
};
const rogue: Sight = { answers: [OTHER_MAC], table: OTHER_MAC };

test("a person reads when the MAC was announced and which it was before, and the cause is the same as without", () => {
  const assessed = (sight: Sight) => stage(houseOf()).facts().rounds(4).rounds(3, { resolver: sight }).assess();
  const [with_, without] = [assessed({ ...rogue, memory }), assessed(rogue)];
  assert.deepEqual([with_.cause, with_.state, with_.votes], [without.cause, without.state, without.votes]);
  assert.equal(with_.cause, "mac_unexpected");
  assert.equal(
    with_.evidence[0],
    `guest: who-has ${VIP} is answered by ${OTHER_MAC} (unknown); a gratuitous ARP changed the entry from ${LINK_MAC} (lb0) to ${OTHER_MAC} at 2026-11-24 03:12:07 UTC.`,
  );
  assert.equal(without.evidence[0], `guest: who-has ${VIP} is answered by ${OTHER_MAC} (unknown).`);
  const unheard = assessed({ ...rogue, memory: { ...memory, mac_changes: null } });
  assert.match(unheard.evidence[0]!, /\(unknown\); until 2026-11-24 03:12:07 UTC it was 02:aa:bb:cc:dd:01 \(lb0\)\.$/);
});
