import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { plain } from "../../core/text.ts";
import type { ViewedBroker } from "../../core/vantage-view.ts";
import type { Bell, ToldRecord } from "../../engine/vantage-ingress-outage.ts";
import type { HubLine } from "../../engine/vantage-port.ts";

const TIMEOUT_MS = 10_000;
/** A broker is installed once in the life of a house; the supervisor is asked again now and then. */
const BROKER_EVERY_MS = 300_000;
const NAME_MAX = 128;

/** Home Assistant's supervisor as an app meets it: an address inside the machine, and a token that each start of the app gets anew. */
export interface Supervisor {
  readonly bell: Bell;
  /** The broker that it offers to apps (`services: mqtt:want`); null: none, or it does not say. The password is not kept. */
  broker(signal: AbortSignal): Promise<ViewedBroker | null>;
}

export function createSupervisor(line: HubLine, token: string): Supervisor {
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };

  async function call(service: "create" | "dismiss", data: object, signal: AbortSignal): Promise<boolean> {
    const path = `/core/api/services/persistent_notification/${service}`;
    const body = JSON.stringify(data);
    const reply = await line.send({ method: "POST", path, headers, body, timeout: TIMEOUT_MS }, signal);
    return reply.status !== null && reply.status >= 200 && reply.status < 300;
  }

  return {
    bell: {
      create: (id, title, message, signal) => call("create", { notification_id: id, title, message }, signal),
      dismiss: (id, signal) => call("dismiss", { notification_id: id }, signal),
    },
    async broker(signal) {
      const request = { method: "GET", path: "/services/mqtt", headers, body: null, timeout: TIMEOUT_MS } as const;
      const reply = await line.send(request, signal);
      return reply.status === 200 ? brokerIn(reply.body) : null;
    },
  };
}

function brokerIn(body: string): ViewedBroker | null {
  let said: unknown;
  try {
    said = (JSON.parse(body) as { data?: unknown } | null)?.data;
  } catch {
    return null;
  }
  const { host, port, ssl, username } = (said ?? {}) as Readonly<Record<string, unknown>>;
  const number = Number(port);
  if (typeof host !== "string" || host === "" || !Number.isInteger(number) || number < 1 || number > 65_535)
    return null;
  const login = typeof username === "string" && username !== "" ? plain(username, NAME_MAX) : null;
  return { host: plain(host, NAME_MAX), port: number, tls: ssl === true, username: login };
}

/** Asks for the broker now and again, and hands on what is new. Never rejects. */
export async function followBroker(
  supervisor: Supervisor,
  sleep: (millis: number, signal: AbortSignal) => Promise<void>,
  found: (broker: ViewedBroker | null) => void,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    found(await supervisor.broker(signal));
    await sleep(BROKER_EVERY_MS, signal);
  }
}

/** Whether an outage has been told, as a file that is there or not. A disk that refuses costs a second notification, no more. */
export function toldRecord(path: string): ToldRecord {
  return {
    read: () =>
      readFile(path, "utf8").then(
        () => true,
        () => false,
      ),
    async write(told) {
      try {
        if (!told) return await rm(path, { force: true });
        await writeFile(`${path}.new`, "told\n", { mode: 0o600 });
        await rename(`${path}.new`, path);
      } catch {
        // Said once more after the next start.
      }
    },
  };
}
