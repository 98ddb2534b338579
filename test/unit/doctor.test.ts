import assert from "node:assert/strict";
import { test } from "node:test";
import { doctorPage } from "../../src/cli/doctor-page.ts";
import type { BootSight, Examination, LinkSight } from "../../src/core/doctor/examination.ts";
import { examine, unusable } from "../../src/core/doctor/report.ts";
import type { HostFacts } from "../../src/core/facts.ts";
import { examOf } from "../support/examination.ts";
import { DNS, factsOf, houseOf, LINK_MAC, OTHER_MAC, PARENT_MAC, WEB } from "../support/house.ts";

const SPEAKER = {
  ...factsOf().speaker,
  pods: [{ name: "speaker-x", node: "nodeone", ready: true, restarts: 0, age_s: 60 }],
};
const BOOT: BootSight = {
  netdevs: [{ path: "/etc/systemd/network/10-lb0.netdev", name: "lb0", kind: "macvlan", mac: LINK_MAC }],
  units: [],
  clusters: [{ service: "k0sworker.service", after: ["systemd-networkd-wait-online@lb0.service"] }],
};

function sightOf(facts: Partial<HostFacts> = {}, change: Partial<LinkSight> = {}): LinkSight {
  return {
    link: "lb0",
    facts: factsOf({ speaker: SPEAKER, ...facts }),
    rpFilterAll: 0,
    addresses: [],
    parentKind: "bridge",
    macvtaps: [],
    otherListeners: [],
    gratuitousInterval: "30s",
    process: {
      running: true,
      armed: true,
      guard: true,
      pausedUntil: null,
      guardStopped: false,
      breakerOpen: false,
      journal: "ok",
    },
    ...change,
  };
}

const onHost = (facts: Partial<HostFacts> = {}, change: Partial<LinkSight> = {}, more: Partial<Examination> = {}) =>
  examine(examOf({}, { where: "host", strangers: [], links: [sightOf(facts, change)], boot: BOOT, ...more }));

const texts = (report: ReturnType<typeof examine>, state: string) =>
  report.findings.filter((finding) => finding.state === state).map((finding) => finding.text);

test("A healthy vantage has no bad finding, and the first line says so", () => {
  const report = examine(examOf());
  assert.equal(report.ok, true);
  assert.deepEqual(texts(report, "bad"), []);
  assert.equal(report.verdict, `${DNS} and ${WEB} are fine from here.`);
  assert.ok(texts(report, "good").some((text) => text.includes(`${LINK_MAC} (lb0)`)));
});

test("A healthy host has no bad finding and no warning", () => {
  const report = onHost();
  assert.deepEqual([...texts(report, "bad"), ...texts(report, "warning")], []);
  assert.equal(report.ok, true);
});

test("A host says that it cannot see ARP, and that it cannot tell whether the macvlan is needed", () => {
  const unknowns = onHost({}, {}, { checks: [] }).findings.filter((finding) => finding.state === "unknown");
  assert.deepEqual(
    unknowns.map((finding) => finding.layer),
    ["need", "neighbour"],
  );
});

test("Nobody answers who-has while everything above is green: not announced, and not fine", () => {
  const silent = { answers: [], table: LINK_MAC };
  const report = examine(examOf({ resolver: silent, proxy: silent }));
  assert.equal(report.cause, "not_announced");
  assert.match(report.verdict, /^Nobody answers ARP for .* from here\./);
  assert.equal(report.ok, false);
});

test("Where nobody answers for the host itself either, it is the way to the host, and not its speaker", () => {
  const silent = { answers: [], table: LINK_MAC };
  const sights = { resolver: silent, proxy: silent };
  const hostHeard = { address: "10.9.8.1", heard: false };
  const report = examine(examOf(sights, { hostHeard }));
  assert.equal(report.cause, "lan_path");
  assert.match(report.verdict, /^Neither 10\.9\.8\.53 and 10\.9\.8\.50 nor the host itself \(10\.9\.8\.1\)/);
  assert.doesNotMatch(report.advice ?? "", /heal|kubectl/);
  assert.equal(examine(examOf(sights, { hostHeard: { ...hostHeard, heard: true } })).cause, "not_announced");
  assert.equal(examine(examOf({}, { hostHeard })).ok, true, "what is served is not cut off");
});

test("Two strangers' answers name every MAC that answered", () => {
  const both = { answers: [LINK_MAC, OTHER_MAC] };
  const report = examine(examOf({ resolver: both, proxy: both }));
  assert.equal(report.cause, "mac_conflict");
  assert.ok(texts(report, "bad").some((text) => text.includes(LINK_MAC) && text.includes(OTHER_MAC)));
});

