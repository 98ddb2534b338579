import { createSocket, type Socket } from "node:dgram";
import { createServer, type Server } from "node:net";
import { answer, parseQuestion, type Question, RCODE } from "./dns-wire.ts";

/** What a zone says to a question: null for silence. */
export interface Reply {
  readonly rcode: number;
  readonly records: readonly string[];
}
export type Zone = (question: Question) => Reply | null;

export interface DnsServer {
  readonly close: () => Promise<void>;
}

/** The stand-in for a DNS server, on UDP and TCP of one address. */
export async function startDns(address: string, port: number, zone: Zone): Promise<DnsServer> {
  const reply = (message: Buffer): Buffer | null => {
    const question = parseQuestion(message);
    const said = question === null ? null : zone(question);
    return question === null || said === null ? null : answer(question, said.rcode, said.records);
  };
  const udp = await bindUdp(address, port, reply);
  const tcp = await listenTcp(address, port, reply);
  return {
    close: async () => {
      await new Promise<void>((resolve) => udp.close(() => resolve()));
      await new Promise<void>((resolve) => tcp.close(() => resolve()));
    },
  };
}

function bindUdp(address: string, port: number, reply: (message: Buffer) => Buffer | null): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
    socket.once("error", reject);
    socket.on("message", (message, peer) => {
      const bytes = reply(message);
      if (bytes !== null) socket.send(bytes, peer.port, peer.address);
    });
    socket.bind(port, address, () => {
      socket.on("error", () => {}); // An answer to somebody who has gone.
      resolve(socket);
    });
  });
}

/** RFC 7766: two bytes of length before each message. */
function listenTcp(address: string, port: number, reply: (message: Buffer) => Buffer | null): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => {
      let pending = Buffer.alloc(0);
      socket.setTimeout(10_000, () => socket.destroy());
      socket.on("error", () => socket.destroy());
      socket.on("data", (chunk) => {
        pending = Buffer.concat([pending, chunk]);
        while (pending.length >= 2 && pending.length >= 2 + pending.readUInt16BE(0)) {
          const length = pending.readUInt16BE(0);
          const bytes = reply(pending.subarray(2, 2 + length));
          pending = pending.subarray(2 + length);
          if (bytes === null) return;
          const framed = Buffer.alloc(2);
          framed.writeUInt16BE(bytes.length);
          socket.write(Buffer.concat([framed, bytes]));
        }
      });
    });
    server.once("error", reject);
    server.listen(port, address, () => resolve(server));
  });
}

/** A record that the configuration expects, or that an upstream would know. */
export interface KnownRecord {
  readonly name: string;
  readonly type: string;
  readonly values: readonly string[];
  readonly upstream: boolean;
}

/** What the house's DNS server is made to get wrong. */
export type DnsFault = "dns-servfail" | "dns-wrong-answer" | "upstream-dns-down";

/** RFC 5737 addresses: what the world answers, and what a wrong answer looks like. */
const ANYWHERE: Readonly<Record<string, string>> = {
  A: "203.0.113.80",
  AAAA: "2001:db8::80",
  TXT: "lab",
  MX: "10 mail.example.net",
  NS: "ns.example.net",
  CNAME: "www.example.net",
  PTR: "host.example.net",
  SRV: "0 0 443 www.example.net",
};
const WRONG: Readonly<Record<string, string>> = { ...ANYWHERE, A: "192.0.2.66", AAAA: "2001:db8::66" };

/** The zone of a server that knows these records and asks upstream for the rest. */
export function zoneOf(known: readonly KnownRecord[], fault: () => DnsFault | null): Zone {
  return (question) => {
    const here = known.filter((record) => record.name.toLowerCase().replace(/\.$/, "") === question.name);
    const local = here.find((record) => !record.upstream && record.type === question.typeName);
    const wrong = fault();
    if (local !== undefined || here.some((record) => !record.upstream)) {
      if (wrong === "dns-servfail") return { rcode: RCODE.servfail, records: [] };
      if (local === undefined) return { rcode: RCODE.ok, records: [] };
      if (wrong === "dns-wrong-answer") return { rcode: RCODE.ok, records: [WRONG[question.typeName] ?? ""] };
      return { rcode: RCODE.ok, records: local.values.length > 0 ? local.values : [ANYWHERE[question.typeName] ?? ""] };
    }
    if (wrong === "upstream-dns-down" || wrong === "dns-servfail") return { rcode: RCODE.servfail, records: [] };
    const remote = here.find((record) => record.type === question.typeName);
    return {
      rcode: RCODE.ok,
      records:
        remote !== undefined && remote.values.length > 0
          ? remote.values
          : [ANYWHERE[question.typeName] ?? ""].filter((value) => value !== ""),
    };
  };
}
