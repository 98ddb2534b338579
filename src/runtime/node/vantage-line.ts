import request from "undici/lib/api/api-request.js";
import Client from "undici/lib/dispatcher/client.js";
import type { HubLine, HubReply } from "../../engine/vantage-port.ts";
import { deadline } from "../../probes/deadline.ts";

/** A plan of a large house is some 100 KB; an answer to a report is a few bytes. */
const BODY_MAX = 1_048_576;
const CONNECT_TIMEOUT_MS = 3_000;

/** A kept connection to the hub. The hub's address is a literal, so nothing is looked up. */
export function openHubLine(hub: string): HubLine & { close(): Promise<void> } {
  const url = new URL(hub);
  const base = url.pathname.replace(/\/$/, "");
  const client = new Client(url.origin, {
    connect: { timeout: CONNECT_TIMEOUT_MS },
    pipelining: 1,
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  return {
    async send(asked, signal): Promise<HubReply> {
      const limited = deadline([signal], asked.timeout);
      try {
        const response = await request.call(client, {
          method: asked.method,
          path: `${base}${asked.path}`,
          headers: { ...asked.headers, "user-agent": "hairpin-vantage" },
          body: asked.body,
          signal: limited.signal,
        });
        const headers = Object.fromEntries(
          Object.entries(response.headers).map(([name, value]) => [name, String(value ?? "")]),
        );
        return { status: response.statusCode, headers, body: await readText(response.body), detail: null };
      } catch (error) {
        const { code, message } = error as NodeJS.ErrnoException;
        const detail = limited.isLate() ? `no answer in ${asked.timeout} ms` : (code ?? message ?? String(error));
        return { status: null, headers: {}, body: "", detail };
      } finally {
        limited.end();
      }
    },
    close: () => client.destroy(),
  };
}

async function readText(stream: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream) {
    size += chunk.length;
    if (size > BODY_MAX) throw new Error(`the hub's answer is larger than ${BODY_MAX} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
