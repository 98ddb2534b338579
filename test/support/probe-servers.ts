import { createSocket } from "node:dgram";
import type { AddressInfo } from "node:net";
import { createServer, type Server, type Socket } from "node:net";
import type { NeighbourView, ProbePorts } from "../../src/probes/port.ts";
import { createProbePorts } from "../../src/runtime/node/probe-ports.ts";

export const LOOPBACK = "127.0.0.1";

/** The real ports, with a neighbour table that says what the test wants: loopback has none. */
export function loopbackPorts(view: Partial<NeighbourView> = {}): ProbePorts {
  const entry: NeighbourView = { way: "on_link", device: "eth0", mac: null, state: null, ...view };
  return { ...createProbePorts(), neighbours: { read: async () => entry, gateway: async () => null } };
}

export interface Listening {
  readonly port: number;
  close(): void;
}

/** Answers each datagram with what `answer` makes of it; several, none, or bytes of any kind. */
export function udpServer(answer: (query: Buffer) => readonly Buffer[]): Promise<Listening> {
  const socket = createSocket("udp4");
  socket.on("message", (query, from) => {
    for (const message of answer(query)) socket.send(message, from.port, from.address);
  });
  return new Promise((resolve) =>
    socket.bind(0, LOOPBACK, () => resolve({ port: socket.address().port, close: () => socket.close() })),
  );
}

export function tcpServer(serve: (socket: Socket) => void, port = 0): Promise<Listening> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    serve(socket);
  });
  return listening(server, sockets, port);
}

const PORT_TRIES = 20;

/** UDP and TCP on one port, as a resolver has them. A port that is free for the one may be somebody's for the other: then another. */
export async function udpAndTcpServer(
  answer: (query: Buffer) => readonly Buffer[],
  serve: (socket: Socket) => void,
): Promise<Listening> {
  for (let tried = 1; ; tried++) {
    const udp = await udpServer(answer);
    try {
      const tcp = await tcpServer(serve, udp.port);
      return { port: udp.port, close: () => [udp, tcp].map((each) => each.close()) };
    } catch (error) {
      udp.close();
      if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE" || tried === PORT_TRIES) throw error;
    }
  }
}

export function listening(server: Server, sockets: ReadonlySet<Socket>, port = 0): Promise<Listening> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, LOOPBACK, () =>
      resolve({
        port: (server.address() as AddressInfo).port,
        close: () => {
          server.close();
          for (const socket of sockets) socket.destroy();
        },
      }),
    );
  });
}
