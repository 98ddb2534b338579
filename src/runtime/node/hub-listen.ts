import { chmodSync, existsSync, lstatSync, mkdirSync, readFileSync, unlinkSync } from "node:fs";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { connect } from "node:net";
import { dirname } from "node:path";
import { getRequestListener } from "@hono/node-server";
import { bracketed } from "../../core/address.ts";
import type { Peer } from "../../hooks/deps.ts";

/** Sockets at once; beyond it new ones are dropped, and those that are there go on being served. */
const CONNECTIONS_MAX = 512;
const REQUESTS_PER_SOCKET = 10_000;

type Fetch = (request: Request, env: unknown) => Response | Promise<Response>;

export interface Listening {
  readonly where: readonly string[];
  close(): Promise<void>;
}

/** What the node adapter hands to the app; see @hono/node-server, "Accessing Node.js API". */
export function peerOf(env: unknown): Peer {
  const { incoming } = env as { incoming: IncomingMessage };
  const { socket, rawHeaders } = incoming;
  const hosts = rawHeaders.filter((_, index) => index % 2 === 1 && rawHeaders[index - 1]!.toLowerCase() === "host");
  // A unix socket has no addresses.
  const unix = socket.remoteAddress === undefined && socket.localAddress === undefined;
  const address = socket.remoteAddress?.replace(/^::ffff:/, "") ?? null;
  const local =
    socket.localAddress === undefined
      ? null
      : `${bracketed(socket.localAddress.replace(/^::ffff:/, ""))}:${socket.localPort}`;
  return { unix, address, local, hosts };
}

/** Listens on every entry. Throws when one cannot be had: half a hub would be found out too late. */
export async function listenOn(
  entries: readonly string[],
  fetch: Fetch,
  tls: { cert_file: string; key_file: string } | null,
): Promise<Listening> {
  const servers: Server[] = [];
  try {
    for (const entry of entries)
      servers.push(
        entry.startsWith("unix:") ? await listenUnix(entry.slice(5), fetch) : await listenAddress(entry, fetch, tls),
      );
  } catch (error) {
    for (const server of servers) server.close();
    throw error;
  }
  return {
    where: servers.map((server, index) => sayAddress(server, entries[index]!)),
    async close() {
      await Promise.all(
        servers.map(
          (server) =>
            new Promise<void>((resolve) => {
              server.close(() => resolve());
              server.closeIdleConnections();
              setTimeout(() => server.closeAllConnections(), 500).unref();
            }),
        ),
      );
    },
  };
}

function sayAddress(server: Server, entry: string): string {
  const address = server.address();
  return address === null || typeof address === "string"
    ? entry
    : `${address.family === "IPv6" ? `[${address.address}]` : address.address}:${address.port}`;
}

function build(fetch: Fetch, tls: { cert_file: string; key_file: string } | null): Server {
  const listener = getRequestListener(fetch as Parameters<typeof getRequestListener>[0], {
    overrideGlobalObjects: false,
  });
  const options = {
    headersTimeout: 10_000,
    requestTimeout: 30_000,
    connectionsCheckingInterval: 5_000,
    maxHeaderSize: 16_384,
    requireHostHeader: true,
  };
  const server =
    tls === null
      ? createServer(options, listener)
      : (createTlsServer(
          { ...options, cert: readFileSync(tls.cert_file), key: readFileSync(tls.key_file) },
          listener,
        ) as unknown as Server);
  server.keepAliveTimeout = 65_000;
  server.maxConnections = CONNECTIONS_MAX;
  server.maxRequestsPerSocket = REQUESTS_PER_SOCKET;
  server.maxHeadersCount = 64;
  return server;
}

function started(server: Server, listen: () => void): Promise<Server> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.once("listening", () => {
      server.off("error", reject);
      resolve(server);
    });
    listen();
  });
}

function listenAddress(
  entry: string,
  fetch: Fetch,
  tls: { cert_file: string; key_file: string } | null,
): Promise<Server> {
  const colon = entry.lastIndexOf(":");
  const server = build(fetch, tls);
  return started(server, () =>
    server.listen({ host: entry.slice(0, colon).replace(/^\[|\]$/g, ""), port: Number(entry.slice(colon + 1)) }),
  );
}

/** Mode 0660: the file's owner and group may do everything, nobody else anything. */
async function listenUnix(path: string, fetch: Fetch): Promise<Server> {
  mkdirSync(dirname(path), { recursive: true });
  if (existsSync(path)) {
    if (!lstatSync(path).isSocket()) throw new Error(`${path} is there and is no socket`);
    if (await isServed(path)) throw new Error(`another process listens on ${path}`);
    unlinkSync(path);
  }
  const server = build(fetch, null);
  const before = process.umask(0o117);
  try {
    await started(server, () => server.listen({ path }));
  } finally {
    process.umask(before);
  }
  chmodSync(path, 0o660);
  return server;
}

function isServed(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
