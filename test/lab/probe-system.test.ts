import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import type { CheckResult } from "../../src/core/observation.ts";
import { inNamespaces, skipReason } from "./namespaces.ts";

type Case = "guarded" | "fallen" | "hosts" | "silent";
const FALLEN =
  "answers 203.0.113.7, a public address, for auth.example.lan instead of 10.9.0.50: it fell back to a public resolver";

describe("the system's own resolver, by real c-ares and real libc", { skip: skipReason() }, () => {
  let rounds: Readonly<Record<Case, CheckResult>>;
  before(() => {
    rounds = inNamespaces("probe-system");
  });

  test("a system that goes by the guarded resolver is led to the right address, and nothing is said", () => {
    const { system } = rounds.guarded.evidence!;
    assert.deepEqual(system?.cares, { records: ["10.9.0.50"], failure: null, servers: ["127.0.0.1"] });
    assert.deepEqual(system?.libc, { records: ["10.9.0.50"], failure: null });
    assert.equal(rounds.guarded.detail, null);
  });

  test("a system that fell back to a public resolver is told, with the address it is led to", () => {
    assert.equal(rounds.fallen.detail, `the system's resolver (127.0.0.2) ${FALLEN}`);
  });

  test("a hosts file that hides the fallback from libc does not hide it from Home Assistant", () => {
    const said = `c-ares, as Home Assistant asks (127.0.0.2), ${FALLEN}; libc answers rightly`;
    assert.equal(rounds.hosts.detail, said);
  });

  test("a resolver that is not there is told as one that does not answer", () => {
    assert.match(rounds.silent.detail!, /does not answer for auth\.example\.lan \((ECONNREFUSED|ETIMEOUT|EAI_AGAIN)\)/);
  });

  test("in none of these cases does the check of the guarded address fail", () => {
    for (const check of Object.values(rounds)) assert.deepEqual([check.ok, check.failure], [true, null]);
  });
});
