import { createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { type Answer, decode, encode } from "dns-packet";
import type { KeyPair } from "../../src/lab/certificates.ts";
import { signatureOf } from "../support/dns-signature.ts";
import { type Listening, listening, tcpServer } from "../support/probe-servers.ts";

const QR_RD_RA = 0x8180;
const RCODES: Readonly<Record<string, number>> = { servfail: 2, nxdomain: 3, refused: 5 };

const AD = 0x0020;

/** Answers by the first label of the name: a., ad., signed., empty., nxdomain., servfail., refused., junk., silent. */
export function answerTo(query: Buffer): Buffer | null {
  const { id, questions } = decode(query);
  const [question] = questions;
  const kind = question?.name.split(".")[0] ?? "";
  if (kind === "silent") return null;
  if (kind === "junk")
    return Buffer.concat([query.subarray(0, 2), Buffer.from([0x81, 0x80, 0, 1, 0xff, 0xff]), Buffer.alloc(9, 0xc0)]);
  const name = question!.name;
  const address: Answer = { name, type: "A", class: "IN", ttl: 60, data: "192.0.2.7" };
  const answers = ["a", "ad", "signed"].includes(kind)
    ? [address, ...(kind === "signed" ? [signatureOf(name, "example.com")] : [])]
    : [];
  const flags = QR_RD_RA | (kind === "ad" ? AD : 0) | (RCODES[kind] ?? 0);
  return Buffer.from(encode({ type: "response", id, flags, questions: [...questions], answers }));
}

export interface DnsServer {
  readonly url: string;
  readonly close: () => void;
}

/** DNS over HTTPS (RFC 8484), without the S: loopback needs none. */
export async function dohServer(): Promise<DnsServer> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const answer = answerTo(Buffer.concat(chunks));
      if (answer === null) return;
      response.writeHead(200, { "content-type": "application/dns-message" }).end(answer);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/dns-query`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** The same answers over TCP, one byte at a time where the name begins with `a.drip`. */
export const dnsTcpServer = () => tcpServer(answerFrames);

/** The same over TLS (RFC 7858). */
export async function dnsTlsServer(pair: KeyPair): Promise<Listening> {
  const sockets = new Set<Socket>();
  const server = createTlsServer({ cert: pair.certificate, key: pair.key }, (socket) => {
    socket.on("error", () => {});
    answerFrames(socket);
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
  });
  server.on("tlsClientError", () => {});
  return listening(server, sockets);
}

function answerFrames(socket: Socket): void {
  let held = Buffer.alloc(0);
  socket.on("data", (chunk) => {
    held = Buffer.concat([held, chunk]);
    if (held.length < 2 || held.length < 2 + held.readUInt16BE(0)) return;
    const answer = answerTo(held.subarray(2, 2 + held.readUInt16BE(0)));
    if (answer === null) return;
    const frame = Buffer.alloc(2 + answer.length);
    frame.writeUInt16BE(answer.length, 0);
    answer.copy(frame, 2);
    socket.write(frame.subarray(0, 3));
    setImmediate(() => socket.write(frame.subarray(3)));
  });
}
