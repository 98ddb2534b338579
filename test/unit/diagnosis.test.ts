import assert from "node:assert/strict";
import { test } from "node:test";
import type { HostFacts } from "../../src/core/facts.ts";
import { FORMER_MAC, factsOf, houseOf, LINK_MAC, OTHER_MAC, PARENT_MAC, type Sight, stage } from "../support/house.ts";

const both = (sight: Sight) => ({ resolver: sight, proxy: sight });
const silent: Sight = { answers: [], table: null, fails: { dns: "no_reply", upstream: "no_reply", https: "no_reply" } };
const timeouts: Sight = { fails: { dns: "no_reply", upstream: "no_reply", https: "no_reply" } };
const calm = () => stage(houseOf()).facts().pass(20_000).facts().rounds(4);

test("a healthy house has no cause and is ok", () => {
  const { state, cause, votes } = calm().assess();
  assert.deepEqual([state, cause, votes.length], ["ok", null, 0]);
});

test("nobody answers while the speaker does not listen: not_announced, three votes, from restart-speaker", () => {
  const facts = factsOf().speaker;
  const world = calm().facts({ speaker: { ...facts, listening: false } });
  const seen = world
    .rounds(3, both(silent))
    .facts({ speaker: { ...facts, listening: false } })
    .assess();
  assert.equal(seen.cause, "not_announced");
  assert.equal(seen.state, "failing");
  assert.deepEqual(
    seen.votes.map((vote) => vote.kind),
    ["vantage", "vantage", "host_fact"],
  );
  assert.equal(seen.from, "restart-speaker");
  assert.match(seen.summary, /Nobody answers ARP for 10\.9\.8\.53 and 10\.9\.8\.50 from guest and desk\. lb0 is up\./);
});

test("nobody answers although the speaker listens: the ladder starts at announce", () => {
  const seen = calm().rounds(3, both(silent)).assess();
  assert.deepEqual([seen.cause, seen.from], ["not_announced", "announce"]);
});

test("green probes with an unanswered who-has are degraded, and vote", () => {
  const seen = calm()
    .rounds(3, both({ answers: [], table: LINK_MAC }))
    .assess();
  assert.deepEqual([seen.state, seen.cause, seen.votes.length], ["degraded", "not_announced", 2]);
});

test("a link that is gone is named before what follows from it, once it has stood for two seconds", () => {
  const gone = { ...factsOf().link, exists: false, up: null };
  const world = calm().facts({ link: gone });
  assert.equal(world.pass(1_000).assess().cause, null);
  assert.equal(world.rounds(3, both(silent)).facts({ link: gone }).assess().cause, "link_missing");
});

test("a link that differs from the declaration is link_drifted", () => {
  const link = { ...factsOf().link, rp_filter: 2 };
  const seen = calm().facts({ link }).pass(3_000).facts({ link }).assess();
  assert.equal(seen.cause, "link_drifted");
  assert.match(seen.evidence.join(), /rp_filter 2, declared is 0/);
});

test("a missing parent explains a missing link", () => {
  const facts = { parent: { exists: false, up: null, mac: null }, link: { ...factsOf().link, exists: false } };
  assert.equal(calm().facts(facts).pass(3_000).facts(facts).assess().cause, "parent_missing");
});

test("the parent's MAC among the answers is announced_on_parent, alone or beside ours", () => {
  for (const answers of [[PARENT_MAC], [LINK_MAC, PARENT_MAC]]) {
    const seen = calm()
      .rounds(3, both({ answers, table: answers[0]! }))
      .assess();
    assert.equal(seen.cause, "announced_on_parent");
    assert.match(seen.advice ?? "", /interfaces: \[lb0\]/);
    assert.equal(seen.from, null);
  }
});

test("a former MAC that answers alone is speaker_stale_mac", () => {
  const seen = calm()
    .rounds(3, both({ answers: [FORMER_MAC], table: FORMER_MAC }))
    .assess();
  assert.deepEqual([seen.cause, seen.from, seen.votes.length], ["speaker_stale_mac", "restart-speaker", 2]);
});

