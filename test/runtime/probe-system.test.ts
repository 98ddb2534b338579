import assert from "node:assert/strict";
import { test } from "node:test";
import { createSystemResolvers } from "../../src/runtime/node/probe-system.ts";
import { resolverOnLoopback, ZONE } from "../support/agreement-servers.ts";
import { LOOPBACK, tcpServer } from "../support/probe-servers.ts";

const never = new AbortController().signal;

test("c-ares is asked with the servers that it is told: addresses, none, and each refusal by its word", async () => {
  const server = await resolverOnLoopback();
  const system = createSystemResolvers({ servers: [`${LOOPBACK}:${server.port}`] });
  const cares = async (name: string, type: "A" | "AAAA" = "A") => (await system.ask(name, type, never)).cares;
  try {
    const { servers } = await system.ask(`one.${ZONE}`, "A", never);
    assert.deepEqual(servers, [`${LOOPBACK}:${server.port}`]);
    assert.deepEqual(await cares(`chain.${ZONE}`), { ok: true, records: ["10.1.2.9"] });
    assert.deepEqual(await cares(`six.${ZONE}`, "AAAA"), { ok: true, records: ["fd00::1"] });
    const failures = await Promise.all(
      ["nowhere", "empty", "servfail", "refused"].map((label) => cares(`${label}.${ZONE}`)),
    );
    assert.deepEqual(
      failures.map((answer) => (answer.ok ? answer.records : answer.failure)),
      ["ENOTFOUND", "ENODATA", "ESERVFAIL", "EREFUSED"],
    );
  } finally {
    server.close();
  }
});

test("a resolver that is silent or not there is given up within the patience of a round", async () => {
  const server = await resolverOnLoopback();
  const closed = await tcpServer(() => {});
  closed.close();
  const cares = async (port: number) =>
    (await createSystemResolvers({ servers: [`${LOOPBACK}:${port}`] }).ask(`silent.${ZONE}`, "A", never)).cares;
  const began = performance.now();
  try {
    assert.deepEqual(await cares(server.port), { ok: false, failure: "ETIMEOUT" });
    assert.ok(performance.now() - began < 4_000);
    assert.deepEqual(await cares(closed.port), { ok: false, failure: "ECONNREFUSED" });
  } finally {
    server.close();
  }
});

test("libc is asked by the system's own rules, of which the hosts file is one", async () => {
  const server = await resolverOnLoopback();
  const system = createSystemResolvers({ servers: [`${LOOPBACK}:${server.port}`] });
  const { libc } = await system.ask("localhost", "A", never);
  server.close();
  assert.deepEqual(libc, { ok: true, records: [LOOPBACK] });
});

test("whoever has given up is answered at once, and nothing hangs on", async () => {
  const gone = new AbortController();
  gone.abort();
  const { cares, libc } = await createSystemResolvers().ask("localhost", "A", gone.signal);
  assert.deepEqual([cares, libc], Array(2).fill({ ok: false, failure: "ETIMEOUT" }));
});
