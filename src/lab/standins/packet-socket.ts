import { type ChildProcess, spawn } from "node:child_process";
import { createSocket, type Socket } from "node:dgram";
import { readFileSync } from "node:fs";

/** An open packet socket of one protocol on one ifindex, frames in and out. */
export interface PacketSocket {
  readonly ifindex: number;
  readonly send: (frame: Buffer) => void;
  readonly close: () => void;
}

const ARP = 0x0806;
/** How long socat may take to open its sockets. */
const OPEN_MS = 3_000;

function portOf(socket: Socket): number {
  return socket.address().port;
}

function bound(): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createSocket("udp4");
    socket.once("error", reject);
    socket.bind(0, "127.0.0.1", () => resolve(socket));
  });
}

/** Between two tries to open a socket on a link that is down. */
const REOPEN_MS = 100;

/**
 * Node has no packet sockets, so socat holds one (SOCKET-DATAGRAM: domain 17, SOCK_RAW, protocol 0x0806 in network order) and hands
 * each frame over as a datagram on the loopback of the node's namespace. In /proc/net/packet it shows as protocol 0806 on the
 * ifindex, exactly as MetalLB's own socket does (measured). setpriv sees to it that socat dies with the speaker, however that dies.
 * A link that goes down gives ENETDOWN, on which socat ends and a Go program reads on: so it is started again until `close`.
 */
export async function openPacketSocket(
  ifindex: number,
  onFrame: (frame: Buffer) => void,
  protocol = ARP,
): Promise<PacketSocket> {
  const local = await bound();
  const probe = await bound();
  const remote = portOf(probe);
  await new Promise<void>((resolve) => probe.close(() => resolve()));
  const index = Buffer.alloc(4);
  index.writeUInt32LE(ifindex);
  const hex = index.toString("hex");
  const name = protocol.toString(16).padStart(4, "0");
  const inNetworkOrder = ((protocol & 0xff) << 8) | (protocol >> 8);
  const packet = `SOCKET-DATAGRAM:17:3:${inNetworkOrder}:x${name}${hex}000000060000000000000000,bind=x${name}${hex}000000000000000000000000`;
  const udp = `UDP:127.0.0.1:${portOf(local)},bind=127.0.0.1:${remote}`;
  let isClosed = false;
  let child: ChildProcess;
  const start = (): ChildProcess => {
    child = spawn("setpriv", ["--pdeathsig", "KILL", "socat", packet, udp], { stdio: "ignore" });
    child.on("error", () => {}); // Seen by `opened`, as a socket that never appears.
    child.on("exit", () => {
      if (!isClosed) setTimeout(() => isClosed || start(), REOPEN_MS);
    });
    return child;
  };
  local.on("message", onFrame);
  local.on("error", () => {}); // A refused datagram: socat is between two starts.
  await opened(ifindex, name, start());
  return {
    ifindex,
    send: (frame) => {
      if (!isClosed) local.send(frame, remote, "127.0.0.1");
    },
    close: () => {
      isClosed = true;
      child.kill("SIGKILL");
      local.close();
    },
  };
}

/** Whether any socket of the protocol, as /proc/net/packet writes it, is open on the ifindex. */
export function listensTo(ifindex: number, protocol = "0806"): boolean {
  return readFileSync("/proc/net/packet", "utf8")
    .split("\n")
    .some((line) => {
      const columns = line.trim().split(/\s+/);
      return columns[3]?.toLowerCase() === protocol && Number(columns[4]) === ifindex;
    });
}

async function opened(ifindex: number, protocol: string, child: ChildProcess): Promise<void> {
  for (let waited = 0; waited < OPEN_MS && child.exitCode === null; waited += 5) {
    if (listensTo(ifindex, protocol)) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
