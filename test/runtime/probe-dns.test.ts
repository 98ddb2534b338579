import assert from "node:assert/strict";
import { test } from "node:test";
import { decode, encode } from "dns-packet";
import type { DnsCheck } from "../../src/core/plan.ts";
import { askDns } from "../../src/probes/dns.ts";
import { runRound } from "../../src/probes/round.ts";
import { LOOPBACK, loopbackPorts, tcpServer, udpAndTcpServer, udpServer } from "../support/probe-servers.ts";

const RESPONSE = 0x8000;
const never = new AbortController().signal;
const checkOf = (port: number, more: Partial<DnsCheck> = {}): DnsCheck => ({
  kind: "dns",
  id: "dns:auth.example.lan",
  name: "auth.example.lan",
  type: "A",
  expect: ["10.1.2.3"],
  transport: "udp",
  upstream: false,
  port,
  ...more,
});

interface Said {
  readonly id?: number;
  readonly name?: string;
  readonly rcode?: number;
  readonly answers?: unknown[];
  readonly truncated?: boolean;
}

function reply(query: Buffer, said: Said): Buffer {
  const asked = decode(query);
  const name = said.name ?? asked.questions[0]!.name;
  return Buffer.from(
    encode({
      type: "response",
      id: said.id ?? asked.id,
      flags: (said.rcode ?? 0) | (said.truncated ? 0x0200 : 0),
      questions: [{ name, type: asked.questions[0]!.type, class: "IN" }],
      answers: said.answers ?? [],
    }),
  );
}
const a = (data: string, name = "auth.example.lan") => ({ name, type: "A", ttl: 60, data });

async function asked(answer: (query: Buffer) => readonly Buffer[], more: Partial<DnsCheck> = {}, timeout = 250) {
  const server = await udpServer(answer);
  try {
    return await askDns(checkOf(server.port, more), LOOPBACK, loopbackPorts(), never, timeout);
  } finally {
    server.close();
  }
}

test("the declared records, in any order and behind a CNAME, are good", async () => {
  const finding = await asked(
    (query) => [
      reply(query, {
        answers: [
          { name: "auth.example.lan", type: "CNAME", data: "x.lan" },
          a("10.1.2.4", "x.lan"),
          a("10.1.2.3", "x.lan"),
        ],
      }),
    ],
    { expect: ["10.1.2.3", "10.1.2.4"] },
  );
  assert.equal(finding.failure, null);
  assert.deepEqual(finding.evidence.records, ["10.1.2.3", "10.1.2.4"]);
});

test("an AAAA record is compared as an address, not as text", async () => {
  const answers = [{ name: "auth.example.lan", type: "AAAA", data: "fd00::1" }];
  const finding = await asked((query) => [reply(query, { answers })], { type: "AAAA", expect: ["FD00:0:0::0001"] });
  assert.equal(finding.failure, null);
});

test("a question in another case is the same question", async () => {
  const finding = await asked((query) => [reply(query, { name: "AUTH.example.LAN", answers: [a("10.1.2.3")] })]);
  assert.equal(finding.failure, null);
});

const codes = [
  ["SERVFAIL", 2, "dns_servfail"],
  ["NXDOMAIN", 3, "dns_nxdomain"],
  ["REFUSED", 5, "dns_refused"],
  ["NOTIMP", 4, "dns_refused"],
] as const;
for (const [word, rcode, failure] of codes) {
  test(`${word} is ${failure}`, async () => {
    const finding = await asked((query) => [reply(query, { rcode })]);
    assert.equal(finding.failure, failure);
    assert.equal(finding.evidence.rcode, word);
  });
}

test("NOERROR without a record is dns_empty", async () => {
  assert.equal((await asked((query) => [reply(query, {})])).failure, "dns_empty");
});

test("a wrong address is dns_wrong_answer, and both are named", async () => {
  const finding = await asked((query) => [reply(query, { answers: [a("10.9.9.9")] })]);
  assert.equal(finding.failure, "dns_wrong_answer");
  assert.match(finding.detail!, /10\.9\.9\.9.*10\.1\.2\.3/);
});

