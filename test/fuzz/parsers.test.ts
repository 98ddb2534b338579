import assert from "node:assert/strict";
import { test } from "node:test";
import packet from "dns-packet";
import fc from "fast-check";
import { parseJoinToken } from "../../src/cli/vantage.ts";
import { guestFacts } from "../../src/core/facts.ts";
import { evidence } from "../../src/core/observation.ts";
import { plain } from "../../src/core/text.ts";
import { templateProblem } from "../../src/deliver/template.ts";
import { parsePlan } from "../../src/engine/vantage-plan.ts";
import { parseAddress } from "../../src/hooks/network.ts";
import { decodeJournal, encodeLine } from "../../src/host/journal.ts";
import { followPause } from "../../src/host/pause.ts";
import { bindingText } from "../../src/probes/dns-binding.ts";
import { encodeQuery, isAnswerTo, MESSAGE_MAX, parseReply } from "../../src/probes/dns-message.ts";
import { systemSight } from "../../src/probes/dns-system.ts";
import { ConfigError, parseConfig } from "../../src/runtime/node/config-file.ts";
import { parseFdb } from "../../src/runtime/node/host-surroundings.ts";
import { retryAfterMillis } from "../../src/runtime/node/hub-send.ts";
import { KubeconfigError, parseKubeconfig } from "../../src/runtime/node/kubeconfig.ts";
import { parseMachine, parseNetwork } from "../../src/runtime/node/libvirt-guests.ts";
import { parseLinkLine } from "../../src/runtime/node/link-events.ts";
import { parseLinkTable, parsePacketSockets, parseReversePathDrops } from "../../src/runtime/node/link-facts.ts";
import { parseNeighbourLine } from "../../src/runtime/node/neighbour-events.ts";
import { advertisedMacs, octetsOf } from "../../src/runtime/node/probe-advertisements.ts";
import { parseLinks } from "../../src/runtime/node/probe-links.ts";
import { parseGateway, parseNeighbours, parseRoute } from "../../src/runtime/node/probe-neighbours.ts";
import { parseSolicited } from "../../src/runtime/node/probe-solicit.ts";
import { dialectOf, parseArping } from "../../src/runtime/node/probe-who-has.ts";
import { bounded, hold, mutatedBytes, mutatedText } from "./settings.ts";

const TYPES = ["A", "AAAA", "TXT", "MX", "SRV", "CNAME", "SOA", "HTTPS", "CAA"];
const record = (type: string, data: unknown) => ({ type, name: "auth.example.lan", ttl: 60, data });
const DNS = [
  [record("A", "192.0.2.1"), record("CNAME", "a.example.lan")],
  [record("AAAA", "2001:db8::1"), record("TXT", ["one", "two"])],
  [record("MX", { preference: 10, exchange: "m.example" }), record("SRV", { port: 1, target: "s.example" })],
  [record("SOA", { mname: "a.example", rname: "b.example", serial: 1, refresh: 1, retry: 1, expire: 1, minimum: 1 })],
  [record("CAA", { flags: 0, tag: "issue", value: "x" }), record("PTR", "p.example")],
].map((answers) =>
  packet.encode({
    type: "response",
    id: 7,
    questions: [{ type: "A", name: "auth.example.lan" }],
    answers,
    additionals: [{ type: "OPT", name: ".", udpPayloadSize: 1_232, flags: 0, options: [] }],
  } as never),
);

test("whatever a DNS server answers, it is a reply or a reason, in bounded time and size (faults 10 to 12, I28)", async (t) => {
  const messages = fc.oneof(
    mutatedBytes(DNS),
    mutatedBytes([encodeQuery(7, "auth.example.lan", "A")]),
    fc.uint8Array({ maxLength: 2_000 }),
    fc.uint8Array({ minLength: MESSAGE_MAX - 10, maxLength: MESSAGE_MAX + 10 }),
  );
  await hold(t, fc.tuple(messages, fc.constantFrom(...TYPES)), ([message, type]) => {
    assert.equal(typeof bounded(() => isAnswerTo(message, 7, "auth.example.lan", "A")), "boolean");
    const reply = bounded(() => parseReply(message, type, "auth.example.lan"));
    if (typeof reply === "string") assert.ok(reply.length < 300, "a reason is a line");
    else assert.ok(JSON.stringify(reply).length < 400_000, "what is kept is bounded");
  });
});

