import assert from "node:assert/strict";
import { test } from "node:test";
import type { RepairRequest } from "../../src/core/repair.ts";
import { createHost } from "../../src/host/host.ts";
import type { Answer, KubePod, Kubernetes } from "../../src/host/port.ts";
import { kernel, LINK, memoryDisk, SPEAKER, settle, setup } from "../support/host-ports.ts";

const ask = (id: string, more: Partial<RepairRequest> = {}): RepairRequest => ({
  id,
  step: "announce",
  epoch: 1,
  ttl_ms: 60_000,
  manual: false,
  override: false,
  ...more,
});
const ok = async <T>(value: T): Promise<Answer<T>> => ({ ok: true, value });
const pod = (uid: string, more: Partial<KubePod> = {}): KubePod => ({
  name: `speaker-${uid}`,
  uid,
  node: "n5",
  ready: true,
  restarts: 0,
  startedAt: 0,
  terminating: false,
  ...more,
});

/** A cluster in which the speaker announces everything; a deleted pod has a successor at once. */
function cluster(more: Partial<Kubernetes> = {}) {
  const state = { pods: [pod("u1")], asked: [] as string[] };
  const kubernetes: Kubernetes = {
    pods: () => ok(state.pods),
    deletePod: (name) => {
      state.asked.push(`delete ${name}`);
      state.pods = [pod("u2")];
      return ok(null);
    },
    l2Statuses: () => ok([{ node: "n5", service: "network/dns", interfaces: ["metallb0"], createdAt: 0 }]),
    advertisements: () => ok([]),
    pools: () => ok([]),
    nodeLabels: () => ok({}),
    service: () => ok({ exists: true, labels: {} }),
    readyEndpoints: () => ok(1),
    announceFailed: () => ok([]),
    annotate: (service, value) => {
      state.asked.push(`annotate ${service} ${value}`);
      return ok(null);
    },
    ...more,
  };
  return { state, kubernetes };
}

async function started({
  more = {},
  kubernetes = null as Kubernetes | null,
  disk = memoryDisk(null),
  right = true,
} = {}) {
  const { world, ports } = kernel(disk);
  if (right) world.right();
  const host = createHost(setup({ ...(kubernetes === null ? {} : { speaker: SPEAKER }), ...more }), ports(kubernetes));
  await host.start();
  await world.pass(2_000);
  world.calls.length = 0;
  return { world, host };
}

const refusal = async (host: Awaited<ReturnType<typeof started>>["host"], request: RepairRequest) => {
  const answer = await host.repairs.submit(request);
  return answer.kind === "refused" ? answer.refused.refusal : answer.kind;
};

test("a hundred requests with one id run once, and all of them get the same answer", async () => {
  const { world, host } = await started();
  const answers = await Promise.all(Array.from({ length: 100 }, () => host.repairs.submit(ask("one"))));
  await host.repairs.settled();
  assert.equal(world.calls.filter((call) => call.startsWith("arping")).length, 1);
  assert.equal(
    answers.filter((answer) => answer.kind === "accepted").length +
      answers.filter((answer) => answer.kind === "known").length,
    100,
  );
  assert.equal((await host.repairs.submit(ask("one"))).report.state, "done");
});

test("a hundred requests with a hundred ids run one; the others are told that one is in flight, and never run", async () => {
  const { world, host } = await started();
  const answers = await Promise.all(Array.from({ length: 100 }, (_, index) => host.repairs.submit(ask(`i${index}`))));
  await host.repairs.settled();
  assert.equal(answers.filter((answer) => answer.kind === "accepted").length, 1);
  assert.equal(
    answers.filter((answer) => answer.kind === "refused" && answer.refused.refusal === "in_flight").length,
    99,
  );
  assert.equal(await refusal(host, ask("i50")), "known");
  assert.equal(host.repairs.find("i50")?.state, "refused");
  assert.equal(world.calls.filter((call) => call.startsWith("arping")).length, 1);
});

test("the intent is on the disk before the first command", async () => {
  const { world, host } = await started();
  await host.repairs.submit(ask("a"));
  await host.repairs.settled();
  const first = world.calls.findIndex((call) => call.startsWith("arping"));
  assert.deepEqual(world.calls.slice(0, 2), ["append", "sync"]);
  assert.ok(first >= 2);
});

test("each closed gate has its name, and nothing is run", async () => {
  const cases: [string, Promise<Awaited<ReturnType<typeof started>>>, RepairRequest][] = [
    ["host_not_armed", started({ more: { armed: false } }), ask("a")],
    ["host_not_armed", started({ more: { armed: false } }), ask("a", { manual: true, override: true })],
    ["not_configured", started(), ask("a", { link: "other0" })],
    ["not_configured", started(), ask("a", { step: "restart-speaker" })],
    ["budget", started({ more: { budgetHour: 0 } }), ask("a")],
    ["journal", started({ disk: memoryDisk(Buffer.from("rubbish\nx")) }), ask("a")],
  ];
  for (const [name, starting, request] of cases) {
    const { world, host } = await starting;
    assert.equal(await refusal(host, request), name);
    assert.deepEqual(
      world.calls.filter((call) => /^(ip|arping|bridge)/.test(call)),
      [],
      name,
    );
  }
});

