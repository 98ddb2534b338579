import assert from "node:assert/strict";
import { test } from "node:test";
import { plain } from "../../src/probes/finding.ts";
import { judgeLink } from "../../src/probes/link.ts";
import { askNeighbour } from "../../src/probes/neighbour.ts";
import type { NeighbourView, WhoHasResult } from "../../src/probes/port.ts";
import { judgeSpeaker } from "../../src/probes/speaker.ts";
import {
  advertisedMacs,
  octetsOf,
  solicitationFor,
  solicitingSocket,
  withAnswers,
} from "../../src/runtime/node/probe-advertisements.ts";
import { parseLinks, parsePacketSockets } from "../../src/runtime/node/probe-links.ts";
import { parseGateway, parseNeighbours, parseRoute } from "../../src/runtime/node/probe-neighbours.ts";
import { clock } from "../../src/runtime/node/probe-ports.ts";
import { parseSolicited } from "../../src/runtime/node/probe-solicit.ts";
import { dialectOf, parseArping } from "../../src/runtime/node/probe-who-has.ts";

const [OURS, OTHER, PARENT] = ["02:00:00:00:00:01", "02:00:00:00:00:02", "02:00:00:00:00:03"] as const;

test("Habets' arping: every answer is read, once a MAC, in milliseconds", () => {
  const stdout = `ARPING 10.9.0.53
42 bytes from e2:d6:36:5d:79:56 (10.9.0.53): index=0 time=14.487 usec
42 bytes from 5A:D6:E4:4E:BC:D8 (10.9.0.53): index=1 time=1.5 msec
42 bytes from e2:d6:36:5d:79:56 (10.9.0.53): index=2 time=2.0 sec

--- 10.9.0.53 statistics ---
1 packets transmitted, 3 packets received,   0% unanswered (2 extra)
`;
  assert.deepEqual(parseArping(stdout, ""), {
    asked: true,
    answers: [
      { mac: "e2:d6:36:5d:79:56", ms: 0.014487 },
      { mac: "5a:d6:e4:4e:bc:d8", ms: 1.5 },
    ],
    detail: null,
  });
});

test("the arping of iputils and BusyBox: unicast and broadcast replies", () => {
  const stdout = `ARPING 10.9.0.53 from 10.9.0.1 eth0
Unicast reply from 10.9.0.53 [E2:D6:36:5D:79:56]  0.645ms
Unicast reply from 10.9.0.53 [5A:D6:E4:4E:BC:D8]  0.707ms
Sent 1 probes (1 broadcast(s))
Received 2 response(s)
`;
  const { asked, answers } = parseArping(stdout, "");
  assert.equal(asked, true);
  assert.deepEqual(
    answers.map((answer) => answer.mac),
    ["e2:d6:36:5d:79:56", "5a:d6:e4:4e:bc:d8"],
  );
});

test("asked without an answer, and not asked at all, are two things", () => {
  const silent =
    "ARPING 10.9.0.99\nTimeout\n\n--- 10.9.0.99 statistics ---\n1 packets transmitted, 0 packets received, 100% unanswered (0 extra)\n";
  assert.deepEqual(parseArping(silent, ""), { asked: true, answers: [], detail: null });
  assert.equal(parseArping("Sent 2 probes (2 broadcast(s))\nReceived 0 response(s)\n", "").asked, true);
  assert.equal(
    parseArping("", "arping: libnet_init(LIBNET_LINK, eth0): UID/EUID 0 or capability CAP_NET_RAW required").asked,
    false,
  );
  assert.equal(parseArping("", "arping: socket: Operation not permitted").asked, false);
  assert.match(parseArping("", "arping: libnet_init(): ioctl: No such device").detail!, /No such device/);
});

test("the two arpings are told apart by their help", () => {
  assert.equal(dialectOf("ARPing 2.23, by Thomas Habets <thomas@habets.se>"), "habets");
  assert.equal(dialectOf("\nUsage:\n  arping [options] <destination>\n"), "iputils");
  assert.equal(dialectOf("BusyBox v1.36.1 multi-call binary.\n\nUsage: arping [-fqbDUA]"), "iputils");
});