test("text that was made plain is well-formed, within its bound, and stays as it is when made plain again", async (t) => {
  const awkward = fc.constantFrom("a", "\u0000", "𐀀", "\ud800", "\udc00", "\u202e");
  const texts = fc.oneof(fc.string({ maxLength: 80, unit: "binary" }), fc.string({ maxLength: 80, unit: awkward }));
  const inputs = fc.tuple(texts, fc.integer({ min: 1, max: 64 }));
  await hold(t, inputs, ([text, max]) => {
    const once = plain(text, max);
    assert.ok(once.isWellFormed() && once.length <= max, JSON.stringify(once));
    assert.equal(plain(once, max), once);
  });
});

const BINDING = Uint8Array.from([0, 1, 1, 97, 0, 0, 1, 0, 3, 2, 104, 50, 0, 3, 0, 2, 1, 187, 0, 4, 0, 4, 10, 1, 2, 3]);

test("whatever the system's resolver says, the evidence is one that the hub accepts", async (t) => {
  const texts = fc.oneof(fc.ipV4(), fc.ipV6(), fc.string({ maxLength: 300, unit: "binary" }));
  const answer = fc.oneof(
    fc.array(texts, { maxLength: 100 }).map((records) => ({ ok: true, records }) as const),
    texts.map((failure) => ({ ok: false, failure }) as const),
  );
  const sights = fc.tuple(fc.constantFrom("A", "AAAA"), fc.array(texts, { maxLength: 12 }), answer, answer);
  await hold(t, sights, ([type, some, cares, libc]) => {
    const check = { name: "a.example", type, expect: some.length > 6 ? null : some };
    const sight = bounded(() => systemSight(check, { servers: some, cares, libc }));
    assert.deepEqual(evidence.parse({ system: sight }).system, sight);
  });
});

test("whatever stands in an SVCB or HTTPS record, it is text of bounded length", async (t) => {
  const data = fc.oneof(mutatedBytes([BINDING]), fc.uint8Array({ maxLength: 4_000 }));
  await hold(t, data, (bytes) => {
    const text = bounded(() => bindingText(bytes));
    assert.equal(typeof text, "string");
    assert.ok(text.length <= 4 * bytes.length + 512, `${text.length} of ${bytes.length}`);
  });
});

const LINK_LINE =
  "Deleted 3: metallb0@bridge0: <BROADCAST,MULTICAST,M-DOWN> mtu 1500 qdisc noop state DOWN \\    link/ether f2:5a:5f:84:40:e9 brd ff:ff:ff:ff:ff:ff";
const LINK_JSON =
  '[{"ifindex":3,"ifname":"metallb0","link":"bridge0","flags":["UP"],"address":"f2:5a:5f:84:40:e8","linkinfo":{"info_kind":"macvlan","info_data":{"mode":"bridge"}}}]';
const NEIGH_JSON = '[{"dst":"192.168.8.1","dev":"eth0","lladdr":"02:00:00:00:00:01","state":["REACHABLE"]}]';
const ROUTE_JSON = '[{"dst":"192.168.8.53","gateway":"192.168.8.1","dev":"eth0","prefsrc":"192.168.8.9"}]';
const ARPING = [
  "60 bytes from f2:5a:5f:84:40:e8 (192.168.8.53): index=0 time=5.2 msec\n--- 192.168.8.53 statistics ---\n1 packets transmitted\n",
  "Target link-layer address: 66:94:1A:EC:7C:53\n from fd00::2\nNo response.\n",
  "Unicast reply from 192.168.8.53 [F2:5A:5F:84:40:E8]  0.8ms\nSent 1 probes (1 broadcast(s))\n",
];

test("whatever ip, arping and the kernel print, they are read or not, and never throw", async (t) => {
  const texts = mutatedText([
    LINK_LINE,
    LINK_JSON,
    NEIGH_JSON,
    ROUTE_JSON,
    ...ARPING,
    "TcpExt: A IPReversePathFilter\nTcpExt: 1 2\n",
    "sk RefCnt Type Proto Iface\n0 3 3 0806 7 1 0 0 1\n",
    "null",
    "[null]",
    "[[]]",
    "{}",
    '[{"ifname":1}]',
  ]);
  await hold(t, texts, (text) => {
    const parsers: readonly (() => unknown)[] = [
      () => parseLinkLine(text, 1),
      () => parseLinkTable(text),
      () => parsePacketSockets(text),
      () => parseReversePathDrops(text),
      () => parseLinks(text),
      () => parseRoute(0, text, ""),
      () => parseNeighbours(text),
      () => parseGateway(text),
      () => parseArping(text, text),
      () => parseSolicited(text, text),
      () => parseNeighbourLine(text),
      () => advertisedMacs(Buffer.from(text, "latin1"), Buffer.alloc(16)),
      () => octetsOf(text),
      () => dialectOf(text),
    ];
    for (const parse of parsers) bounded(parse);
  });
});

