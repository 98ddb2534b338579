import assert from "node:assert/strict";
import { test } from "node:test";
import { GUARD_RUNS_MAX } from "../../src/host/guard.ts";
import { createHost } from "../../src/host/host.ts";
import { encodeLine } from "../../src/host/journal.ts";
import { judge } from "../../src/host/link.ts";
import type { LinkEvent } from "../../src/host/port.ts";
import { kernel, LINK, memoryDisk, settle, setup } from "../support/host-ports.ts";

const gone = (atMono: number, name = "metallb0"): LinkEvent => ({
  deleted: true,
  name,
  ifindex: 3,
  up: false,
  mac: LINK.mac,
  parent: "bridge0",
  atMono,
});

async function started(
  prepare: (world: ReturnType<typeof kernel>["world"]) => void = (world) => world.right(),
  more = {},
  disk = memoryDisk(null),
) {
  const { world, ports } = kernel(disk);
  prepare(world);
  const host = createHost(setup(more), ports());
  await host.start();
  await settle();
  return { world, host };
}
const facts = async (host: Awaited<ReturnType<typeof started>>["host"]) => (await host.facts(null, null, 0, null))!;

test("a deleted link is created at once: intent flushed, one command, sysctls, then the FDB entry", async () => {
  const { world, host } = await started();
  world.calls.length = 0;
  world.remove("metallb0");
  host.hear([gone(world.mono)]);
  await settle();
  assert.deepEqual(world.calls.slice(0, 6), [
    "append",
    "sync",
    "ip link add metallb0 link bridge0 address f2:5a:5f:84:40:e8 up type macvlan mode bridge",
    "sysctl rp_filter=0",
    "sysctl arp_ignore=1",
    "bridge fdb replace f2:5a:5f:84:40:e8 dev bridge0 self local",
  ]);
  assert.equal(world.link()?.mac, LINK.mac);
  const { guard_log: log, link } = await facts(host);
  assert.deepEqual([log[0]?.cause, log[0]?.outcome, link.rp_filter, link.arp_ignore], ["link_missing", "done", 0, 1]);
});

test("a link that is right is left alone, however long", async () => {
  const { world } = await started();
  world.calls.length = 0;
  await world.pass(3_600_000);
  assert.deepEqual(
    world.calls.filter((call) => call !== "append" && call !== "sync"),
    [],
  );
});

test("a link that is down is set up; it keeps its ifindex", async () => {
  const { world } = await started((w) => {
    w.right();
    w.rows = w.rows.map((row) => (row.name === "metallb0" ? { ...row, up: false } : row));
  });
  await world.pass(10);
  assert.deepEqual([world.link()?.up, world.link()?.ifindex], [true, 3]);
});

for (const [what, row] of [
  ["MAC", { mac: "02:00:00:00:00:66" }],
  ["mode", { mode: "private" }],
] as const) {
  test(`a wrong ${what} is never changed in place: the link is made anew with a new ifindex`, async () => {
    const { world, host } = await started((w) => w.add(row));
    await world.pass(10);
    assert.deepEqual([world.link()?.mac, world.link()?.mode, world.link()?.ifindex], [LINK.mac, "bridge", 4]);
    assert.deepEqual((await facts(host)).former_macs, what === "MAC" ? ["02:00:00:00:00:66"] : []);
  });
}

test("a sysctl that was changed is written back without touching the link, since udev changes it after every creation", async () => {
  const { world, host } = await started();
  world.sysctls.set("metallb0.rp_filter", 2);
  await world.pass(1_000);
  assert.deepEqual([world.sysctls.get("metallb0.rp_filter"), world.link()?.ifindex], [0, 3]);
  assert.equal((await facts(host)).guard_log[0]?.cause, "link_drifted");
});

test("something else that bears the name is never touched", async () => {
  const { world, host } = await started((w) => w.add({ kind: "veth", mode: null }));
  await world.pass(60_000);
  assert.deepEqual(
    world.calls.filter((call) => call.startsWith("ip ")),
    [],
  );
  assert.equal((await facts(host)).link.kind, "veth");
});

test("without the parent nothing is tried; the link is created when the parent is back", async () => {
  const { world, host } = await started();
  world.calls.length = 0;
  const bridge = world.rows[0]!;
  world.remove("bridge0");
  host.hear([gone(world.mono), gone(world.mono, "bridge0")]);
  await world.pass(30_000);
  assert.deepEqual(
    world.calls.filter((call) => call.startsWith("ip ")),
    [],
  );
  world.rows = [bridge];
  host.hear([{ ...gone(world.mono, "bridge0"), deleted: false }]);
  await world.pass(20);
  assert.equal(world.link()?.mac, LINK.mac);
  assert.equal((await facts(host)).guard_log.length, 1);
});

