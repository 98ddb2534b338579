import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { RepairReport, RepairRequest } from "../../src/core/repair.ts";
import { factsOf } from "../support/hub.ts";

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = "";
  for await (const chunk of request) body += chunk;
  return body;
}

function answer(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}

export interface Received {
  readonly id: string;
  readonly body: string;
}

/** A stand-in for one subscriber: takes everything, and keeps it. */
export async function startReceiver(): Promise<{ url: string; got: Received[]; close: () => void }> {
  const got: Received[] = [];
  const server = createServer((request, response) => {
    void bodyOf(request).then((body) => {
      got.push({ id: String(request.headers["webhook-id"]), body });
      answer(response, 200, {});
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`, got, close: () => shut(server) };
}

/** A stand-in for the host process: runs every id once, and says so. */
export interface HostStandIn {
  /** Ids that were run, in order. */
  readonly ran: string[];
  readonly isRepaired: () => boolean;
  readonly close: () => void;
}

/** How long a repair takes. */
const REPAIR_MS = 150;

export async function startHostStandIn(socket: string): Promise<HostStandIn> {
  const ran: string[] = [];
  const reports = new Map<string, RepairReport>();
  let repaired = false;
  const repair = (request: RepairRequest): { status: number; body: object } => {
    const known = reports.get(request.id);
    if (known !== undefined) return { status: 200, body: known };
    ran.push(request.id);
    const begun = { id: request.id, step: request.step, refusal: null, detail: null, commands: [], advice: null };
    const report: RepairReport = { ...begun, state: "accepted", started_at: new Date().toISOString(), ms: null };
    reports.set(request.id, report);
    setTimeout(() => {
      reports.set(request.id, { ...report, state: "done", ms: REPAIR_MS });
      repaired = true;
    }, REPAIR_MS);
    return { status: 202, body: report };
  };
  const server = createServer((request, response) => {
    void bodyOf(request).then((body) => {
      const path = request.url ?? "";
      if (request.method === "POST" && path === "/v1/repairs") {
        const made = repair(JSON.parse(body) as RepairRequest);
        return answer(response, made.status, made.body);
      }
      if (path.startsWith("/v1/facts")) return void setTimeout(() => answer(response, 200, factsOf()), 200);
      const report = reports.get(path.slice("/v1/repairs/".length));
      return answer(response, report === undefined ? 404 : 200, report ?? {});
    });
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  return { ran, isRepaired: () => repaired, close: () => shut(server) };
}

function shut(server: Server): void {
  server.close();
  server.closeAllConnections();
}
