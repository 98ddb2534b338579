import { createServer as createHttp, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createHttps } from "node:https";
import type { KeyPair } from "../certificates.ts";
import { say } from "./channel.ts";

/** A stand-in that takes whatever a hub sends, and tells the director. */
export interface Receiving {
  readonly address: string;
  readonly port: number;
  readonly tls: KeyPair | null;
  /** Who is meant, by the name in the Host header; "*" for any. */
  readonly names: Readonly<Record<string, { readonly kind: string; readonly name: string }>>;
}

export interface Recorder {
  readonly open: () => Promise<void>;
  readonly close: () => Promise<void>;
}

const BODY_MAX = 65_536;

function bodyOf(request: IncomingMessage): Promise<string> {
  return new Promise((resolve) => {
    let body = "";
    request.on("data", (chunk) => {
      if (body.length < BODY_MAX) body += chunk;
    });
    request.on("end", () => resolve(body));
    request.on("error", () => resolve(body));
  });
}

/** The event in whatever form the subscriber gets it: Home Assistant flat, webhooks wrapped, ntfy in a header or title. */
function parsed(body: string): Record<string, unknown> {
  try {
    const value = JSON.parse(body) as Record<string, unknown>;
    const data = value["data"];
    return typeof data === "object" && data !== null ? (data as Record<string, unknown>) : value;
  } catch {
    return {};
  }
}

/** `onEvent` is called with each flat event, after the answer was sent. */
export function recorder(receiving: Receiving, onEvent?: (event: Record<string, unknown>) => void): Recorder {
  let server: Server | null = null;
  const take = async (request: IncomingMessage, response: ServerResponse) => {
    const body = await bodyOf(request);
    const host = (request.headers.host ?? "").replace(/:\d+$/, "");
    const who = receiving.names[host] ?? receiving.names["*"] ?? { kind: "unknown", name: host };
    const event = parsed(body);
    response.writeHead(200, { "content-type": "text/plain" });
    response.end("ok\n");
    const title = event["title"] ?? request.headers["title"] ?? null;
    say({
      what: "received",
      kind: who.kind,
      name: who.name,
      event: event["event"] ?? null,
      title,
      text: body.slice(0, 4_096),
      method: request.method,
    });
    onEvent?.(event);
  };
  return {
    open: () =>
      new Promise((resolve, reject) => {
        if (server !== null) return resolve();
        const handler = (request: IncomingMessage, response: ServerResponse) => void take(request, response);
        const made =
          receiving.tls === null
            ? createHttp(handler)
            : createHttps({ cert: receiving.tls.certificate, key: receiving.tls.key }, handler);
        made.once("error", reject);
        made.listen(receiving.port, receiving.address, () => {
          server = made;
          resolve();
        });
      }),
    close: () =>
      new Promise((resolve) => {
        const closing = server;
        server = null;
        if (closing === null) return resolve();
        closing.closeAllConnections();
        closing.close(() => resolve());
      }),
  };
}