test("a parent that is missing or down refuses before anything is deleted", async () => {
  const { world, host } = await started();
  world.rows = world.rows.map((row) => (row.name === "bridge0" ? { ...row, up: false } : row));
  assert.equal(await refusal(host, ask("a", { step: "recreate-link" })), "parent_down");
  world.remove("bridge0");
  assert.equal(await refusal(host, ask("b", { step: "recreate-link" })), "parent_missing");
  assert.ok(!world.calls.some((call) => call.includes("delete")));
});

test("a foreign link of the name is never deleted", async () => {
  const { world, host } = await started({ right: false, more: { guard: false } });
  world.add({ kind: "veth", mode: null });
  for (const step of ["ensure-link", "announce", "recreate-link"] as const)
    assert.equal(await refusal(host, ask(step, { step })), "foreign_link");
  world.rows.pop();
  world.add({ mac: "02:00:00:00:00:01" });
  assert.equal(await refusal(host, ask("r2", { step: "recreate-link" })), "foreign_link");
  assert.ok(!world.calls.some((call) => call.includes("delete")));
});

test("no more than the budget starts in an hour, across restarts; a person has a cap of his own", async () => {
  const disk = memoryDisk(null);
  const { world, host } = await started({ disk });
  for (const id of ["a", "b", "c"]) {
    assert.equal(await refusal(host, ask(id)), "accepted");
    await host.repairs.settled();
  }
  assert.equal(await refusal(host, ask("d")), "budget");
  await host.stop();
  const second = await started({ disk });
  assert.equal(await refusal(second.host, ask("e")), "budget");
  for (const id of ["m1", "m2", "m3", "m4"]) {
    assert.equal(await refusal(second.host, ask(id, { manual: true })), "accepted");
    await second.host.repairs.settled();
  }
  assert.equal(await refusal(second.host, ask("m5", { manual: true, override: true })), "budget");
  await second.world.pass(3_600_000);
  assert.equal(await refusal(second.host, ask("f")), "accepted");
  assert.ok(world.mono > 0);
});

test("an older epoch, a request past its time and a paused host are refused; a person may override the pause", async () => {
  const { world, host } = await started();
  assert.equal(await refusal(host, ask("a", { epoch: 5 })), "accepted");
  await host.repairs.settled();
  assert.equal(await refusal(host, ask("b", { epoch: 4 })), "old_epoch");
  world.pauseText = "{}";
  assert.equal(await refusal(host, ask("c", { epoch: 5 })), "maintenance");
  assert.equal(await refusal(host, ask("d", { epoch: 5, manual: true })), "maintenance");
  assert.equal(await refusal(host, ask("e", { epoch: 5, manual: true, override: true })), "accepted");
});

test("three failures in a row open the breaker; only a reset closes it", async () => {
  const { world, host } = await started({ more: { budgetHour: 9 } });
  world.failures.set("arping", { argv: [], ms: 1, exit: 1, output: "CAP_NET_RAW required" });
  for (const id of ["a", "b", "c"]) {
    await host.repairs.submit(ask(id));
    await host.repairs.settled();
    assert.equal(host.repairs.find(id)?.state, "failed");
  }
  assert.equal(await refusal(host, ask("d")), "breaker_open");
  assert.equal((await host.facts(null, null, 0, null))?.breaker, "open");
  assert.ok(host.resetBreaker());
  world.failures.clear();
  assert.equal(await refusal(host, ask("e")), "accepted");
});

test("no step runs while no endpoint is ready, nor a speaker step while Kubernetes is away or the right is missing", async () => {
  const none = await started({ kubernetes: cluster({ readyEndpoints: () => ok(0) }).kubernetes });
  assert.equal(await refusal(none.host, ask("a")), "no_endpoints");
  const away = await started({
    kubernetes: cluster({ pods: async () => ({ ok: false, status: null, detail: "ECONNREFUSED" }) }).kubernetes,
  });
  assert.equal(await refusal(away.host, ask("a", { step: "restart-speaker" })), "kubernetes_unreachable");
  assert.equal(await refusal(away.host, ask("b", { step: "recreate-link" })), "kubernetes_unreachable");
  assert.equal(await refusal(away.host, ask("c")), "accepted");
  const denied = await started({
    kubernetes: cluster({ pods: async () => ({ ok: false, status: 403, detail: "forbidden" }) }).kubernetes,
  });
  assert.equal(await refusal(denied.host, ask("a", { step: "restart-speaker" })), "no_rights");
});

