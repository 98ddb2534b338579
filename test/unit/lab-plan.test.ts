import assert from "node:assert/strict";
import { test } from "node:test";
import { planHouse, shapeOf } from "../../src/lab/house-plan.ts";
import { linkLocal, namedAfter, prefixOf, toAddress6 } from "../../src/lab/network6.ts";
import { advertisementFor, parseSolicitation, solicitedMac } from "../../src/lab/standins/ndp.ts";
import { houseOf } from "../support/house.ts";

const withParent = (parent: string) => houseOf((config) => ({ ...config, link: { ...config.link!, parent } }));

test("a parent that is named like a card makes the node a guest, a bridge's name does not", () => {
  for (const name of ["ens18", "enp3s0", "eth0", "ens18.20", "eno1"])
    assert.equal(shapeOf(withParent(name)), "guest", name);
  for (const name of ["bridge0", "br-lan", "vmbr0", "lan"]) assert.equal(shapeOf(withParent(name)), "bridge", name);
});

test("on a hypervisor a guest's port is a tap of its own number, beside the node's", () => {
  const plan = planHouse(withParent("ens18"));
  assert.deepEqual(
    plan.machines.filter((machine) => machine.at === "bridge").map((machine) => machine.port),
    ["tap101i0"],
  );
});

test("a house is dual-stack when a target is, and its machines are named after their IPv4 addresses", () => {
  assert.equal(planHouse(houseOf()).lan6, null);
  const house = houseOf((config) => ({
    ...config,
    targets: { both: { address: ["10.9.8.53", "fd09:8::53"], checks: [{ tcp: { port: 80 } }] } },
  }));
  const plan = planHouse(house);
  assert.deepEqual(plan.lan6, [0xfd09, 8, 0, 0]);
  assert.notEqual(plan.pods[0]?.ip6, null);
  assert.equal(namedAfter(plan.lan6 ?? [], plan.lan, plan.gateway), "fd09:8::a:0:1");
});

test("IPv6 addresses are written as the kernel writes them", () => {
  assert.equal(toAddress6([0xfd00, 0x10, 0x244, 0, 0, 0xa, 0, 0x0b]), "fd00:10:244::a:0:b");
  assert.equal(toAddress6([0, 0, 0, 0, 0, 0, 0, 1]), "::1");
  assert.equal(toAddress6([0xfd61, 7, 0, 0, 0, 0, 0, 0]), "fd61:7::");
  assert.equal(toAddress6([0x2001, 0xdb8, 0, 1, 1, 1, 1, 1]), "2001:db8:0:1:1:1:1:1");
  assert.deepEqual(prefixOf("fd61:7::40"), [0xfd61, 7, 0, 0]);
  assert.equal(linkLocal("02:61:07:00:00:40"), "fe80::61:7ff:fe00:40");
});

test("a solicitation is answered to the asker, and what is none is left alone", () => {
  assert.equal(solicitedMac("fd61:7::1:abcd"), "33:33:ff:01:ab:cd");
  // From fe80::1 at 02:00:00:00:00:01 to the group of fd61:7::40, as the kernel sends it (the checksum is not looked at).
  const head = `3333ff000040${"020000000001"}86dd6000000000203aff`;
  const from = "fe800000000000000000000000000001";
  const solicitation = `${head}${from}ff0200000000000000000001ff0000408700000000000000fd610007000000000000000000000040`;
  const asked = parseSolicitation(Buffer.from(`${solicitation}0101020000000001`, "hex"));
  assert.deepEqual(asked, { fromMac: "02:00:00:00:00:01", from: "fe80::1", target: "fd61:7::40" });
  const answer = advertisementFor(asked!, "02:61:07:00:00:40");
  assert.equal(answer.subarray(0, 12).toString("hex"), "020000000001026107000040");
  assert.equal(answer[54], 136);
  // Solicited, without override; and MetalLB answers nobody who does not give his MAC.
  assert.equal(answer[58], 0x40);
  assert.equal(parseSolicitation(Buffer.from(`${solicitation}0e01020000000001`, "hex")), null);
  assert.equal(parseSolicitation(Buffer.from(solicitation, "hex")), null);
  assert.equal(answer.subarray(38, 54).toString("hex"), from);
  assert.equal(parseSolicitation(answer), null);
  assert.equal(parseSolicitation(Buffer.alloc(20)), null);
});
