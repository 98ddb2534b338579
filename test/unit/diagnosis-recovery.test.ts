import assert from "node:assert/strict";
import { test } from "node:test";
import { checksOf, FORMER_MAC, factsOf, houseOf, LINK_MAC, type Sight, stage } from "../support/house.ts";

/** What is said while a root cause is over and its traces are not: nothing that would be another cause. */
const both = (sight: Sight) => ({ resolver: sight, proxy: sight });
const silent: Sight = { answers: [], table: null, fails: { dns: "no_reply", upstream: "no_reply", https: "no_reply" } };
const calm = () => stage(houseOf()).facts().pass(20_000).facts().rounds(4);

test("who-has is answered again, and one check has not had its answer yet: not the service's fault", () => {
  const world = calm()
    .rounds(4, both(silent))
    .rounds(1, { resolver: { fails: { dns: "no_reply" } } });
  assert.equal(world.assess().cause, null);
  const lasting = world.rounds(4, { resolver: { fails: { dns: "no_reply", upstream: "no_reply" } } }).assess();
  assert.equal(lasting.cause, "service_down");
});

test("a routed vantage that was not heard since the others turned good accuses nobody", () => {
  const house = houseOf((config) => ({
    ...config,
    vantages: { guest: { where: "vm", key_file: "a" }, far: { where: "routed", key_file: "b" } },
  }));
  const lost: Sight = { fails: { dns: "no_reply", upstream: "no_reply" } };
  const far = [...checksOf("resolver", lost), ...checksOf("proxy", {})].filter((check) => check.check !== "neighbour");
  const fine = far.map((check) => ({ ...check, ok: true, failure: null }));
  const world = stage(house).facts();
  for (let round = 0; round < 4; round++) world.rounds(1, {}, ["guest"]).observed("far", fine);
  for (let round = 0; round < 4; round++) world.rounds(1, both(silent), ["guest"]).pass(300).observed("far", far);
  assert.equal(world.assess().cause, "not_announced");
  assert.equal(world.rounds(1, {}, ["guest"]).assess().cause, null);
  assert.equal(world.pass(500).observed("far", far).assess().cause, null, "the recovery is under way");
  assert.equal(world.pass(2_500).observed("far", far).assess().cause, "lan_path", "heard since, it says something");
});

test("the parent is back: what vantages said of their gateway before is explained, and the link is not missed by itself", () => {
  const gone = { parent: { exists: false, up: null, mac: null }, link: { ...factsOf().link, exists: false, up: null } };
  const world = calm().facts(gone).pass(3_000).facts(gone);
  assert.equal(world.assess().cause, "parent_missing");
  world.round("guest", {}, false).round("desk", {}, false);
  world.pass(1_000).facts({ link: { ...factsOf().link, exists: false, up: null } });
  assert.equal(world.assess().cause, null);
  world.pass(1_000).facts({ link: { ...factsOf().link, ifindex: 9 } });
  assert.equal(world.assess().cause, null);
});

test("IPv6 that nobody answers is named while IPv4 is fine, and is cured by a restart of the speaker", () => {
  const six = "fd09:8::53";
  const house = houseOf((config) => ({
    ...config,
    targets: { both: { address: ["10.9.8.53", six], service: "net/dns", checks: [{ tcp: { port: 53 } }] } },
  }));
  const world = stage(house).facts().pass(20_000).facts();
  const seen = (address: string, answers: readonly string[]) => ({
    ...{ target: "both", check: "neighbour" as const, id: `neighbour@${address}`, ok: answers.length > 0 },
    failure: answers.length > 0 ? null : ("no_neighbour" as const),
    evidence: { mac: LINK_MAC, asked: true, answers: answers.map((mac) => ({ mac, ms: 1 })) },
  });
  for (let round = 0; round < 4; round++) {
    world.pass(1_000);
    for (const vantage of ["guest", "desk"])
      world.observed(vantage, [seen("10.9.8.53", [LINK_MAC]), seen(six, round === 0 ? [LINK_MAC] : [])]);
  }
  const { cause, state, from, summary, votes } = world.assess();
  assert.deepEqual([cause, state, from, votes.length], ["not_announced", "degraded", "restart-speaker", 2]);
  assert.match(summary, /^Nobody answers neighbour discovery for fd09:8::53 from guest and desk\./);
});