test("a former MAC in the table is latched, since asking cures the asker, until a repair voids it", () => {
  const world = calm()
    .rounds(1, both({ answers: [LINK_MAC], table: FORMER_MAC }))
    .rounds(3);
  const seen = world.assess();
  assert.deepEqual(
    [seen.state, seen.cause, seen.from, seen.votes.length],
    ["degraded", "stale_neighbour", "announce", 2],
  );
  assert.deepEqual(seen.proved, []);
  const after = world.assess(world.now.mono - 2_500);
  assert.deepEqual([after.state, after.cause, after.proved], ["ok", null, ["guest", "desk"]]);
});

test("a MAC in the table that was never ours is no stale neighbour", () => {
  assert.equal(
    calm()
      .rounds(1, both({ answers: [LINK_MAC], table: OTHER_MAC }))
      .rounds(3)
      .assess().cause,
    null,
  );
});

test("two MACs are a conflict, one unknown MAC is unexpected, and neither may be healed", () => {
  const conflict = calm()
    .rounds(3, both({ answers: [LINK_MAC, OTHER_MAC] }))
    .assess();
  assert.deepEqual([conflict.cause, conflict.from], ["mac_conflict", null]);
  assert.match(conflict.evidence.join(), new RegExp(`${LINK_MAC} .*${OTHER_MAC} \\(unknown\\)`));
  assert.equal(
    calm()
      .rounds(3, both({ answers: [OTHER_MAC], table: OTHER_MAC }))
      .assess().cause,
    "mac_unexpected",
  );
});

test("another declared node that answers is fine", () => {
  const house = houseOf((config) => ({ ...config, link: { ...config.link!, also: { nodetwo: OTHER_MAC } } }));
  const world = stage(house).facts();
  const seen = world.rounds(3, both({ answers: [OTHER_MAC], table: OTHER_MAC, known: true })).assess();
  assert.deepEqual([seen.state, seen.cause, seen.from], ["ok", "announced_elsewhere", null]);
});

test("only the VM fails while the LAN has looked since: vm_path, told and not healed", () => {
  const world = calm();
  for (let round = 0; round < 3; round++) world.rounds(1, both(timeouts), ["guest"]).rounds(1, {}, ["desk"]);
  const seen = world.assess();
  assert.deepEqual([seen.cause, seen.from], ["vm_path", null]);
});

/** One vantage fails all the time, the other has what it is given: what is said after each of their rounds. */
function whileFails(failing: string, other: string) {
  const world = calm();
  const alternate = (sight: Sight) =>
    [[failing, timeouts] as const, [other, sight] as const].map(
      ([vantage, seen]) => world.rounds(1, both(seen), [vantage]).assess().cause,
    );
  for (let round = 0; round < 3; round++) alternate({});
  return (sights: readonly Sight[]) => sights.flatMap(alternate);
}

test("one lost sample on the LAN does not make the VM's trouble everybody's", () => {
  const causes = whileFails("guest", "desk");
  assert.deepEqual([...new Set(causes([timeouts, {}, {}]))], ["vm_path"]);
  assert.equal(causes([timeouts, timeouts, timeouts]).at(-1), "not_forwarded", "when it fails for good, it does");
});

test("a VM that fails alone is told by the way libvirt plugs it in, where its files say it", () => {
  const guests = [{ name: "haos", type: "direct", source: "br-lan", mac: null, filter: null }];
  const told = (facts: Partial<HostFacts>) => {
    const world = calm().facts(facts);
    for (let round = 0; round < 3; round++) world.rounds(1, both(timeouts), ["guest"]).rounds(1, {}, ["desk"]);
    return world.facts(facts).assess().advice ?? "";
  };
  assert.match(told({ guests }), /^virsh edit haos .*macvtap on br-lan/);
  assert.match(
    told({ guests: [{ ...guests[0]!, type: "bridge", filter: "no-arp" }] }),
    /^virsh nwfilter-dumpxml no-arp /,
  );
  assert.match(told({ guests: [{ ...guests[0]!, source: "eno9", name: "$(x)" }] }), /^bridge -d link/);
});

test("until the LAN has looked, a failing VM is undecided", () => {
  assert.equal(calm().rounds(3, both(silent), ["guest"]).assess().undecided, true);
});

test("only the LAN fails while the VM is fine: lan_path", () => {
  const world = calm();
  for (let round = 0; round < 3; round++) world.rounds(1, both(silent), ["desk"]).rounds(1, {}, ["guest"]);
  assert.equal(world.assess().cause, "lan_path");
});

