import assert from "node:assert/strict";
import { test } from "node:test";
import type { HostLink } from "../../src/engine/hub-ports.ts";
import { createHost } from "../../src/host/host.ts";
import { openSqlite } from "../../src/runtime/node/store-sqlite.ts";
import { kernel, setup } from "../support/host-ports.ts";
import { fakeHost, harness, round } from "../support/hub.ts";

/** Two hubs over one real host, both armed, both seeing the same failure. `restarts`: how often the second has started before. */
async function twoHubs(restarts: number) {
  const { world, ports } = kernel();
  world.right();
  const host = createHost(setup(), ports());
  await host.start();
  world.calls.length = 0;
  const link: HostLink = {
    facts: async () => ({ kind: "answer", value: (await host.facts(null, null, 0, null))! }),
    repair: async (request) => ({ kind: "answer", value: (await host.repairs.submit(request)).report }),
    report: async (id) => {
      const found = host.repairs.find(id);
      return found === null ? { kind: "unknown_id" } : { kind: "answer", value: found };
    },
  };
  const sql = openSqlite(":memory:");
  for (let restart = 0; restart < restarts; restart++) {
    const before = harness({ sql });
    before.hub.start();
    before.hub.stop();
  }
  const hubs = [harness({ host: { ...fakeHost(), link } }), harness({ host: { ...fakeHost(), link }, sql })];
  for (const { hub } of hubs) hub.start();
  const pass = async (millis: number) => {
    for (const made of hubs) await made.hand.pass(millis);
    await world.pass(millis);
  };
  await pass(100);
  for (let seq = 1; seq <= 40; seq++) {
    for (const made of hubs)
      for (const vantage of ["lan", "vm"]) await made.report(vantage, made.observation(vantage, seq, round(false)));
    await pass(1_000);
  }
  for (const { hub } of hubs) hub.stop();
  await host.stop();
  const asked = hubs.flatMap(({ lines }) => lines.filter(({ fields }) => fields["state"] === "requested"));
  const remedies = world.calls.filter((call) => call.startsWith("arping"));
  return { asked, remedies };
}

test("fault 41: two armed hubs of the same age ask under one id, and the host runs it once", async () => {
  const { asked, remedies } = await twoHubs(0);
  assert.ok(asked.length >= 2, "both ask");
  assert.equal(remedies.length, 1, remedies.join("; "));
});

test("fault 41: of two armed hubs of different epochs no more than the host's budget is run (I1)", async () => {
  const { remedies } = await twoHubs(3);
  assert.ok(remedies.length <= 3, remedies.join("; "));
});