test("restart-speaker deletes this node's pods and is done when a successor is ready", async () => {
  const { state, kubernetes } = cluster();
  state.pods = [pod("u1"), pod("x", { node: "n6" })];
  const { world, host } = await started({ kubernetes });
  await host.repairs.submit(ask("r", { step: "restart-speaker" }));
  await world.pass(2_000);
  assert.deepEqual(state.asked, ["delete speaker-u1"]);
  assert.equal(host.repairs.find("r")?.state, "done");
});

test("a speaker without a successor fails after a minute, with what to type", async () => {
  const { kubernetes } = cluster({ deletePod: () => ok(null) });
  const { world, host } = await started({ kubernetes });
  await host.repairs.submit(ask("r", { step: "restart-speaker" }));
  await world.pass(62_000);
  const report = host.repairs.find("r");
  assert.equal(report?.state, "failed");
  assert.match(report?.advice ?? "", /kubectl -n metallb-system delete pod/);
});

test("announce speaks only for what this node announces, and annotates only where the speaker is silent", async () => {
  const fine = cluster();
  const one = await started({ kubernetes: fine.kubernetes });
  await one.host.repairs.submit(ask("a"));
  await one.host.repairs.settled();
  assert.deepEqual(
    one.world.calls.filter((call) => call.startsWith("arping")),
    ["arping -q -U -c 1 -w 0.01 -S 192.168.8.53 -i metallb0 192.168.8.53"],
  );
  assert.deepEqual(fine.state.asked, []);

  const elsewhere = cluster({
    l2Statuses: () => ok([{ node: "n6", service: "network/dns", interfaces: [], createdAt: 0 }]),
  });
  const two = await started({ kubernetes: elsewhere.kubernetes });
  await two.host.repairs.submit(ask("a"));
  await two.host.repairs.settled();
  assert.ok(!two.world.calls.some((call) => call.startsWith("arping")));
  assert.match(two.host.repairs.find("a")?.detail ?? "", /n6 announces it/);

  const silent = cluster({ l2Statuses: () => ok([]) });
  const three = await started({ kubernetes: silent.kubernetes });
  await three.host.repairs.submit(ask("a"));
  await three.host.repairs.settled();
  assert.deepEqual(silent.state.asked, ["annotate network/dns a"]);

  const others = {
    links: [{ link: { ...LINK, also: { n6: "02:00:00:00:00:06" } }, targets: setup().links[0]!.targets }],
  };
  const four = await started({ more: others });
  await four.host.repairs.submit(ask("a"));
  await four.host.repairs.settled();
  assert.ok(
    !four.world.calls.some((call) => call.startsWith("arping")),
    "another node may announce, and nobody says that it is this one",
  );
});

test("announce says that the right to annotate is missing, and is done all the same", async () => {
  const { kubernetes } = cluster({
    l2Statuses: () => ok([]),
    annotate: async () => ({ ok: false, status: 403, detail: "forbidden" }),
  });
  const { host } = await started({ kubernetes });
  await host.repairs.submit(ask("a"));
  await host.repairs.settled();
  const report = host.repairs.find("a");
  assert.deepEqual([report?.state, /right to patch it was not given/.test(report?.detail ?? "")], ["done", true]);
});

test("recreate-link deletes by index, creates with the same MAC, and restarts the speaker; the guard keeps out of it", async () => {
  const { state, kubernetes } = cluster();
  const { world, host } = await started({ kubernetes });
  await host.repairs.submit(ask("r", { step: "recreate-link" }));
  await world.pass(2_000);
  assert.equal(host.repairs.find("r")?.state, "done");
  assert.deepEqual(
    [world.link()?.mac, world.link()?.ifindex, world.sysctls.get("metallb0.rp_filter")],
    [LINK.mac, 4, 0],
  );
  assert.deepEqual(state.asked, ["delete speaker-u1"]);
  assert.equal(world.calls.filter((call) => call.startsWith("ip link add")).length, 1);
  assert.equal((await host.facts(null, null, 0, null))?.guard_log.length, 0);
});

test("when the creation fails after the deletion, three tries are made, then a person gets the command", async () => {
  const { world, host } = await started({ more: { guard: false } });
  world.failures.set("ip link add", {
    argv: [],
    ms: 1,
    exit: 2,
    output: "RTNETLINK answers: No buffer space available",
  });
  await host.repairs.submit(ask("r", { step: "recreate-link" }));
  await world.pass(5_000);
  assert.equal(world.calls.filter((call) => call.startsWith("ip link add")).length, 3);
  assert.match(
    host.repairs.find("r")?.advice ?? "",
    /^ip link add metallb0 link bridge0 address f2:5a:5f:84:40:e8 up type macvlan mode bridge && sysctl/,
  );
});

test("less than 1 MiB free refuses", async () => {
  const disk = memoryDisk(null);
  const { host } = await started({ disk });
  disk.free = () => 1_000;
  assert.equal(await refusal(host, ask("a")), "journal");
  await settle();
});
