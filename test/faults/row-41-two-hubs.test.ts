import assert from "node:assert/strict";
import { test } from "node:test";
import type { HostLink } from "../../src/engine/hub-ports.ts";
import { openStore } from "../../src/engine/store.ts";
import { createHost } from "../../src/host/host.ts";
import { openSqlite } from "../../src/runtime/node/store-sqlite.ts";
import { kernel, setup } from "../support/host-ports.ts";
import { fakeHost, harness, round } from "../support/hub.ts";

interface Beside {
  /** How often the second hub has started before. */
  readonly restarts?: number;
  /** The second runs on a copy of the first one's data. */
  readonly copy?: boolean;
  /** The first hub dies after so many seconds. */
  readonly firstDiesAfter?: number;
  readonly seconds?: number;
}

/** Two hubs over one real host, both armed, both seeing the same failure, second by second. */
async function twoHubs({ restarts = 0, copy = false, firstDiesAfter = Infinity, seconds = 90 }: Beside) {
  const { world, ports } = kernel();
  world.right();
  const host = createHost(setup(), ports());
  await host.start();
  world.calls.length = 0;
  const refusals: string[] = [];
  const heals = new Set<string>();
  const link: HostLink = {
    facts: async (_after, _wait, _signal, hub) => {
      if (hub !== undefined) host.heard(hub);
      return { kind: "answer", value: (await host.facts(null, null, 0, null))! };
    },
    repair: async (request) => {
      const { report } = await host.repairs.submit(request);
      if (report.refusal !== null) refusals.push(report.refusal);
      else heals.add(report.id);
      return { kind: "answer", value: report };
    },
    report: async (id) => {
      const found = host.repairs.find(id);
      return found === null ? { kind: "unknown_id" } : { kind: "answer", value: found };
    },
  };
  const stores = [openSqlite(":memory:"), openSqlite(":memory:")] as const;
  for (const [index, sql] of stores.entries()) openStore(sql).setMeta("hub", copy ? "copied" : `hub${index}`);
  for (let restart = 0; restart < restarts; restart++) {
    const before = harness({ sql: stores[1] });
    before.hub.start();
    before.hub.stop();
  }
  const hubs = stores.map((sql) => harness({ host: { ...fakeHost(), link }, sql }));
  for (const { hub } of hubs) hub.start();
  const pass = async (millis: number) => {
    for (const made of hubs) await made.hand.pass(millis);
    await world.pass(millis);
  };
  await pass(100);
  for (let seq = 1; seq <= seconds; seq++) {
    if (seq === firstDiesAfter) hubs[0]!.hub.stop();
    for (const made of seq < firstDiesAfter ? hubs : hubs.slice(1))
      for (const vantage of ["lan", "vm"]) await made.report(vantage, made.observation(vantage, seq, round(false)));
    await pass(1_000);
  }
  for (const { hub } of hubs) hub.stop();
  await host.stop();
  const askers = hubs.map(({ lines }) => lines.filter(({ fields }) => fields["state"] === "requested").length);
  // Each run is an intent and its end.
  const runs = world.calls.filter((call) => call === "append").length / 2;
  return { askers, refusals, heals: heals.size, runs };
}

for (const restarts of [0, 3])
  test(`fault 41: of two armed hubs, the second started ${restarts} times before, one holds the lease and one heal runs`, async () => {
    const { askers, refusals, heals, runs } = await twoHubs({ restarts });
    assert.ok(
      askers.every((count) => count > 0),
      "both ask",
    );
    assert.deepEqual({ heals, runs }, { heals: 1, runs: 1 });
    assert.ok(refusals.includes("other_hub"), refusals.join(", "));
  });

for (const restarts of [0, 3])
  test(`fault 41: a copy of a hub's data beside it, ${restarts} epochs ahead, heals nothing while the hub is heard`, async () => {
    const { askers, heals, runs } = await twoHubs({ restarts, copy: true });
    assert.ok(
      askers.every((count) => count > 0),
      "both ask",
    );
    assert.deepEqual({ heals, runs }, { heals: 1, runs: 1 });
  });

test("fault 41: when the hub with the lease is gone for a minute, the other one heals", async () => {
  const { refusals, heals } = await twoHubs({ firstDiesAfter: 80, seconds: 330 });
  assert.ok(refusals.includes("other_hub"));
  assert.equal(heals, 2);
});