test("one record too many is dns_wrong_answer", async () => {
  const finding = await asked((query) => [reply(query, { answers: [a("10.1.2.3"), a("10.9.9.9")] })]);
  assert.equal(finding.failure, "dns_wrong_answer");
});

test("an upstream check takes any answer and says that it is one", async () => {
  const finding = await asked((query) => [reply(query, { answers: [a("10.9.9.9")] })], {
    expect: null,
    upstream: true,
  });
  assert.equal(finding.ok, true);
  assert.equal(finding.evidence.upstream, true);
});

test("answers with a wrong id or question are ignored, and the right one still counts", async () => {
  const finding = await asked((query) => [
    reply(query, { id: (decode(query).id + 1) & 0xffff, answers: [a("10.9.9.9")] }),
    reply(query, { name: "other.example.lan", answers: [a("10.9.9.9")] }),
    Buffer.from(query), // Our own query, reflected: it is no response.
    reply(query, { answers: [a("10.1.2.3")] }),
  ]);
  assert.equal(finding.failure, null);
});

test("answers with a wrong id alone end in the time-out", async () => {
  const finding = await asked((query) => [
    reply(query, { id: (decode(query).id + 1) & 0xffff, answers: [a("10.1.2.3")] }),
  ]);
  assert.equal(finding.failure, "no_reply");
  assert.ok(finding.ms! >= 240);
});

test("silence is no_reply, and no_neighbour when the neighbour table says that nobody answered", async () => {
  assert.equal((await asked(() => [])).failure, "no_reply");
  const server = await udpServer(() => []);
  const finding = await askDns(checkOf(server.port), LOOPBACK, loopbackPorts({ state: "INCOMPLETE" }), never, 100);
  server.close();
  assert.equal(finding.failure, "no_neighbour");
  assert.equal(finding.evidence.neighbour_state, "INCOMPLETE");
});

test("an answer beside two lost ones is what the check says: SERVFAIL, and no silence, which would vote", async () => {
  for (const heard of [0, 1, 2]) {
    let count = 0;
    const server = await udpServer((query) => (count++ === heard ? [reply(query, { rcode: 2 })] : []));
    const plan = {
      type: "hairpin.plan.v1",
      site: "attic",
      vantage: "asker",
      where: "lan",
      schedule: "* * * * * *",
      offset_ms: 0,
      control: { gateway: null, reference: null },
      targets: [{ name: "dns", addresses: [LOOPBACK], mac: null, also: {}, checks: [checkOf(server.port)] }],
      links: [],
      spool_max: 1,
    } as const;
    const { checks } = await runRound({ plan, due: () => true, tries: () => 3 }, loopbackPorts(), never);
    server.close();
    assert.deepEqual([checks[0]!.failure, checks[0]!.tries, count], ["dns_servfail", 3, 3]);
  }
});

test("a closed port is refused within milliseconds, over UDP and TCP", async () => {
  const server = await udpServer(() => []);
  server.close();
  for (const transport of ["udp", "tcp"] as const) {
    const finding = await askDns(checkOf(server.port, { transport }), LOOPBACK, loopbackPorts(), never, 1_000);
    assert.equal(finding.failure, "refused");
    assert.ok(finding.ms! < 300);
  }
});

/** A response whose answer's name is `name`, given as raw bytes that may point anywhere. */
function crafted(query: Buffer, name: readonly number[], padding: readonly number[] = []): Buffer {
  const head = Buffer.from(query.subarray(0, 12));
  head.writeUInt16BE(RESPONSE, 2);
  head.writeUInt16BE(1, 6);
  head.writeUInt16BE(0, 10);
  const question = query.subarray(12, query.indexOf(0, 12) + 5);
  return Buffer.concat([
    head,
    question,
    Buffer.from([...name, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 1, 2, 3, ...padding]),
  ]);
}