test("A vantage tells the parent's MAC by whose answer the host's own address has", () => {
  const both = { answers: [LINK_MAC, PARENT_MAC] };
  const sights = { resolver: both, proxy: both };
  const known = examine(examOf(sights, { neighbourOfHost: { address: "10.9.8.1", mac: PARENT_MAC } }));
  assert.equal(known.cause, "announced_on_parent");
  assert.equal(examine(examOf(sights)).cause, "mac_conflict");
});

test("A certificate, a wrong answer and a dead service each have their cause and their layer", () => {
  const cases = [
    ["tls_expired", "proxy", "https", "certificate", "tls"],
    ["dns_wrong_answer", "resolver", "dns", "answer_wrong", "dns"],
    ["refused", "proxy", "https", "service_down", "tcp"],
  ] as const;
  for (const [failure, target, check, cause, layer] of cases) {
    const report = examine(examOf({ [target]: { fails: { [check]: failure } } }));
    assert.equal(report.cause, cause);
    assert.deepEqual(
      report.findings.filter((finding) => finding.state === "bad").map((finding) => finding.layer),
      [layer],
    );
  }
});

test("What was not reached is not looked at, and never good", () => {
  const report = examine(examOf({ proxy: { fails: { https: "refused" } } }));
  for (const layer of ["tls", "http"]) {
    assert.deepEqual(
      report.findings.filter((finding) => finding.layer === layer).map((finding) => finding.state),
      ["unknown"],
    );
  }
});

test("A machine whose own path is broken says nothing of the addresses", () => {
  const silent = { answers: [], fails: { dns: "no_reply" } } as const;
  const report = examine(examOf({ resolver: silent, proxy: silent }, { control: { ok: false, detail: "no answer" } }));
  assert.equal(report.blind, true);
  assert.equal(report.cause, "site_network");
});

test("Without targets and links there is nothing to look at", () => {
  const house = houseOf((config) => {
    const { link: _l, speaker: _s, ...rest } = config;
    return { ...rest, targets: {}, heal: { mode: "observe" } };
  });
  const report = examine({ ...examOf(), house, checks: [], ways: [] });
  assert.equal(report.blind, true);
  assert.equal(report.ok, false);
});

test("A configuration that cannot be used is the only finding", () => {
  const report = unusable("h.yaml", ["h.yaml:3:1: treshold: unknown key"]);
  assert.equal(report.ok, false);
  assert.equal(report.findings.length, 1);
});

test("The page shows control characters of the network as escapes and keeps how it is known to what is not good", () => {
  const report = examine(examOf({}, { warnings: ["a\u001b[31mred"] }));
  const page = doctorPage(report, false);
  assert.ok(page.startsWith(report.verdict));
  assert.ok(page.includes("a\\u001b[31mred"));
  assert.ok(!page.includes("\u001b"));
  assert.ok(page.split("\n").length < 24, "a healthy vantage fits a terminal");
});

test("The host names link causes first, whatever else is wrong", () => {
  const link = { ...factsOf().link, exists: false, up: null, mac: null };
  const report = onHost({ link, endpoints: [{ service: "net/dns", ready: 0 }] });
  assert.equal(report.cause, "link_missing");
  assert.match(report.verdict, /^lb0 is gone/);
});

test("The host names what it alone can read: advertisement, endpoints, speaker, strangers", () => {
  const entry = { service: "net/dns", addresses: [DNS], covered: true, interfaces: null, reason: "ad names none" };
  assert.equal(onHost({ advertised: [entry] }).cause, "announced_on_parent");
  assert.equal(onHost({ advertised: [{ ...entry, covered: false, interfaces: [] }] }).cause, "not_advertised");
  assert.equal(onHost({ endpoints: [{ service: "net/dns", ready: 0 }] }).cause, "no_endpoints");
  assert.equal(onHost({ speaker: { ...SPEAKER, listening: false } }).cause, "not_announced");
  assert.equal(onHost({ speaker: { ...SPEAKER, announce_failed: true } }).cause, "not_announced");
  const stranger = onHost({}, {}, { strangers: [{ address: DNS, macs: [LINK_MAC, OTHER_MAC] }] });
  assert.equal(stranger.cause, "mac_conflict");
  assert.match(stranger.advice ?? "", new RegExp(`^bridge fdb show \\| grep -iE ${OTHER_MAC} `));
  assert.match(stranger.verdict, new RegExp(`for ${DNS.replaceAll(".", "\\.")}\\.$`));
});

test("At bridge-nf-call-iptables 0 an effective rp_filter drops everything, unless the link has an address", () => {
  const dropped = onHost({ brnf: 0 }, { rpFilterAll: 2 });
  assert.equal(dropped.cause, "not_forwarded");
  assert.ok(texts(dropped, "bad").some((text) => text.includes("everything that arrives on it is dropped")));
  assert.equal(onHost({ brnf: null }, { rpFilterAll: 1 }).cause, "not_forwarded");
  assert.equal(onHost({ brnf: 0 }, { rpFilterAll: 2, addresses: ["169.254.7.7/32"] }).ok, true);
  const later = onHost({ brnf: 1 }, { rpFilterAll: 2 });
  assert.equal(later.ok, true);
  assert.equal(texts(later, "warning").length, 1);
});

