import type { ChildProcess } from "node:child_process";
import { rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { Assistant } from "./assistant.ts";
import { HA_SPACE, type House } from "./house.ts";
import { until } from "./waiting.ts";

/** What the push service of a phone gets. */
export interface Push {
  readonly title?: string;
  readonly message: string;
  readonly data?: { readonly tag?: string; readonly actions?: readonly { readonly action: string }[] };
}

/** A report as an automation of Home Assistant saw it. */
export interface Report {
  readonly event: string;
  readonly delivery_id: string;
  readonly incident: string | null;
  readonly [key: string]: unknown;
}

const PORT = 18_999;

/**
 * A phone with the Companion app, as far as Home Assistant knows: registered by the app's own call, with a push service of ours.
 * The same door takes what the recording automation saw, in its order.
 */
export class Phone {
  readonly pushes: Push[] = [];
  readonly reports: Report[] = [];
  readonly #server: Server;
  readonly #line: ChildProcess;
  #webhook = "";
  /** Its device in Home Assistant, which the blueprint's input names. */
  device = "";

  private constructor(server: Server, line: ChildProcess) {
    this.#server = server;
    this.#line = line;
  }

  static async open(house: House, dir: string): Promise<Phone> {
    const socket = `${dir}/phone.sock`;
    rmSync(socket, { force: true });
    const server = createServer((request, response) => {
      let text = "";
      request.on("data", (chunk) => {
        text += chunk;
      });
      request.on("end", () => {
        if (request.url === "/record") phone.reports.push(JSON.parse(text) as Report);
        else phone.pushes.push(JSON.parse(text) as Push);
        const limits = { attempts: 1, successful: 1, errors: 0, total: 1, maximum: 500, remaining: 499 };
        const body = { rateLimits: { ...limits, resetsAt: new Date(Date.now() + 3_600_000).toISOString() } };
        response.writeHead(201, { "content-type": "application/json" }).end(JSON.stringify(body));
      });
    });
    await new Promise<void>((resolve) => server.listen(socket, resolve));
    const listen = `TCP-LISTEN:${PORT},bind=127.0.0.1,fork,reuseaddr`;
    const line = house.spawn(HA_SPACE, ["socat", listen, `UNIX-CONNECT:${socket}`]);
    const phone = new Phone(server, line);
    return phone;
  }

  async register(assistant: Assistant): Promise<void> {
    const registered = await assistant.rest<{ webhook_id: string }>("POST", "/api/mobile_app/registrations", {
      device_id: "hairpin-e2e",
      app_id: "io.homeassistant.companion.android",
      app_name: "Home Assistant",
      app_version: "2026.11.1",
      device_name: "Phone",
      manufacturer: "Nobody",
      model: "Simulated",
      os_name: "Android",
      os_version: "17",
      supports_encryption: false,
      app_data: { push_token: "none", push_url: `http://127.0.0.1:${PORT}/push` },
    });
    this.#webhook = registered.webhook_id;
    const known = await until(
      async () => {
        const devices = await assistant.ask<{ id: string; name: string }[]>({ type: "config/device_registry/list" });
        return devices.find(({ name }) => name === "Phone") ?? null;
      },
      20_000,
      "the phone's device",
    );
    this.device = known.id;
  }

  /** The button of a notification is tapped: the app's own call. */
  async tap(assistant: Assistant, push: Push): Promise<void> {
    const action = push.data?.actions?.[0]?.action;
    if (action === undefined) throw new Error(`this notification has no button: ${JSON.stringify(push)}`);
    const event_data = { action, tag: push.data?.tag };
    const body = { type: "fire_event", data: { event_type: "mobile_app_notification_action", event_data } };
    await assistant.rest("POST", `/api/webhook/${this.#webhook}`, body);
  }

  close(): void {
    this.#server.close();
    this.#line.kill("SIGKILL");
  }
}