const KUBECONFIG =
  'apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\nclusters:\n- name: k\n  cluster: {server: "https://192.168.8.246:6443", certificate-authority-data: QUJD}\nusers:\n- name: u\n  user: {token: abc}\n';

test("whatever a kubeconfig holds, it gives access or a KubeconfigError", async (t) => {
  await hold(t, mutatedText([KUBECONFIG, "a: &a [1]\nb: [*a, *a]", "? {}\n: x", "- 1"]), (text) => {
    try {
      const access = bounded(() => parseKubeconfig(text, () => "file"));
      assert.match(access.origin, /^https?:\/\//);
    } catch (error) {
      assert.ok(error instanceof KubeconfigError, `${(error as Error).stack}`);
    }
  });
});

const FDB_JSON = '[{"mac":"f2:5a:5f:84:40:e8","ifname":"bridge0","flags":[],"master":"bridge0","state":"permanent"}]';
const MACHINE =
  "<domain><!-- <x> --><name>vm</name><interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='bridge0'/><filterref filter='f'/></interface></domain>";
const NETWORK = "<network><name>n</name><forward mode='bridge'><interface dev='eno1'/></forward></network>";

test("whatever the bridge prints and libvirt's files hold, it is read or not, and what is kept is bounded", async (t) => {
  await hold(t, mutatedText([FDB_JSON, MACHINE, NETWORK, "[null]", "<interface ".repeat(50)]), (text) => {
    bounded(() => parseFdb(text, "f2:5a:5f:84:40:e8"));
    const cards = bounded(() => parseMachine(text));
    for (const card of cards) assert.ok(guestFacts.safeParse(card).success, JSON.stringify(card));
    bounded(() => parseNetwork(text));
  });
});

const CONFIG = `site: home
schedule: "*/10 * * * * *"
targets:
  dns: { address: 192.0.2.53, service: network/dns, checks: [{ dns: { name: a.example, expect: [192.0.2.50] } }, { tcp: { port: 443 } }] }
link: { name: metallb0, parent: bridge0, mac: "f2:5a:5f:84:40:e8", sysctl: { rp_filter: 0 } }
vantages: { lan: { where: lan, key_file: keys/lan }, vm: { where: vm, key_file: keys/vm } }
hub: { listen: 127.0.0.1:8787, tokens: [{ name: a, scopes: [heal], token_file: t }] }
heal: { mode: auto, confirm: 60s, budget: { hour: 3 } }
`;

test("whatever a configuration holds, it is a house or a ConfigError with lines", async (t) => {
  await hold(t, mutatedText([CONFIG]), (text) => {
    try {
      bounded(() => parseConfig(text.slice(0, 20_000), "/nowhere/hairpin.yaml"));
    } catch (error) {
      assert.ok(error instanceof ConfigError, `${(error as Error).stack}`);
      assert.ok(error.problems.length > 0, "0 is the line of what concerns the whole file");
    }
  });
});

test("whatever the journal's file holds, it is decoded, torn or unreadable", async (t) => {
  const line = encodeLine({ kind: "tick", at: "2026-11-24T10:00:00Z", ledger: 1 });
  const whole = Buffer.concat([line, line, line]);
  await hold(t, mutatedBytes([whole, line]), (bytes) => {
    const { records, length } = bounded(() => decodeJournal(bytes));
    assert.ok(length <= bytes.length && records.length <= 1_000);
  });
});

test("whatever a pause file, a plan, a join token, a template and a Retry-After hold, the answer is a value", async (t) => {
  const clock = { mono: () => 5, wall: () => 1_800_000_000_000, after: () => () => {} };
  const samples = [
    '{"until":"2026-11-24T11:00:00Z","reason":"x"}',
    '{"text":"{{title}} {{ message }}"}',
    "120",
    "Thu, 01 Jan 2026 00:00:00 GMT",
    "hairpin1.eyJodWIiOiJodHRwOi8vMTI3LjAuMC4xOjEifQ",
    "192.0.2.1/24",
    '{"vantage":"a","targets":[]}',
  ];
  await hold(t, fc.tuple(mutatedText(samples), fc.jsonValue()), ([text, value]) => {
    const pause = bounded(() => followPause({ read: () => ({ text, ageMillis: 0 }) }, clock)());
    assert.ok(pause === null || Date.parse(pause.until) <= clock.wall() + 86_400_000, "at most a day");
    bounded(() => parsePlan(value));
    bounded(() => parseJoinToken(text));
    bounded(() => templateProblem(text));
    bounded(() => parseAddress(text));
    const wait = bounded(() => retryAfterMillis(text, 0));
    assert.ok(wait === null || wait >= 0);
  });
});