test("what was good before the host's finding was over does not say that all is fine now", () => {
  const gone = { ...factsOf().link, exists: false, up: null };
  const world = calm().facts({ link: gone }).pass(3_000).facts({ link: gone });
  assert.equal(world.assess().cause, "link_missing");
  world.pass(1_000).facts();
  const { state, cause, good, outdated } = world.assess();
  assert.deepEqual([state, cause, good, outdated], ["unknown", null, [], true], "nobody has looked since");
  assert.equal(world.pass(500).round("guest", {}).assess().state, "unknown", "one vantage has not looked yet");
  const after = world.round("desk", {}).assess();
  assert.deepEqual([after.state, after.outdated], ["ok", false]);
});

test("a stale IPv6 neighbour begins with the speaker's restart: nothing is announced for IPv6", () => {
  const six = "fd09:8::53";
  const house = houseOf((config) => ({
    ...config,
    targets: { both: { address: ["10.9.8.53", six], service: "net/dns", checks: [{ tcp: { port: 53 } }] } },
  }));
  const seen = (address: string, table: string) => ({
    ...{ target: "both", check: "neighbour" as const, id: `neighbour@${address}`, ok: table === LINK_MAC },
    failure: table === LINK_MAC ? null : ("mac_unexpected" as const),
    evidence: { mac: table, asked: true, answers: [{ mac: LINK_MAC, ms: 1 }] },
  });
  const startWith = (table: Readonly<Record<string, string>>) => {
    const world = stage(house).facts().pass(20_000).facts();
    for (let round = 0; round < 4; round++) {
      world.pass(1_000);
      for (const vantage of ["guest", "desk"])
        world.observed(
          vantage,
          ["10.9.8.53", six].map((address) => seen(address, round === 1 ? (table[address] ?? LINK_MAC) : LINK_MAC)),
        );
    }
    const { cause, from } = world.assess();
    return [cause, from];
  };
  assert.deepEqual(startWith({ "10.9.8.53": FORMER_MAC }), ["stale_neighbour", "announce"]);
  assert.deepEqual(startWith({ "10.9.8.53": FORMER_MAC, [six]: FORMER_MAC }), ["stale_neighbour", "restart-speaker"]);
  assert.deepEqual(startWith({ [six]: FORMER_MAC }), ["stale_neighbour", "restart-speaker"]);
});

test("a routed vantage that is the first with a verdict waits for those that can ask", () => {
  const house = houseOf((config) => ({
    ...config,
    vantages: {
      guest: { where: "vm", key_file: "a" },
      desk: { where: "lan", key_file: "b" },
      far: { where: "routed", key_file: "c" },
    },
  }));
  const routed = (sight?: Sight) =>
    [...checksOf("resolver", sight), ...checksOf("proxy", sight)].filter((check) => check.check !== "neighbour");
  const lost: Sight = { fails: { dns: "no_reply", upstream: "no_reply", https: "no_reply" } };
  const causes = (sight: Sight) => {
    const world = stage(house).facts().pass(20_000).facts();
    for (let round = 0; round < 4; round++) world.rounds(1, {}, ["guest", "desk"]).observed("far", routed());
    for (let round = 0; round < 2; round++)
      world.rounds(1, both(sight), ["guest", "desk"]).observed("far", routed(lost));
    world.pass(900).observed("far", routed(lost));
    const { cause, state } = world.assess();
    return [cause, state, world.rounds(1, both(sight), ["guest", "desk"]).assess().cause];
  };
  assert.deepEqual(causes(lost), [null, "suspect", "not_forwarded"]);
  assert.deepEqual(causes(silent), [null, "suspect", "not_announced"]);
});

test("who failed while the speaker looked for its new link is asked to look again as soon as that says something", () => {
  const link = { ...factsOf().link, ifindex: 9 };
  const world = calm().facts({ link });
  const { mono } = world.now;
  world.rounds(4, both({ answers: [], table: LINK_MAC }));
  assert.equal(world.assess().outdated, false, "the speaker has its time");
  world.pass(mono + 11_000 - world.now.mono).facts({ link });
  assert.deepEqual([world.assess().cause, world.assess().outdated], [null, true]);
  world
    .rounds(3, both({ answers: [], table: LINK_MAC }))
    .pass(3_000)
    .facts({ link });
  assert.deepEqual([world.assess().outdated, world.assess().cause], [false, "not_announced"]);
});

test("who is served again while the other has not been heard since accuses no path", () => {
  for (const [first, second] of [
    ["guest", "desk"],
    ["desk", "guest"],
  ] as const) {
    const world = calm();
    for (let round = 0; round < 4; round++) world.rounds(1, both(silent), [second]).rounds(1, both(silent), [first]);
    assert.equal(world.assess().cause, "not_announced");
    const causes = [1, 2, 3].map(() => world.rounds(1, {}, [first]).assess().cause);
    assert.deepEqual([...new Set(causes)], ["not_announced"], `${first} recovers first`);
  }
});
