import assert from "node:assert/strict";
import { test } from "node:test";
import { findFault } from "../../src/lab/faults/catalogue.ts";
import { judge } from "../lab-table/judgement.ts";
import type { LabLine } from "../lab-table/ran-lab.ts";

/** What the table complains of when doctors have said this while the fault stood. */
function complaints(name: string, ...said: readonly Partial<LabLine>[]): readonly string[] {
  const fault = findFault(name)!;
  const lines = said.map((line, at) => ({
    who: `place${at}`,
    what: "doctor",
    cause: null,
    bad: [],
    text: "",
    ...line,
  }));
  const result = { cause: fault.cause, healed: false, by: null, steps: [] };
  const told = { fault: name, lines, until: 0, result } as unknown as Parameters<typeof judge>[1];
  return judge(fault, told, { topology: "guest", brnf: "1" }).complaints.filter((text) => text.includes("doctor"));
}

test("Some doctor must exit 1 with the cause, of a vantage that fell silent as well", () => {
  assert.deepEqual(complaints("vantage-killed", { exit: 1, cause: "vantage_silent" }, { exit: 0 }), []);
  assert.match(complaints("vantage-killed", { exit: 0 })[0]!, /no doctor names vantage_silent/);
  assert.match(complaints("uplink-down", { exit: 3, cause: "site_network" })[0]!, /no doctor names lan_path/);
  assert.match(complaints("uplink-down", { exit: 3, cause: "lan_path" })[0]!, /no doctor names/, "3 is cannot tell");
  assert.match(complaints("vm-port-firewalled", { exit: 1, cause: "not_forwarded" })[0]!, /no doctor names vm_path/);
});

test("Where nothing of the addresses is wrong, some doctor must say which part is down, and exit 1", () => {
  for (const [name, layer] of [
    ["hub-killed", "hub"],
    ["host-killed", "host_process"],
    ["home-assistant-down", "home_assistant"],
    ["kubernetes-down", "kubernetes"],
  ] as const) {
    assert.deepEqual(complaints(name, { exit: 0 }, { exit: 1, bad: [layer] } as Partial<LabLine>), []);
    assert.match(complaints(name, { exit: 0, bad: [] })[0]!, new RegExp(`no doctor names that ${layer} is down`));
    assert.equal(complaints(name, { exit: 1, bad: ["tls"] } as Partial<LabLine>).length, 1);
  }
});

test("A doctor that finds something in a healthy house, or with another node that announces, is complained of", () => {
  assert.equal(complaints("failover", { exit: 1 }, { exit: 0 }).length, 1);
  assert.deepEqual(complaints("failover", { exit: 0 }), []);
});
