import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";

export interface Received {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

/** A receiver that records, and answers what the test says. */
export async function recorder(
  answer: (received: Received) => { status: number; headers?: Record<string, string>; body?: string } = () => ({
    status: 200,
  }),
) {
  const got: Received[] = [];
  let wake = () => {};
  const server: Server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (chunk: string) => {
      body += chunk;
    });
    request.on("end", () => {
      const received = { method: request.method ?? "", url: request.url ?? "", headers: request.headers, body };
      const { status, headers, body: text } = answer(received);
      got.push(received);
      response.writeHead(status, headers).end(text ?? "");
      wake();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const until = async (wanted: (all: readonly Received[]) => boolean) => {
    while (!wanted(got)) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  return {
    got,
    until,
    close,
    port: (server.address() as AddressInfo).port,
  };
}