test("ip -j: routes, neighbours and the gateway, and nonsense without a crash", () => {
  const onLink = '[{"dst":"10.9.0.53","dev":"eth0","prefsrc":"10.9.0.1","flags":[],"uid":0,"cache":[]}]';
  assert.deepEqual(parseRoute(0, onLink, ""), { way: "on_link", device: "eth0" });
  assert.equal(parseRoute(0, '[{"dst":"8.8.8.8","gateway":"10.9.0.1","dev":"eth0"}]', "")?.way, "gateway");
  assert.equal(parseRoute(0, '[{"type":"local","dst":"10.9.0.1","dev":"lo"}]', "")?.way, "local");
  assert.equal(parseRoute(2, "", "RTNETLINK answers: Network is unreachable")?.way, "none");
  assert.equal(parseRoute(null, "", ""), null);
  const entries = parseNeighbours(
    '[{"dst":"10.9.0.53","dev":"eth0","lladdr":"E2:d6:36:5d:79:56","state":["STALE"]},{"dst":"10.9.0.9","dev":"eth0","state":["FAILED"]},{"dst":5},null]',
  );
  assert.deepEqual(entries, [
    { address: "10.9.0.53", device: "eth0", mac: "e2:d6:36:5d:79:56", state: "STALE" },
    { address: "10.9.0.9", device: "eth0", mac: null, state: "FAILED" },
  ]);
  for (const junk of ["", "{}", "[", "null", "[1]"]) assert.deepEqual(parseNeighbours(junk), []);
  assert.equal(parseGateway('[{"dst":"default","gateway":"10.9.0.1","dev":"eth0"}]'), "10.9.0.1");
  assert.equal(parseGateway("[]"), null);
});

const links = parseLinks(
  JSON.stringify([
    { ifindex: 3, ifname: "br9", flags: ["BROADCAST", "UP"], address: PARENT, linkinfo: { info_kind: "bridge" } },
    {
      ifindex: 7,
      ifname: "lb9",
      link: "br9",
      flags: ["UP"],
      address: OURS,
      linkinfo: { info_kind: "macvlan", info_data: { mode: "bridge" } },
    },
  ]),
);
const declared = { name: "lb9", parent: "br9", mac: OURS, mode: "bridge" };

test("the link and its parent are judged from what the kernel says", () => {
  assert.equal(judgeLink(declared, links).failure, null);
  assert.equal(judgeLink(declared, links.slice(0, 1)).failure, "link_missing");
  assert.equal(judgeLink(declared, links.slice(1)).failure, "parent_missing");
  assert.equal(
    judgeLink(
      declared,
      links.map((link) => ({ ...link, up: link.name !== "lb9" })),
    ).failure,
    "link_down",
  );
  assert.equal(
    judgeLink(
      declared,
      links.map((link) => ({ ...link, up: link.name !== "br9" })),
    ).failure,
    "parent_down",
  );
  assert.equal(judgeLink({ ...declared, mac: OTHER }, links).failure, "link_drifted");
  assert.equal(judgeLink(declared, null).failure, "unclassified");
});

test("a speaker listens when an ARP socket is open on the very link", () => {
  const line = (proto: string, ifindex: number) =>
    `sk RefCnt Type Proto Iface R Rmem User Inode\n0000 3 3 ${proto} ${ifindex} 1 0 0 4711\n`;
  assert.equal(judgeSpeaker(declared, links, parsePacketSockets(line("0806", 7))).failure, null);
  assert.equal(judgeSpeaker(declared, links, parsePacketSockets(line("0806", 3))).failure, "speaker_missing");
  assert.equal(judgeSpeaker(declared, links, parsePacketSockets(line("0003", 7))).failure, "speaker_missing");
});

const held: NeighbourView = { way: "on_link", device: "eth0", mac: OURS, state: "REACHABLE" };
const target = { mac: OURS, also: { n6: OTHER, parent: PARENT } };

function neighbour(answers: readonly string[] | null, view: Partial<NeighbourView> = {}) {
  const answer: WhoHasResult = {
    asked: answers !== null,
    answers: (answers ?? []).map((mac) => ({ mac, ms: 0.1 })),
    detail: null,
  };
  const ports = { clock, whoHas: { ask: async () => answer } };
  return askNeighbour(target, "10.9.0.53", { ...held, ...view }, 2, ports, new AbortController().signal);
}

test("who-has: the declared MAC and that of another declared node are good", async () => {
  assert.equal((await neighbour([OURS])).failure, null);
  assert.equal((await neighbour([OTHER], { mac: OTHER })).failure, null);
});

test("who-has: nobody, a stranger, two at once and the parent are four findings", async () => {
  const silent = await neighbour([]);
  assert.equal(silent.failure, "no_neighbour");
  assert.equal(silent.evidence.mac, OURS);
  assert.equal(silent.tries, 2);
  assert.equal((await neighbour(["02:99:00:00:00:01"])).failure, "mac_unexpected");
  assert.equal((await neighbour([OURS, "02:99:00:00:00:01"])).failure, "mac_conflict");
  assert.equal((await neighbour([PARENT], { mac: null, state: null })).failure, "mac_is_parent");
});

