import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** The address that the stand-in calls the app from, as the real one does from 172.30.32.2. */
export const SUPERVISOR = "127.0.0.2";
export const PREFIX = "/api/hassio_ingress/f2Vn0c0ffee";

/** Home Assistant shows an app's page in a frame of its own page. */
const PANEL = `<!doctype html><title>panel</title><link rel="icon" href="data:,"><style>*{margin:0;border:0}iframe{width:100vw;height:100vh;display:block}</style><iframe src="${PREFIX}/"></iframe>`;

export interface Call {
  readonly path: string;
  readonly body: Readonly<Record<string, unknown>>;
  readonly authorization: string;
}

/**
 * A stand-in for Home Assistant's supervisor, as far as an app meets it: notifications of Core, the MQTT service, and the ingress
 * proxy in front of the app's page (path cut off and given in X-Ingress-Path, the user's name added, what a browser claims of itself
 * taken out). Written after the supervisor's api/ingress.py.
 */
export async function standInSupervisor(appPort: () => number) {
  const calls: Call[] = [];
  const notifications = new Map<string, string>();
  let refusals = 0;
  let wake = () => {};

  async function serveApi(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await textOf(incoming);
    const path = incoming.url ?? "";
    if (incoming.headers.authorization !== "Bearer supervisors-secret") return void response.writeHead(401).end();
    const said = body === "" ? {} : (JSON.parse(body) as Record<string, string>);
    calls.push({ path, body: said, authorization: incoming.headers.authorization });
    if (path === "/services/mqtt") {
      const data = { host: "core-mosquitto", port: 1883, ssl: false, username: "addons", password: "brokers-secret" };
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ result: "ok", data: { ...data, protocol: "3.1.1" } }));
    } else if (refusals > 0) {
      refusals--;
      response.writeHead(502).end();
    } else {
      if (path.endsWith("/create")) notifications.set(said["notification_id"]!, `${said["title"]}\n${said["message"]}`);
      if (path.endsWith("/dismiss")) notifications.delete(said["notification_id"]!);
      response.setHeader("content-type", "application/json");
      response.end("[]");
    }
    wake();
  }

  function proxy(incoming: IncomingMessage, response: ServerResponse): void {
    const headers: Record<string, string | string[]> = { "x-remote-user-display-name": "Ada" };
    for (const [name, value] of Object.entries(incoming.headers))
      if (value !== undefined && !/^(x-remote-user|x-ingress-path|transfer-encoding)/.test(name)) headers[name] = value;
    headers["x-ingress-path"] = PREFIX;
    const path = (incoming.url ?? "").slice(PREFIX.length);
    const to = { host: "127.0.0.1", port: appPort(), localAddress: SUPERVISOR, method: incoming.method ?? "GET", path };
    const onward = request({ ...to, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.on("error", () => response.writeHead(502).end());
    incoming.pipe(onward);
  }

  const server = createServer((incoming, response) => {
    if (incoming.url?.startsWith(`${PREFIX}/`)) proxy(incoming, response);
    else if (incoming.url === "/panel") response.setHeader("content-type", "text/html").end(PANEL);
    else void serveApi(incoming, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    page: `${url}${PREFIX}/`,
    env: { SUPERVISOR_TOKEN: "supervisors-secret", HAIRPIN_SUPERVISOR: url },
    calls,
    notifications,
    /** So many of the next notifications are answered with 502, as while Core restarts. */
    refuse(count: number) {
      refusals = count;
    },
    async until(wanted: () => boolean) {
      while (!wanted())
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
    },
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

async function textOf(incoming: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of incoming.setEncoding("utf8") as AsyncIterable<string>) text += chunk;
  return text;
}