test("one lost sample at the VM does not make the LAN's trouble everybody's", () => {
  assert.deepEqual([...new Set(whileFails("desk", "guest")([timeouts, {}, {}]))], ["lan_path"]);
});

test("an uplink without carrier, with a vantage cut off, is lan_path and not the site's network", () => {
  const ports = [{ name: "eth0", carrier: false, hairpin: false, uplink: true }];
  const world = calm().facts({ ports }).pass(9_000);
  world.round("guest", {}, false);
  assert.equal(world.facts({ ports }).assess().cause, "lan_path");
});

test("a cable that has just been pulled is not called the site's network while the host's word is young", () => {
  const ports = [{ name: "eth0", carrier: false, hairpin: false, uplink: true }];
  const world = calm().facts({ ports });
  world.round("guest", {}, false).round("desk", {}, false);
  assert.equal(world.assess().cause, null);
});

test("a free uplink port without carrier is no finding in a healthy house", () => {
  const ports = [{ name: "eth1", carrier: false, hairpin: false, uplink: true }];
  assert.equal(calm().facts({ ports }).rounds(3).facts({ ports }).assess().cause, null);
});

test("bad controls at half of the vantages are the site's network, and cast no votes", () => {
  const world = calm().pass(1_000);
  world.round("guest", both(silent), false).round("desk", both(silent), false);
  const seen = world.assess();
  assert.deepEqual([seen.cause, seen.siteWide, seen.votes.length, seen.voters.length], ["site_network", true, 0, 0]);
});

test("silence with an uncovered Service is not_advertised, with no ready endpoint no_endpoints", () => {
  const advertised = [
    { service: "net/dns", addresses: [], covered: false, interfaces: null, reason: "no L2Advertisement" },
  ];
  assert.equal(
    calm().facts({ advertised }).rounds(3, both(silent)).facts({ advertised }).assess().cause,
    "not_advertised",
  );
  const endpoints = [{ service: "net/dns", ready: 0 }];
  const seen = calm().facts({ endpoints }).rounds(3, both(silent)).facts({ endpoints }).assess();
  assert.deepEqual([seen.cause, seen.from], ["no_endpoints", null]);
});

test("the right MAC answers and everything times out: not_forwarded", () => {
  assert.equal(calm().rounds(3, both(timeouts)).assess().cause, "not_forwarded");
});

test("refused, 5xx and SERVFAIL of local records are service_down; a dead pod that lets UDP time out as well", () => {
  assert.equal(
    calm()
      .rounds(3, { proxy: { fails: { https: "refused" } } })
      .assess().cause,
    "service_down",
  );
  assert.equal(
    calm()
      .rounds(3, { proxy: { fails: { https: "http_status" }, status: 503 } })
      .assess().cause,
    "service_down",
  );
  assert.equal(
    calm()
      .rounds(3, { resolver: { fails: { dns: "dns_servfail", upstream: "dns_servfail" } } })
      .assess().cause,
    "service_down",
  );
  assert.equal(
    calm()
      .rounds(3, { resolver: { fails: { dns: "refused", upstream: "no_reply" } } })
      .assess().cause,
    "service_down",
  );
});

test("external names fail and local ones do not: upstream_dns", () => {
  assert.equal(
    calm()
      .rounds(3, { resolver: { fails: { upstream: "dns_servfail" } } })
      .assess().cause,
    "upstream_dns",
  );
});

test("wrong answers and certificates have their own names", () => {
  assert.equal(
    calm()
      .rounds(3, { resolver: { fails: { dns: "dns_wrong_answer" } } })
      .assess().cause,
    "answer_wrong",
  );
  assert.equal(
    calm()
      .rounds(3, { proxy: { fails: { https: "http_status" }, status: 404 } })
      .assess().cause,
    "answer_wrong",
  );
  assert.equal(
    calm()
      .rounds(3, { proxy: { fails: { https: "tls_expired" } } })
      .assess().cause,
    "certificate",
  );
});

