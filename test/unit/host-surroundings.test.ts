import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { persistenceOf } from "../../src/core/boot.ts";
import { hostFacts } from "../../src/core/facts.ts";
import { createCluster } from "../../src/host/cluster.ts";
import type { Answer, Kubernetes } from "../../src/host/port.ts";
import { parseFdb } from "../../src/runtime/node/host-surroundings.ts";
import { parseMachine, readGuests } from "../../src/runtime/node/libvirt-guests.ts";
import { factsOf, houseOf, LINK_MAC } from "../support/house.ts";

const MACHINE = `<!--
WARNING: THIS IS AN AUTO-GENERATED FILE. <interface type='direct'>
-->
<domain type='kvm'>
  <name>haos</name>
  <devices>
    <interface type='bridge'>
      <mac address='52:54:00:AA:00:01'/>
      <source bridge='br-lan'/>
      <model type='virtio'/>
      <filterref filter='clean-traffic'>
        <parameter name='IP' value='10.9.8.10'/>
      </filterref>
    </interface>
    <interface type='direct' trustGuestRxFilters='yes'>
      <source dev='br-lan' mode='bridge'/>
    </interface>
    <interface type="network"><source network="house"/></interface>
    <interface type='network'><source network='default'/></interface>
    <interface type='user'/>
  </devices>
</domain>
`;
const NETWORKS = {
  "house.xml": "<network><name>house</name><forward mode='bridge'/><bridge name='br-lan'/></network>",
  "default.xml": "<network><name>default</name><forward mode='nat'/><bridge name='virbr0' stp='on'/></network>",
};

/** A tree of files that is gone afterwards. */
function within<T>(files: Readonly<Record<string, string>>, look: (root: string) => T): T {
  const root = mkdtempSync(join(tmpdir(), "hairpin-around-"));
  try {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    return look(root);
  } finally {
    rmSync(root, { recursive: true });
  }
}

test("libvirt's files tell bridge from macvtap, follow its networks, and name the filter", () => {
  const files = { "etc/libvirt/qemu/haos.xml": MACHINE };
  for (const [name, text] of Object.entries(NETWORKS))
    Object.assign(files, { [`etc/libvirt/qemu/networks/${name}`]: text });
  const found = within(files, readGuests);
  assert.deepEqual(
    found?.map(({ name, type, source, filter }) => [name, type, source, filter]),
    [
      ["haos", "bridge", "br-lan", "clean-traffic"],
      ["haos", "direct", "br-lan", null],
      ["haos", "bridge", "br-lan", null],
      ["haos", "network", "default", null],
      ["haos", "user", null, null],
    ],
  );
  assert.equal(found?.[0]?.mac, "52:54:00:aa:00:01");
});

test("Without libvirt nothing is known of the guests, and that is not the same as none", () => {
  assert.equal(within({}, readGuests), null);
  assert.deepEqual(within({ "etc/libvirt/qemu/networks/x.xml": "" }, readGuests), []);
});

test("A machine's file that is broken off gives what is in it", () => {
  assert.deepEqual(
    parseMachine(MACHINE.slice(0, MACHINE.indexOf("<model"))).map(({ type, source }) => [type, source]),
    [["bridge", "br-lan"]],
  );
});

// As `bridge -j fdb show br br-lan` prints it on Linux 6 with a macvlan on the bridge.
const filterOnly = { mac: LINK_MAC, ifname: "br-lan", flags: ["self"], state: "permanent" };
const own = { mac: LINK_MAC, ifname: "br-lan", flags: [], master: "br-lan", state: "permanent" };
const learnt = { mac: LINK_MAC, ifname: "vnet1", flags: [], master: "br-lan", state: "" };

test("The bridge's own entry for the link's MAC is told from the filter of its device, and from one that was learnt", () => {
  const parse = (...rows: readonly object[]) => parseFdb(JSON.stringify(rows), LINK_MAC);
  assert.deepEqual(parse(filterOnly), []);
  assert.deepEqual(parse(filterOnly, own), [{ port: "br-lan", state: "permanent" }]);
  assert.deepEqual(parse(learnt, { ...learnt, mac: "02:00:00:00:00:01" }), [{ port: "vnet1", state: null }]);
  assert.equal(parseFdb("Cannot find bridge device", LINK_MAC), null);
});

test("Persistence: who makes the link, whether with its MAC, and whether the cluster waits for it", () => {
  const link = houseOf().links[0]!;
  const netdev = { path: "/etc/systemd/network/10-lb0.netdev", name: "lb0", kind: "macvlan", mac: LINK_MAC };
  const late = { service: "k0sworker.service", after: ["network.target"] };
  assert.deepEqual(persistenceOf({ netdevs: [], units: [], clusters: [late] }, link), {
    made_by: null,
    mac: null,
    before_cluster: null,
  });
  assert.deepEqual(persistenceOf({ netdevs: [{ ...netdev, mac: null }], units: [], clusters: [late] }, link), {
    made_by: netdev.path,
    mac: false,
    before_cluster: false,
  });
  const unit = { path: "/etc/systemd/system/u.service", unit: "u.service", link: "lb0", enabled: true };
  const ordered = { service: "k0sworker.service", after: ["u.service"] };
  assert.deepEqual(persistenceOf({ netdevs: [], units: [unit], clusters: [ordered] }, link), {
    made_by: "u.service",
    mac: true,
    before_cluster: true,
  });
});

test("Facts of an older host, which has none of this, are still facts", () => {
  assert.equal(hostFacts.safeParse(factsOf()).success, true);
});

test("BGP resources are asked for once a minute, and a right that is missing leaves them unknown", async () => {
  const speaker = houseOf().speakers["default"]!;
  let [now, asked] = [0, 0];
  let answer: Answer<{ peers: string[]; advertisements: string[] }> = { ok: false, status: 403, detail: "forbidden" };
  const empty = async () => ({ ok: true, value: [] }) as const;
  const kubernetes = {
    ...{ pods: empty, l2Statuses: empty, advertisements: empty, pools: empty, announceFailed: empty },
    nodeLabels: async () => ({ ok: true, value: {} }),
    readyEndpoints: async () => ({ ok: true, value: 1 }),
    bgp: async () => {
      asked++;
      return answer;
    },
  } as unknown as Kubernetes;
  const clock = { mono: () => now, wall: () => now, after: () => () => {} };
  const cluster = createCluster(kubernetes, speaker, [], clock);
  const sightAt = async (mono: number) => {
    now = mono;
    return (await cluster.refresh(0)).bgp;
  };
  assert.equal(await sightAt(1), null);
  assert.equal(await sightAt(10_000), null);
  assert.equal(asked, 1);
  answer = { ok: true, value: { peers: ["old"], advertisements: [] } };
  assert.deepEqual(await sightAt(61_000), { peers: ["old"], advertisements: [] });
  assert.equal(asked, 2);
});
