import assert from "node:assert/strict";
import { test } from "node:test";
import { type AdvertisedInput, evaluateAdvertised, inRange } from "../../src/host/advertised.ts";
import { announceFailed, type ClusterSight, hasNoEndpoints } from "../../src/host/cluster.ts";
import { parseKubeconfig } from "../../src/runtime/node/kubeconfig.ts";
import { SPEAKER, setup } from "../support/host-ports.ts";

const ad = (more = {}) => ({
  name: "homelab-l2",
  pools: ["homelab-pool"],
  poolSelectors: [],
  nodeSelectors: [{ matchLabels: { "kubernetes.io/hostname": "n5" } }],
  serviceSelectors: [],
  interfaces: ["metallb0"],
  ...more,
});
const pool = (more = {}) => ({
  name: "homelab-pool",
  labels: { zone: "a" },
  addresses: ["192.168.8.50-192.168.8.79"],
  ...more,
});
const input = (more: Partial<AdvertisedInput> = {}): AdvertisedInput => ({
  service: "network/dns",
  serviceExists: true,
  serviceLabels: { app: "dns" },
  addresses: ["192.168.8.53"],
  node: "n5",
  nodeLabels: { "kubernetes.io/hostname": "n5", rack: "1" },
  link: "metallb0",
  others: [],
  advertisements: [ad()],
  pools: [pool()],
  ...more,
});

test("another declared node that the selectors name is told", () => {
  const advertisements = [ad({ nodeSelectors: [{ matchLabels: { "kubernetes.io/hostname": "n6" } }] })];
  const found = evaluateAdvertised(input({ advertisements, others: ["n6", "n7"] }));
  assert.deepEqual([found?.covered, found?.nodes], [false, ["n6"]]);
  assert.match(found?.reason ?? "", /leave out node n5 and name n6/);
});

const cases: readonly [
  string,
  Partial<AdvertisedInput>,
  { covered: boolean; interfaces: readonly string[] | null; reason: RegExp | null } | null,
][] = [
  ["as shipped", {}, { covered: true, interfaces: ["metallb0"], reason: null }],
  [
    "no interfaces named",
    { advertisements: [ad({ interfaces: [] })] },
    { covered: true, interfaces: null, reason: /every interface announces/ },
  ],
  [
    "two advertisements, one without interfaces",
    { advertisements: [ad(), ad({ name: "b", interfaces: [] })] },
    { covered: true, interfaces: null, reason: /announces/ },
  ],
  [
    "another interface",
    { advertisements: [ad({ interfaces: ["eno1"] })] },
    { covered: false, interfaces: ["eno1"], reason: /names eno1, not metallb0/ },
  ],
  [
    "another node",
    { advertisements: [ad({ nodeSelectors: [{ matchLabels: { "kubernetes.io/hostname": "n6" } }] })] },
    { covered: false, interfaces: [], reason: /leave out node n5$/ },
  ],
  ["deleted", { advertisements: [] }, { covered: false, interfaces: [], reason: /there is no L2Advertisement/ }],
  [
    "another pool",
    { advertisements: [ad({ pools: ["other"] })] },
    { covered: false, interfaces: [], reason: /no L2Advertisement covers the pool homelab-pool/ },
  ],
  [
    "no pool holds the address",
    { pools: [pool({ addresses: ["10.0.0.0/24"] })] },
    { covered: false, interfaces: [], reason: /no IPAddressPool holds 192.168.8.53/ },
  ],
  [
    "no pool named: all pools",
    { advertisements: [ad({ pools: [] })] },
    { covered: true, interfaces: ["metallb0"], reason: null },
  ],
  [
    "pool by label",
    {
      advertisements: [
        ad({ pools: [], poolSelectors: [{ matchExpressions: [{ key: "zone", operator: "In", values: ["a"] }] }] }),
      ],
    },
    { covered: true, interfaces: ["metallb0"], reason: null },
  ],
  [
    "pool by another label",
    { advertisements: [ad({ pools: [], poolSelectors: [{ matchLabels: { zone: "b" } }] })] },
    { covered: false, interfaces: [], reason: /covers the pool/ },
  ],
  [
    "no node selector: all nodes",
    { advertisements: [ad({ nodeSelectors: [] })] },
    { covered: true, interfaces: ["metallb0"], reason: null },
  ],
  [
    "one of two node selectors",
    { advertisements: [ad({ nodeSelectors: [{ matchLabels: { rack: "2" } }, { matchLabels: { rack: "1" } }] })] },
    { covered: true, interfaces: ["metallb0"], reason: null },
  ],
  [
    "service selector leaves it out",
    { advertisements: [ad({ serviceSelectors: [{ matchLabels: { app: "web" } }] })] },
    { covered: false, interfaces: [], reason: /covers the pool/ },
  ],
  ["the Service is gone", { serviceExists: false }, { covered: false, interfaces: [], reason: /does not exist/ }],
  [
    "node labels unreadable, selector by host name",
    { nodeLabels: null },
    { covered: true, interfaces: ["metallb0"], reason: null },
  ],
  [
    "node labels unreadable, selector by another label: not known",
    { nodeLabels: null, advertisements: [ad({ nodeSelectors: [{ matchLabels: { rack: "1" } }] })] },
    null,
  ],
];
for (const [name, more, expected] of cases) {
  test(`advertised: ${name}`, () => {
    const fact = evaluateAdvertised(input(more));
    if (expected === null || fact === null) return assert.equal(fact, expected);
    assert.deepEqual([fact.covered, fact.interfaces], [expected.covered, expected.interfaces]);
    if (expected.reason === null) assert.equal(fact.reason, null);
    else assert.match(fact.reason ?? "", expected.reason);
  });
}