/** 200 pointers, each to the one before, in front of the name that is read: each of them alone would be allowed. */
function chain(query: Buffer): Buffer {
  const head = Buffer.from(query.subarray(0, 12));
  head.writeUInt16BE(RESPONSE, 2);
  head.writeUInt16BE(2, 6);
  head.writeUInt16BE(0, 10);
  const question = query.subarray(12, query.indexOf(0, 12) + 5);
  const data = 12 + question.length + 11;
  const hops = Array.from({ length: 200 }, (_, hop) => {
    const to = hop === 0 ? 12 : data + 2 * (hop - 1);
    return [0xc0 | (to >> 8), to & 0xff];
  }).flat();
  const first = [0, 0, 16, 0, 1, 0, 0, 0, 60, hops.length >> 8, hops.length & 0xff, ...hops];
  const last = data + 2 * 199;
  return Buffer.concat([
    head,
    question,
    Buffer.from([...first, 0xc0 | (last >> 8), last & 0xff, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 1, 2, 3]),
  ]);
}

const malformed: readonly (readonly [string, (query: Buffer) => Buffer])[] = [
  ["a pointer to itself", (query) => crafted(query, [0xc0, query.indexOf(0, 12) + 5])],
  ["a forward pointer", (query) => crafted(query, [0xc0, 0xff])],
  ["a chain of 200 pointers", chain],
  ["a record that is cut off", (query) => reply(query, { answers: [a("10.1.2.3")] }).subarray(0, -3)],
  ["an unknown label type", (query) => crafted(query, [0x80, 1])],
  [
    "a count of 65,535 records",
    (query) => {
      const message = reply(query, {});
      message.writeUInt16BE(65_535, 6);
      return message;
    },
  ],
];
for (const [what, make] of malformed) {
  test(`${what} is dns_malformed, in less than 50 ms of CPU`, async () => {
    const made: { cpu: NodeJS.CpuUsage | null } = { cpu: null };
    const finding = await asked((query) => {
      const message = make(query);
      made.cpu = process.cpuUsage();
      return [message];
    });
    const spent = process.cpuUsage(made.cpu!);
    assert.equal(finding.failure, "dns_malformed", finding.detail ?? "");
    assert.ok((spent.user + spent.system) / 1_000 < 50);
  });
}

/** A resolver, over UDP and, unless it has none, over TCP. */
function resolver(overUdp: (query: Buffer) => readonly Buffer[], overTcp: ((query: Buffer) => Buffer) | null) {
  if (overTcp === null) return udpServer(overUdp);
  return udpAndTcpServer(overUdp, (socket) => {
    socket.on("data", (frame) => {
      const message = overTcp(frame.subarray(2));
      const size = Buffer.alloc(2);
      size.writeUInt16BE(message.length);
      // In two parts, because a stream may cut anywhere.
      socket.write(size.subarray(0, 1));
      setImmediate(() => socket.end(Buffer.concat([size.subarray(1), message])));
    });
  });
}

test("a truncated answer is asked for again over TCP", async () => {
  const server = await resolver(
    (query) => [reply(query, { truncated: true })],
    (query) => reply(query, { answers: [a("10.1.2.3")] }),
  );
  const finding = await askDns(checkOf(server.port), LOOPBACK, loopbackPorts(), never, 1_000);
  server.close();
  assert.equal(finding.failure, null);
});

test("a truncated answer is dns_truncated only when TCP fails as well", async () => {
  const server = await resolver((query) => [reply(query, { truncated: true })], null);
  const finding = await askDns(checkOf(server.port), LOOPBACK, loopbackPorts(), never, 1_000);
  server.close();
  assert.equal(finding.failure, "dns_truncated");
});

test("a TCP server that closes without an answer is reset, and one that stays silent is no_reply", async () => {
  const closing = await tcpServer((socket) => socket.on("data", () => socket.end()));
  const first = await askDns(checkOf(closing.port, { transport: "tcp" }), LOOPBACK, loopbackPorts(), never, 500);
  closing.close();
  assert.equal(first.failure, "reset");
  const silent = await tcpServer(() => {});
  const second = await askDns(checkOf(silent.port, { transport: "tcp" }), LOOPBACK, loopbackPorts(), never, 200);
  silent.close();
  assert.equal(second.failure, "no_reply");
});
