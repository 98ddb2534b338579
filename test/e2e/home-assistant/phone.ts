import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { HomeAssistant } from "./real.ts";

/** One push, as the relay of the companion app would get it. */
export interface Push {
  readonly title?: string;
  readonly message?: string;
  readonly data?: {
    readonly tag?: string;
    readonly actions?: readonly { readonly action: string; readonly title: string }[];
  };
}

/**
 * A phone: registered with Home Assistant as the companion app does it, its pushes received by this process instead of Google's or
 * Apple's relay (the stand-in). Its taps are the app's own call.
 */
export class Phone {
  readonly pushes: Push[] = [];
  #server: Server | null = null;
  #webhook = "";
  #home: HomeAssistant | null = null;

  /** Registers; returns the id of the device, which the blueprint's input wants. */
  async register(home: HomeAssistant): Promise<string> {
    this.#home = home;
    const server = createServer((request, response) => {
      let body = "";
      request.on("data", (chunk) => {
        body += chunk;
      });
      request.on("end", () => {
        this.pushes.push(JSON.parse(body) as Push);
        response.writeHead(201, { "content-type": "application/json" }).end('{"target":"phone"}');
      });
    });
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const registered = await home.post<{ webhook_id: string }>("/api/mobile_app/registrations", {
      device_id: "e2e-phone",
      app_id: "e2e.phone",
      app_name: "Companion",
      app_version: "1",
      device_name: "Test phone",
      manufacturer: "nobody",
      model: "none",
      os_name: "none",
      os_version: "1",
      supports_encryption: false,
      app_data: { push_token: "token", push_url: `http://127.0.0.1:${port}/push` },
    });
    this.#webhook = registered.webhook_id;
    const devices = await home.ask<{ id: string; name: string }[]>({ type: "config/device_registry/list" });
    const device = devices.find(({ name }) => name === "Test phone");
    if (device === undefined) throw new Error("the phone is not among the devices");
    return device.id;
  }

  /** Presses the button of the latest push that has one. */
  async tap(): Promise<void> {
    const action = this.pushes.findLast(({ data }) => (data?.actions?.length ?? 0) > 0)?.data?.actions?.[0]?.action;
    if (action === undefined) throw new Error("no push has a button");
    await this.#home!.post(`/api/webhook/${this.#webhook}`, {
      type: "fire_event",
      data: { event_type: "mobile_app_notification_action", event_data: { action } },
    });
  }

  close(): void {
    this.#server?.close();
  }
}
