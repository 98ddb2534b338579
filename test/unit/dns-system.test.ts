import assert from "node:assert/strict";
import { test } from "node:test";
import { examine } from "../../src/core/doctor/report.ts";
import { type CheckResult, checkResult, type Evidence } from "../../src/core/observation.ts";
import type { DnsCheck } from "../../src/core/plan.ts";
import { askSystem, systemNote, withSystem } from "../../src/probes/dns-system.ts";
import { failed, passed } from "../../src/probes/finding.ts";
import type { SystemAnswer, SystemResolvers } from "../../src/probes/port.ts";
import { examOf } from "../support/examination.ts";
import { checksOf, houseOf, stage } from "../support/house.ts";

const HOUSE = "192.168.8.50";
const PUBLIC = "203.0.113.7";
const never = new AbortController().signal;
const checkOf = (more: Partial<DnsCheck> = {}): DnsCheck => ({
  kind: "dns",
  id: "dns",
  name: "auth.example.lan",
  type: "A",
  expect: [HOUSE],
  transport: "udp",
  upstream: false,
  port: 53,
  as_system: true,
  ...more,
});
const is = (...records: string[]): SystemAnswer => ({ ok: true, records });
const fails = (failure: string): SystemAnswer => ({ ok: false, failure });
const says = (cares: SystemAnswer, libc: SystemAnswer): SystemResolvers => ({
  ask: async () => ({ servers: ["172.30.32.3"], cares, libc }),
});
const noteOf = async (cares: SystemAnswer, libc: SystemAnswer, more: Partial<DnsCheck> = {}) =>
  (await askSystem(checkOf(more), says(cares, libc), never)).note;

test("a resolver that leads to the declared addresses, in any order, is not worth a word", async () => {
  assert.equal(await noteOf(is(HOUSE), is(HOUSE)), null);
  assert.equal(await noteOf(is("10.0.0.2", "10.0.0.1"), is("10.0.0.1"), { expect: null }), null);
  assert.equal(await noteOf(is("FD00::0:1"), is("fd00::1"), { type: "AAAA", expect: ["fd00:0::1"] }), null);
  assert.equal(await noteOf(fails("ENOTFOUND"), fails("ENODATA"), { expect: [] }), null);
});

test("a public address instead of one of the house is called a fallback, with the server that said it", async () => {
  const said = `answers ${PUBLIC}, a public address, for auth.example.lan instead of ${HOUSE}: it fell back to a public resolver`;
  assert.equal(await noteOf(is(PUBLIC), is(PUBLIC)), `the system's resolver (172.30.32.3) ${said}`);
  assert.equal(
    await noteOf(is(PUBLIC), is(HOUSE)),
    `c-ares, as Home Assistant asks (172.30.32.3), ${said}; libc answers rightly`,
  );
  assert.equal(
    await noteOf(is(HOUSE), is(PUBLIC)),
    `libc ${said}; c-ares, as Home Assistant asks (172.30.32.3), answers rightly`,
  );
});

test("another address of the house, one too many, none, and silence are each said, and called no fallback", async () => {
  for (const other of ["10.0.0.9", "172.31.0.1", "100.64.0.1", "169.254.1.1", "127.0.0.1"]) {
    assert.match((await noteOf(is(other), is(HOUSE)))!, new RegExp(`answers ${other} for auth.example.lan instead of`));
    assert.doesNotMatch((await noteOf(is(other), is(HOUSE)))!, /public/);
  }
  for (const other of ["172.32.0.1", "100.128.0.1", "192.169.0.1", "8.8.8.8", "2001:db8::1"])
    assert.match((await noteOf(is(other), is(HOUSE)))!, /public/);
  assert.match((await noteOf(is(HOUSE, "192.168.8.51"), is(HOUSE)))!, /answers 192\.168\.8\.50, 192\.168\.8\.51/);
  assert.match((await noteOf(fails("ENOTFOUND"), fails("ENOTFOUND")))!, /knows no auth\.example\.lan \(ENOTFOUND\)$/);
  assert.match((await noteOf(fails("ETIMEOUT"), is(HOUSE)))!, /does not answer for auth\.example\.lan \(ETIMEOUT\)/);
  const both = await noteOf(fails("ETIMEOUT"), is(PUBLIC));
  assert.match(both!, /^c-ares, as Home Assistant asks \(172\.30\.32\.3\), does not answer .*; libc answers 203/);
});

test("it never changes the result: good stays good, and a failure keeps its name and comes first", async () => {
  const system = await askSystem(checkOf(), says(is(PUBLIC), is(PUBLIC)), never);
  const good = withSystem(passed(null, { evidence: { records: [HOUSE] } }), system);
  assert.deepEqual([good.ok, good.failure], [true, null]);
  assert.match(good.detail!, /fell back to a public resolver$/);
  assert.deepEqual(good.evidence.records, [HOUSE]);
  const bad = withSystem(failed("no_reply", "no answer in 1000 ms"), system);
  assert.deepEqual([bad.ok, bad.failure], [false, "no_reply"]);
  assert.match(bad.detail!, /^no answer in 1000 ms; the system's resolver/);
});

test("what a stranger's resolver says is bounded and made harmless, and the hub accepts it", async () => {
  const many = Array.from({ length: 500 }, (_, index) => `10.0.${index >> 8}.${index & 255}`);
  const system = await askSystem(checkOf(), says(is(...many), fails("\u001b[31m<b>".repeat(100))), never);
  const result: CheckResult = { target: "dns", check: "dns", ok: true, evidence: { system } };
  assert.deepEqual(checkResult.parse(result).evidence?.system, system);
  assert.ok(!system.libc.failure!.includes("\u001b") && !system.note!.includes("\u001b"), "a terminal would obey it");
});

const NOTE = systemNote(checkOf(), {
  cares: { records: [PUBLIC], failure: null, servers: ["172.30.32.3"] },
  libc: { records: [HOUSE], failure: null },
})!;
const SYSTEM: Evidence["system"] = {
  cares: { records: [PUBLIC], failure: null, servers: ["172.30.32.3"] },
  libc: { records: [HOUSE], failure: null },
  note: NOTE,
};
const told = checksOf("resolver").map((check) =>
  check.id === "dns:auth.attic.lan" ? { ...check, evidence: { ...check.evidence, system: SYSTEM } } : check,
);

test("the status says it beside a house that is fine: no cause, no vote, nothing to repair", () => {
  const world = stage(houseOf()).facts().pass(20_000).facts().rounds(4);
  const seen = world.observed("guest", [...told, ...checksOf("proxy")]).assess();
  assert.deepEqual([seen.state, seen.cause, seen.votes.length, seen.from], ["ok", null, 0, null]);
  assert.match(
    seen.summary,
    /^All 2 addresses are fine from guest and desk\. Yet guest: c-ares, as Home Assistant asks/,
  );
  assert.deepEqual(seen.evidence, [`guest: ${NOTE}.`]);
  const after = world.pass(1_000).round("guest").assess();
  assert.deepEqual(after.evidence, [], "gone with the next round in which it is not so");
});

test("the doctor says it as a warning, which fails nothing", () => {
  const exam = examOf({}, { control: { ok: true }, checks: [...told, ...checksOf("proxy")] });
  const report = examine(exam);
  assert.equal(report.ok, true);
  const warnings = report.findings.filter((finding) => finding.layer === "dns" && finding.state === "warning");
  assert.deepEqual(
    warnings.map((finding) => finding.text),
    [`${NOTE[0]!.toUpperCase()}${NOTE.slice(1)}.`],
  );
});