test("A host that runs into time-outs blames neither ARP nor its neighbours", () => {
  const lost = { fails: { dns: "unreachable", upstream: "unreachable" } } as const;
  const report = examine(examOf({ resolver: lost }, { where: "host", links: [sightOf()], boot: BOOT }));
  // The other address of the link is served, so it is this one's service.
  assert.equal(report.cause, "service_down");
});

test("Kubernetes that does not answer is told, and the addresses stay fine", () => {
  const report = onHost({ kubernetes: { reachable: false, detail: "ECONNREFUSED" } });
  assert.equal(report.ok, false);
  assert.equal(report.cause, null);
  assert.match(report.verdict, /are fine from here, and something else is not: The Kubernetes API/);
});

const guest = { name: "haos", type: "bridge", source: "br-lan", mac: null, filter: null };

test("A guest on macvtap and one behind a filter of libvirt are named, with what to type", () => {
  const report = onHost({ guests: [{ ...guest, type: "direct" }] });
  assert.ok(texts(report, "warning").some((text) => /^haos .*macvtap on br-lan/.test(text)));
  assert.ok(report.findings.some((finding) => finding.advice?.startsWith("virsh domiflist haos ")));
  const filtered = onHost({ guests: [{ ...guest, filter: "clean-traffic" }] });
  assert.ok(texts(filtered, "good").some((text) => text.includes("haos is behind the nwfilter clean-traffic")));
  assert.deepEqual(texts(onHost({ guests: [guest, { ...guest, type: "direct", source: "eno9" }] }), "warning"), []);
});

test("Whether the macvlan is needed: what was measured, and the smaller cures that this host shows", () => {
  const needOf = (report: ReturnType<typeof examine>) => report.findings.find((finding) => finding.layer === "need")!;
  const calm = needOf(onHost());
  assert.match(calm.text, /^lb0 is probably not needed: .* 12 combinations/);
  assert.deepEqual(calm.evidence, [], "nothing stands out");
  assert.match(needOf(onHost({}, { parentKind: null })).text, /cannot be told: br-lan is no bridge/);
  const ports = [{ name: "vnet1", carrier: true, hairpin: false, uplink: false }];
  const entry = { service: "net/dns", addresses: [DNS], covered: true, interfaces: null, reason: "ad names none" };
  const ill = needOf(
    onHost(
      {
        ports,
        guests: [
          { ...guest, type: "direct" },
          { ...guest, name: "web", filter: "no-arp" },
        ],
        advertised: [entry],
        endpoints: [{ service: "web/proxy", ready: 0 }],
      },
      {},
    ),
  );
  for (const cure of [
    "endpoints of web/proxy",
    "`interfaces:`",
    "haos onto the bridge",
    "no-arp before web",
    "vnet1 hairpin on",
  ])
    assert.ok(ill.evidence[0]!.includes(cure), `${cure} in ${ill.evidence[0]}`);
  assert.match(needOf(onHost({ brnf: 0 }, { rpFilterAll: 2 })).evidence[0]!, /rp_filter 0/);
});

test("The bridge's table: flooding is told at brnf 0 alone, and a MAC that was learnt behind a port at any", () => {
  assert.deepEqual(texts(onHost({ fdb: [], brnf: 1 }), "warning"), []);
  assert.match(texts(onHost({ fdb: [], brnf: 0 }), "warning")[0]!, /flooded to every port/);
  assert.deepEqual(texts(onHost({ fdb: [{ port: "br-lan", state: "permanent" }], brnf: 0 }), "warning"), []);
  assert.match(texts(onHost({ fdb: [{ port: "vnet7", state: null }] }), "warning")[0]!, /behind vnet7/);
});

test("BGP resources beside layer 2 are told, and nothing is said where they may not be read", () => {
  assert.deepEqual(texts(onHost({ bgp: null }), "warning"), []);
  assert.deepEqual(texts(onHost({ bgp: { peers: [], advertisements: [] } }), "warning"), []);
  const told = texts(onHost({ bgp: { peers: ["old-router"], advertisements: ["all"] } }), "warning");
  assert.match(told[0]!, /BGPPeer old-router and BGPAdvertisement all/);
});