test("a page or a header that is wrong behind a good status is a wrong answer: shown with its words, and never a vote", () => {
  for (const failure of ["http_body", "http_header"] as const) {
    const seen = calm()
      .rounds(3, { proxy: { fails: { https: failure }, status: 200 } })
      .assess();
    assert.deepEqual([seen.state, seen.cause, seen.votes.length], ["failing", "answer_wrong", 0], failure);
    assert.match(seen.summary, /10\.9\.8\.50 answers, and the answer is not the declared one/);
    assert.ok(
      seen.evidence.some((sentence) => sentence.includes(failure)),
      seen.evidence.join(" "),
    );
    assert.match(seen.advice!, /logs/);
  }
});

test("a silent vantage is a finding of its own and says nothing of the addresses", () => {
  const world = calm().rounds(35, {}, ["desk"]);
  const seen = world.assess();
  assert.deepEqual([seen.state, seen.cause, seen.targets], ["ok", "vantage_silent", []]);
});

test("no fact of the host alone casts two votes, and stale facts cast none", () => {
  const speaker = { ...factsOf().speaker, listening: false, announce_failed: true };
  const world = calm().facts({ speaker }).rounds(3, both(silent)).facts({ speaker });
  assert.equal(world.assess().votes.filter((vote) => vote.kind === "host_fact").length, 1);
  const later = world.rounds(20, both(silent)).assess();
  assert.equal(later.votes.filter((vote) => vote.kind === "host_fact").length, 0);
});

test("a link that was just made is not told before the speaker has had its look at it", () => {
  const link = { ...factsOf().link, ifindex: 8 };
  const green: Sight = { answers: [], table: LINK_MAC };
  const world = calm().facts({ link }).rounds(4, both(green)).facts({ link });
  assert.deepEqual([world.assess().state, world.assess().cause], ["suspect", null]);
  assert.equal(world.rounds(14, both(green)).facts({ link }).assess().cause, "not_announced");
  const dead = calm().facts({ link }).rounds(4, both(silent)).facts({ link });
  assert.deepEqual([dead.assess().state, dead.assess().cause], ["suspect", null], "it follows from the link's absence");
  assert.equal(dead.rounds(14, both(silent)).facts({ link }).assess().cause, "not_announced");
  const speaker = { ...factsOf().speaker, announce_failed: true };
  const gaveUp = calm().facts({ link, speaker }).rounds(4, both(silent)).facts({ link, speaker });
  assert.equal(gaveUp.assess().cause, "not_announced", "a speaker that has given up is told at once");
});

test("whoever is asked first after a repair does not make the others a path of their own", () => {
  for (const first of ["guest", "desk"]) {
    const world = calm().rounds(4, both(silent)).pass(500);
    world.round(first, {});
    assert.equal(world.assess().cause, "not_announced");
  }
});

test("one refusal of late says what the time-outs of a dead pod mean", () => {
  const refused: Sight = { fails: { dns: "refused", upstream: "refused" } };
  const late: Sight = { fails: { dns: "no_reply", upstream: "no_reply" } };
  const world = calm().rounds(1, { resolver: refused }, ["guest"]).rounds(3, { resolver: late });
  assert.equal(world.assess().cause, "service_down");
});

test("announced on another interface than the link: not_announced, told with the manifest, never healed", () => {
  const advertised = [
    { service: "net/dns", addresses: [], covered: false, interfaces: ["eth1"], reason: "on eth1 only" },
  ];
  const seen = calm().facts({ advertised }).rounds(3, both(silent)).facts({ advertised }).assess();
  assert.deepEqual([seen.cause, seen.from], ["not_announced", null]);
  assert.match(seen.advice ?? "", /interfaces: \[lb0\]/);
});

test("one vantage that held a former MAC is a vote; the host that has just seen its link made anew is the second", () => {
  const stale: Sight = { answers: [LINK_MAC], table: FORMER_MAC };
  const quiet = calm().rounds(1, both(stale), ["guest"]).rounds(2);
  assert.equal(quiet.assess().votes.length, 1);
  const link = { ...factsOf().link, ifindex: 9 };
  const remade = calm().facts({ link }).rounds(1, both(stale), ["guest"]).rounds(2).facts({ link });
  assert.deepEqual(
    remade.assess().votes.map((vote) => vote.kind),
    ["vantage", "host_fact"],
  );
});

test("one address that times out while its neighbour on the link is served is that service's fault", () => {
  const late: Sight = { fails: { dns: "no_reply", upstream: "no_reply" } };
  assert.equal(calm().rounds(3, { resolver: late }).assess().cause, "service_down");
});