test("ranges of pools hold what lies between their ends, in both families", () => {
  const inside = [
    ["192.168.8.50", "192.168.8.50-192.168.8.79"],
    ["192.168.8.79", "192.168.8.50 - 192.168.8.79"],
    ["10.1.2.3", "10.0.0.0/8"],
    ["10.0.0.1", "10.0.0.1/32"],
    ["fd00::5", "fd00::/64"],
    ["fd00::5", "fd00::1-fd00::9"],
    ["1.2.3.4", "0.0.0.0/0"],
  ];
  const outside = [
    ["192.168.8.80", "192.168.8.50-192.168.8.79"],
    ["10.1.2.3", "10.0.0.0/16"],
    ["fd01::5", "fd00::/64"],
    ["10.0.0.1", "fd00::/64"],
    ["10.0.0.1", "rubbish"],
    ["10.0.0.1", "10.0.0.0/33"],
    ["x", "10.0.0.0/8"],
    ["10.0.0.1", "10.0.0.0/"],
  ];
  for (const [address, range] of inside) assert.equal(inRange(address!, range!), true, `${address} in ${range}`);
  for (const [address, range] of outside) assert.equal(inRange(address!, range!), false, `${address} in ${range}`);
});

const sight = (more: Partial<ClusterSight> = {}): ClusterSight => ({
  reachable: true,
  detail: null,
  forbidden: false,
  pods: [],
  statuses: [],
  endpoints: {},
  advertised: [],
  failures: [],
  atMono: 0,
  ...more,
});

test("a failed announcement counts until a newer status of this node, or a newer speaker", () => {
  const failures = [{ service: "network/dns", host: null, at: 50_000 }];
  const status = (createdAt: number, node = "n5") => [{ node, service: "network/dns", interfaces: [], createdAt }];
  const pod = (startedAt: number) => [
    { name: "s", uid: "u", node: "n5", ready: true, restarts: 0, startedAt, terminating: false },
  ];
  assert.deepEqual(announceFailed(sight({ failures }), SPEAKER), ["network/dns"]);
  assert.deepEqual(announceFailed(sight({ failures, statuses: status(40_000) }), SPEAKER), ["network/dns"]);
  assert.deepEqual(announceFailed(sight({ failures, statuses: status(60_000) }), SPEAKER), []);
  assert.deepEqual(announceFailed(sight({ failures, statuses: status(60_000, "n6") }), SPEAKER), ["network/dns"]);
  assert.deepEqual(announceFailed(sight({ failures, pods: pod(50_900) }), SPEAKER), ["network/dns"]);
  assert.deepEqual(announceFailed(sight({ failures, pods: pod(60_000) }), SPEAKER), []);
  assert.equal(announceFailed(sight({ failures: null }), SPEAKER), null);
});

test("no endpoints is known only when every Service is known to have none", () => {
  const link = setup().links[0]!;
  assert.equal(hasNoEndpoints(sight({ endpoints: { "network/dns": 0 } }), link), true);
  assert.equal(hasNoEndpoints(sight({ endpoints: { "network/dns": 1 } }), link), false);
  assert.equal(hasNoEndpoints(sight(), link), false);
  assert.equal(hasNoEndpoints(null, link), false);
});

const kubeconfig = (user: string, cluster = "server: https://10.0.0.1:6443/k8s/") => `
current-context: b
contexts: [{ name: a, context: { cluster: x, user: y } }, { name: b, context: { cluster: c, user: u } }]
clusters: [{ name: c, cluster: { ${cluster}, certificate-authority-data: ${Buffer.from("CA").toString("base64")} } }]
users: [{ name: u, user: { ${user} } }]
`;

test("a kubeconfig gives server, authority, and token or certificate, inline or from files beside it", () => {
  const none = () => assert.fail("no file is wanted");
  assert.deepEqual(parseKubeconfig(kubeconfig("token: abc"), none), {
    origin: "https://10.0.0.1:6443",
    prefix: "/k8s",
    ca: "CA",
    insecure: false,
    serverName: null,
    token: "abc",
    certificate: null,
  });
  assert.equal(parseKubeconfig(kubeconfig("tokenFile: t"), (file) => `from ${file}\n`).token, "from t");
  const withFiles = parseKubeconfig(kubeconfig("client-certificate: c.pem, client-key: k.pem"), (file) => file);
  assert.deepEqual(withFiles.certificate, { cert: "c.pem", key: "k.pem" });
});

test("a kubeconfig that cannot be used says why, and never runs a plugin", () => {
  const fails: [string, RegExp][] = [
    ["- a list", /not YAML|no context/],
    ["{", /not YAML/],
    [kubeconfig("exec: { command: rm }"), /neither a token nor a client certificate; an exec plugin is not run/],
    [kubeconfig("token: x").replace("current-context: b", "current-context: z"), /no context named z/],
    [kubeconfig("token: x", "server: ftp://x"), /names no server/],
    [kubeconfig("tokenFile: gone"), /gone, which the kubeconfig names, cannot be read/],
  ];
  const missing = () => {
    throw Object.assign(new Error("x"), { code: "ENOENT" });
  };
  for (const [text, why] of fails) assert.throws(() => parseKubeconfig(text, missing), why);
});