test("A host's page with everything in it still fits a terminal", () => {
  const page = doctorPage(onHost({ guests: [guest], fdb: [{ port: "br-lan", state: "permanent" }] }), false);
  assert.ok(page.split("\n").length <= 30, page);
  const terminal = doctorPage(onHost({ guests: [guest], fdb: [{ port: "br-lan", state: "permanent" }] }), false, 80);
  const lines = terminal.trimEnd().split("\n");
  assert.ok(lines.length <= 24 && lines.every((line) => line.length <= 80), terminal);
});

test("On a terminal sentences are broken under their column, and a command stands whole on its line", () => {
  const silent = { answers: [], table: LINK_MAC };
  const report = examine(examOf({ resolver: silent, proxy: silent }));
  const lines = doctorPage(report, false, 80).trimEnd().split("\n");
  assert.ok(
    lines.filter((line) => !line.includes("type: ")).every((line) => line.length <= 80),
    lines.join("\n"),
  );
  for (const advice of report.findings.flatMap((finding) => finding.advice ?? []))
    assert.ok(
      lines.some((line) => line.endsWith(`type: ${advice}`)),
      advice,
    );
  assert.ok(lines.length <= 40);
});

test("What to type fits the address's family, the way of asking, and the one that fails", () => {
  const [six, web] = ["fd00:9:8::53", "fd00:9:8::50"];
  const house = houseOf((config) => ({
    ...config,
    targets: {
      resolver: {
        address: six,
        checks: [{ dns: { name: "auth.attic.lan", expect: [WEB], transport: "tls", server_name: "dns.attic.lan" } }],
      },
      proxy: { address: web, checks: [{ https: { host: "auth.attic.lan", port: 8443 } }] },
    },
  }));
  const [resolver, proxy] = house.targets;
  const told = (failure: "no_reply" | "tls_expired") => {
    const check = { ok: false, failure, ms: 1 } as const;
    const checks = [
      {
        ...check,
        target: "resolver",
        check: "dns" as const,
        id: resolver!.checks.find(({ kind }) => kind === "dns")!.id,
      },
      {
        ...check,
        target: "proxy",
        check: "https" as const,
        id: proxy!.checks.find(({ kind }) => kind === "https")!.id,
      },
      {
        target: "resolver",
        check: "neighbour" as const,
        id: "neighbour",
        ok: false,
        failure: "no_neighbour" as const,
        ms: 1,
        evidence: { asked: true, answers: [] },
      },
    ];
    const ways = [six, web].map((address) => ({ address, way: "on_link" as const, device: "eth7" }));
    const report = examine({ ...examOf(), house, checks, ways });
    return [report.advice, ...report.findings.map((finding) => finding.advice)].filter((advice) => advice !== null);
  };
  const lost = told("no_reply");
  assert.ok(
    lost.some((advice) => advice.startsWith(`ip -6 neigh flush to ${six} dev eth7; ping -6 `)),
    lost.join("\n"),
  );
  assert.ok(lost.includes(`dig +tls +tls-hostname=dns.attic.lan @${six} auth.attic.lan A`), lost.join("\n"));
  const expired = told("tls_expired");
  assert.ok(
    expired.some((advice) => advice.startsWith(`openssl s_client -connect '[${six}]:853' -servername dns.attic.lan`)),
    expired.join("\n"),
  );
  assert.ok(expired.some((advice) => advice.includes(`-connect '[${web}]:8443' -servername auth.attic.lan`)));
  for (const advice of [...lost, ...expired]) assert.doesNotMatch(advice, /arping/);
});

test("A house of many addresses that all fail still fits a page: the first is told, the rest is counted", () => {
  const addresses = Array.from({ length: 12 }, (_, at) => `10.9.8.${60 + at}`);
  const house = houseOf((config) => ({
    ...config,
    targets: Object.fromEntries(
      addresses.map((address, at) => [
        `t${at}`,
        { address, checks: [{ dns: { name: "auth.attic.lan", expect: [WEB] } }] },
      ]),
    ),
  }));
  const dns = house.targets[0]!.checks.find(({ kind }) => kind === "dns")!.id;
  const checks = addresses.flatMap((_, at) => [
    { target: `t${at}`, ok: false, ms: 1, check: "dns" as const, id: dns, failure: "no_reply" as const },
    {
      target: `t${at}`,
      ok: false,
      ms: 1,
      check: "neighbour" as const,
      id: "neighbour",
      failure: "no_neighbour" as const,
      evidence: { asked: true, answers: [] },
    },
  ]);
  const ways = addresses.map((address) => ({ address, way: "on_link" as const, device: "eth0" }));
  const page = doctorPage(examine({ ...examOf(), house, checks, ways }), false);
  assert.ok(page.split("\n").length <= 30, page);
  assert.match(page, /Nobody answers who-has 10\.9\.8\.62\./);
  assert.match(page, /… and 9 more like it; --json has them\./);
  assert.match(page, /… and 8 more like it\.\n {2}here: nobody answers who-has 10\.9\.8\.71\./);
});
