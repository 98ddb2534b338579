import { chmodSync, existsSync, lstatSync, mkdirSync, unlinkSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { connect, type Socket } from "node:net";
import { dirname } from "node:path";
import { getRequestListener } from "@hono/node-server";

/** Who may write to the socket may ask for repairs: its owner and its group. */
const SOCKET_MODE = 0o660;
const CONNECTIONS_MAX = 64;

type Fetch = (request: Request) => Response | Promise<Response>;

export interface Listening {
  readonly close: () => Promise<void>;
}

/** Listens on `unix:/path` or `ADDRESS:PORT`. Throws with a sentence when it cannot. */
export async function listen(where: string, fetch: Fetch): Promise<Listening> {
  const server = createServer(
    { requestTimeout: 10_000, headersTimeout: 10_000, maxHeaderSize: 16_384 },
    getRequestListener(fetch, { overrideGlobalObjects: false }),
  );
  server.maxConnections = CONNECTIONS_MAX;
  if (where.startsWith("unix:")) await listenUnix(server, where.slice("unix:".length));
  else {
    const [, address = "", port = ""] = /^\[?([0-9A-Fa-f.:]+?)\]?:(\d+)$/.exec(where) ?? [];
    await started(server, () => server.listen(Number(port), address), where);
  }
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function listenUnix(server: Server, path: string): Promise<void> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  if (existsSync(path)) {
    if (!lstatSync(path).isSocket()) throw new Error(`${path} is there and is no socket: it is left alone`);
    if (await isAnswered(path)) throw new Error(`another process listens on ${path}`);
    unlinkSync(path);
  }
  // The mode is right from the first moment on: between listen and chmod anybody could connect.
  const before = process.umask(0o117);
  try {
    await started(server, () => server.listen(path), path);
  } finally {
    process.umask(before);
  }
  chmodSync(path, SOCKET_MODE);
}

function started(server: Server, begin: () => void, where: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) =>
      reject(new Error(`cannot listen on ${where}: ${error.code ?? error.message}`)),
    );
    server.once("listening", resolve);
    begin();
  });
}

/** Whether somebody listens on the socket; one that a killed process left behind refuses. */
function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket: Socket = connect(path);
    const end = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once("connect", () => end(true));
    socket.once("error", () => end(false));
    socket.setTimeout(1_000, () => end(true));
  });
}
