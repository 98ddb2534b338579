import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { inNamespaces, skipReason } from "./namespaces.ts";

interface Reach {
  readonly [machine: string]: {
    readonly answers: Readonly<Record<string, string>>;
    readonly macs: Readonly<Record<string, readonly string[]>>;
  };
}

const MAIN = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
const DUAL = fileURLToPath(new URL("../../src/lab/houses/dual.yaml", import.meta.url));
const GUEST = fileURLToPath(new URL("../../src/lab/houses/guest.yaml", import.meta.url));
const OTHER_HOUSE = fileURLToPath(new URL("./scripts/other-house.yaml", import.meta.url));

for (const brnf of ["0", "1"]) {
  test(`the VM and the LAN client reach both addresses, with bridge-nf-call-iptables ${brnf}`, {
    skip: skipReason(),
  }, () => {
    const found = inNamespaces<Reach>("reach", brnf);
    for (const machine of ["ha-vm", "lan", "n5"]) {
      assert.deepEqual(found[machine]?.answers, {
        "dns 192.168.8.53:53 auth.example.lan": "192.168.8.50",
        "dns 192.168.8.53:53 google.com": "203.0.113.80",
        "https 192.168.8.50 auth.example.lan/": "200",
      });
    }
    for (const machine of ["ha-vm", "lan"]) {
      assert.deepEqual(found[machine]?.macs, {
        "192.168.8.53": ["f2:5a:5f:84:40:e8"],
        "192.168.8.50": ["f2:5a:5f:84:40:e8"],
      });
    }
  });
}

test("a house with other names, networks, ports and MAC stands as well, and a vantage behind a router reaches it", {
  skip: skipReason(),
}, () => {
  const found = inNamespaces<Reach>("reach", "1", OTHER_HOUSE);
  for (const machine of ["guest", "attic", "shelf"]) {
    assert.deepEqual(found[machine]?.answers, {
      "dns 10.20.1.40:5353 login.cabin.test": "10.20.3.41",
      "https 10.20.3.41 login.cabin.test/start": "204",
    });
  }
  assert.deepEqual(found["guest"]?.macs, { "10.20.1.40": ["02:11:22:33:44:55"], "10.20.3.41": ["02:11:22:33:44:55"] });
});

test("a dual-stack house stands: IPv6 is answered by the link's MAC and served by the same pods", {
  skip: skipReason(),
}, () => {
  const found = inNamespaces<Reach>("reach", "0", DUAL);
  for (const machine of ["stall", "desk", "kube1"]) {
    const answers = found[machine]?.answers ?? {};
    for (const server of ["10.61.7.40:53", "[fd61:7::40]:53"])
      assert.equal(answers[`dns ${server} login.barn.test`], "10.61.7.41", `${machine} ${server}`);
    for (const address of ["10.61.7.41", "fd61:7::41"])
      assert.equal(answers[`https ${address} login.barn.test/start`], "204", `${machine} ${address}`);
  }
  for (const machine of ["stall", "desk"])
    for (const address of ["10.61.7.41", "fd61:7::40", "fd61:7::41"])
      assert.deepEqual(found[machine]?.macs[address], ["02:61:07:00:00:40"], `${machine} ${address}`);
});

test("a node that is itself a guest stands behind its firewall bridges, and a vantage behind a router reaches it", {
  skip: skipReason(),
}, () => {
  const found = inNamespaces<Reach>("reach", "1", GUEST);
  for (const machine of ["haos", "pantry", "garden"])
    assert.equal(found[machine]?.answers["https 172.20.4.80 id.loft.test/"], "200", machine);
  for (const machine of ["haos", "pantry"])
    assert.deepEqual(found[machine]?.macs["172.20.4.53"], ["bc:24:11:00:00:53"], machine);
});

test("a VLAN interface as parent stands, or is skipped by its name where the kernel has none", {
  skip: skipReason(),
}, () => {
  const directory = mkdtempSync(join(tmpdir(), "hairpin-vlan-"));
  const file = join(directory, "vlan.yaml");
  writeFileSync(file, readFileSync(GUEST, "utf8").replace("parent: ens18 ", "parent: ens18.20 "));
  const argv = [MAIN, "lab", "--json", "--config", file, "--calm", "1s"];
  const ran = spawnSync(process.execPath, argv, { encoding: "utf8", timeout: 90_000 });
  rmSync(directory, { recursive: true });
  if (ran.status === 0) return;
  assert.equal(ran.status, 3, `${ran.stdout}${ran.stderr}`);
  assert.match(ran.stdout, /"what":"skipped".*ens18\.20 is a VLAN interface, and this kernel has none/);
});