test("after too many repairs in ten minutes the guard stops, says who to look for, and tries again later", async () => {
  const { world, host } = await started();
  for (let index = 0; index < GUARD_RUNS_MAX + 3; index++) {
    world.remove("metallb0");
    host.hear([gone(world.mono)]);
    await world.pass(2_000);
  }
  assert.equal(world.calls.filter((call) => call.startsWith("ip link add")).length, GUARD_RUNS_MAX);
  const stopped = await facts(host);
  assert.equal(stopped.guard_stopped, true);
  assert.match(stopped.guard_log.at(-1)?.detail ?? "", /NetworkManager/);
  await world.pass(11 * 60_000);
  assert.equal(world.link()?.mac, LINK.mac);
  assert.equal((await facts(host)).guard_stopped, false);
});

test("the pause file holds the guard until its end, and a leap of the wall clock does not matter", async () => {
  const { world, host } = await started();
  world.pauseText = JSON.stringify({
    until: new Date(Date.parse("2026-11-24T10:00:00Z") + world.mono + 60_000).toISOString(),
    reason: "new bridge",
  });
  world.remove("metallb0");
  host.hear([gone(world.mono)]);
  await world.pass(50_000);
  assert.equal(world.link(), null);
  assert.notEqual((await facts(host)).paused_until, null);
  await world.pass(12_000);
  assert.equal(world.link()?.mac, LINK.mac);
});

test("guard: false looks and tells, and touches nothing", async () => {
  const { world } = await started(() => {}, { guard: false });
  await world.pass(60_000);
  assert.equal(world.link(), null);
});

test("a journal that cannot be written means no command; the guard goes on when the disk does", async () => {
  const { world, host } = await started();
  world.disk.fail = "sync";
  world.remove("metallb0");
  host.hear([gone(world.mono)]);
  await world.pass(2_000);
  assert.equal(world.link(), null);
  assert.equal((await facts(host)).journal, "unwritable");
  world.disk.fail = null;
  await world.pass(10_000);
  assert.equal(world.link()?.mac, LINK.mac);
});

test("an unreadable journal heals nothing and says so", async () => {
  const { world, host } = await started(() => {}, {}, memoryDisk(Buffer.from("rubbish\nmore\n")));
  await world.pass(30_000);
  assert.equal(world.link(), null);
  const { journal, guard_stopped } = await facts(host);
  assert.deepEqual([journal, guard_stopped], ["unreadable", true]);
  assert.ok(world.logs.some((line) => line.level === "error" && /unreadable/.test(line.message)));
});

test("an intent without an end is closed once at the next start, after the link was made sure of, and nothing is deleted", async () => {
  const at = "2026-11-24T10:00:00.000Z";
  const disk = memoryDisk(
    encodeLine({
      kind: "intent",
      at,
      ledger: 5,
      id: "h1",
      step: "recreate-link",
      by: "hub",
      link: "metallb0",
      epoch: 2,
    }),
  );
  const { world, host } = await started(() => {}, { guard: false }, disk);
  assert.equal(world.link()?.mac, LINK.mac);
  assert.ok(!world.calls.some((call) => call.includes("delete")));
  assert.equal(host.repairs.find("h1")?.state, "interrupted");
  await host.stop();
  const again = await started((w) => w.right(), { guard: false }, disk);
  assert.equal(again.host.repairs.find("h1")?.state, "interrupted");
  assert.equal(disk.content().toString().split('"kind":"end"').length, 2);
});

test("facts: a listener hears of the next change, and a wait that is over answers with what is", async () => {
  const { world, host } = await started();
  const before = await facts(host);
  const waiting = host.facts(null, before.revision, 20_000, null);
  world.remove("metallb0");
  host.hear([gone(world.mono)]);
  const after = (await waiting)!;
  assert.ok(after.revision > before.revision);
  const quiet = host.facts(null, (await facts(host)).revision, 5_000, null);
  await world.pass(5_000);
  assert.ok((await quiet)!.revision >= after.revision);
});

test("a missing ARP socket says nothing before the speaker has had time to look at a new link", async () => {
  const { world, host } = await started();
  assert.equal((await facts(host)).speaker.listening, null);
  await world.pass(12_000);
  assert.equal((await facts(host)).speaker.listening, false);
  world.sockets.add(3);
  assert.equal((await facts(host)).speaker.listening, true);
});

test("a link on another parent is drifted", () => {
  const { world, ports } = kernel();
  world.right();
  const row = { ...world.link()!, parent: "eno1" };
  const sysctls = { rp_filter: ports().links.sysctl("metallb0", "rp_filter"), arp_ignore: 1 };
  assert.deepEqual(judge(LINK, { row, parent: null, sysctls }), {
    kind: "drifted",
    what: ["parent eno1 instead of bridge0"],
    ifindex: 3,
  });
});
