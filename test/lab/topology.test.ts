import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { inNamespaces, skipReason } from "./namespaces.ts";

interface Reach {
  readonly [machine: string]: {
    readonly answers: Readonly<Record<string, string>>;
    readonly macs: Readonly<Record<string, readonly string[]>>;
  };
}

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