test("an old MAC in the table is told although who-has is answered rightly", async () => {
  const stale = await neighbour([OURS], { mac: "02:99:00:00:00:01", state: "STALE" });
  assert.equal(stale.failure, "mac_unexpected");
  assert.deepEqual(
    stale.evidence.answers?.map((answer) => answer.mac),
    [OURS],
  );
  assert.equal(stale.evidence.mac, "02:99:00:00:00:01");
});

test("without the right to ask, the table alone decides, and no answers are claimed", async () => {
  const good = await neighbour(null);
  assert.equal(good.failure, null);
  assert.equal(good.evidence.asked, false);
  assert.equal(good.evidence.answers, null);
  assert.equal((await neighbour(null, { mac: null, state: "FAILED" })).failure, "no_neighbour");
});

test("text of the network becomes visible escapes, and never more than the limit", () => {
  assert.equal(plain("a\u001b[31m\r\nb\u202ec"), "a\\u001b[31m\\u000d\\u000ab\\u202ec");
  assert.ok(plain("\u0000".repeat(1_000)).length <= 512);
  assert.equal(plain("\u0000ab𐀀cd", 10), "\\u0000ab…", "a pair is not cut in two");
});

test("ndisc6: every MAC once, silence is no finding of its own, and the missing right by its name", () => {
  const two =
    "Soliciting fd00::2 (fd00::2) on eth0...\nTarget link-layer address: 66:94:1A:EC:7C:53\n from fd00::2\nTarget link-layer address: 02:00:00:00:00:01\n from fd00::2\nTarget link-layer address: 66:94:1A:EC:7C:53\n from fd00::2\n";
  assert.deepEqual(
    parseSolicited(two, "").answers.map(({ mac }) => mac),
    ["66:94:1a:ec:7c:53", "02:00:00:00:00:01"],
  );
  const silence = parseSolicited("Soliciting fd00::9 (fd00::9) on eth0...\nTimed out.\nNo response.\n", "");
  assert.deepEqual([silence.asked, silence.answers], [false, []]);
  for (const said of ["Raw IPv6 socket: Operation not permitted\n", "eth9: No such device\n", ""]) {
    const unasked = parseSolicited("", said);
    assert.equal(unasked.asked, false);
    assert.match(unasked.detail!, /not solicited/);
  }
});

const SIX = octetsOf("fd61:7::40")!;
/** One advertisement as a raw socket gives it: type, flags, target, options. */
const advertisement = (target: Buffer, mac: string, before = "") =>
  Buffer.from(`8800000060000000${target.toString("hex")}${before}0201${mac.replaceAll(":", "")}`, "hex");

test("advertisements: all that name the target, also in one piece, behind other options, and never beyond their end", () => {
  const [ours, theirs] = [advertisement(SIX, OURS), advertisement(SIX, OTHER, "0e01000000000000")];
  const foreign = advertisement(octetsOf("fd61:7::41")!, PARENT);
  assert.deepEqual(advertisedMacs(Buffer.concat([ours, foreign, theirs]), SIX), [OURS, OTHER]);
  for (let length = 0; length < ours.length; length++)
    assert.deepEqual(advertisedMacs(ours.subarray(0, length), SIX), []);
  assert.deepEqual(advertisedMacs(Buffer.alloc(1_000, 0x88), SIX), []);
  assert.deepEqual(advertisedMacs(Buffer.alloc(1_000), SIX), []);
  assert.equal(advertisedMacs(Buffer.concat(Array(40).fill(ours)), SIX).length, 16);
});

test("a MAC that advertises twice counts once, with its first time", () => {
  const once = withAnswers([], [OURS], 0.7);
  assert.deepEqual(withAnswers(once, [OTHER, OURS, OTHER], 3.25), [
    { mac: OURS, ms: 0.7 },
    { mac: OTHER, ms: 3.25 },
  ]);
});

test("what socat is given is digits alone, and only IPv6 addresses are octets", () => {
  const [address, ...options] = solicitingSocket(SIX, 7).split(",");
  assert.equal(address, "SOCKET-DATAGRAM:10:3:58:x000000000000ff0200000000000000000001ff00004007000000");
  assert.deepEqual(options, [
    `setsockopt=58:1:x${"f".repeat(34)}fe${"f".repeat(28)}`,
    "setsockopt-int=41:18:255",
    "setsockopt-int=41:16:255",
  ]);
  assert.equal(SIX.toString("hex"), "fd610007000000000000000000000040");
  assert.equal(octetsOf("::")?.toString("hex"), "0".repeat(32));
  assert.equal(solicitationFor(SIX, OURS).toString("hex"), `8700000000000000${SIX.toString("hex")}0101020000000001`);
  for (const wrong of ["10.0.0.1", "fd61::1%2", "::ffff:1.2.3.4", "fd61::1,exec=id", ""])
    assert.equal(octetsOf(wrong), null);
});
