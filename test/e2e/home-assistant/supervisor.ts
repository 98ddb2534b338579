import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type RequestOptions, request, type ServerResponse } from "node:http";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { HomeAssistant } from "./real.ts";
import { APP_ADDRESS, APP_SLUG, appConfig, appFacts, SUPERVISOR_ADDRESS, systemFacts } from "./supervisor-facts.ts";

const APP = fileURLToPath(new URL("../../../deploy/homeassistant/app/", import.meta.url));
const BODY_MAX = 1_048_576;
/** What the Supervisor takes out of a request for an app's page: hop by hop, its own tokens, and what a browser says of its user. */
const NOT_FORWARDED =
  /^(content-length|content-encoding|transfer-encoding|sec-websocket-.*|x-supervisor-token|x-hassio-key|x-remote-user-.*)$/;
/** What it takes out of the answer. Its own server, and Core's after it, say these anew. */
const NOT_ANSWERED = /^(content-length|content-encoding|transfer-encoding|connection|keep-alive)$/;

export interface SupervisorSecrets {
  /** Core's own token (SUPERVISOR_TOKEN in its environment). */
  readonly core: string;
  /** The app's, which its container gets anew at each start. */
  readonly app: string;
  /** On which Core listens for the Supervisor alone, since 2026; before, it hands over a refresh token. */
  readonly socket: string;
}

export function supervisorSecrets(dir: string): SupervisorSecrets {
  const hex = () => randomBytes(28).toString("hex");
  return { core: hex(), app: hex(), socket: join(dir, "core.sock") };
}

interface Person {
  readonly id: string;
  readonly name: string | null;
  readonly username: string | null;
}

/**
 * A stand-in of the Supervisor's HTTP API (the real one is a container that drives Docker, which a test has not): as much as Core's
 * own `hassio` integration needs to load, to show the app's panel and to bring a browser to the app's page, and as much as the app
 * asks. Written after the Supervisor's api/ingress.py, api/proxy.py and api/apps.py. Core, its frontend and its proxy
 * /api/hassio_ingress are real, and so is the app.
 */
export class StandInSupervisor {
  /** Paths that Core or the app asked for and that the stand-in does not know: an end of a run shows them. */
  readonly unknown = new Set<string>();
  /** In the path of the app's page, and unguessable as the real one. */
  readonly ingressToken = randomBytes(32).toString("base64url");
  readonly #home: HomeAssistant;
  readonly #secrets: SupervisorSecrets;
  readonly #facts: ReturnType<typeof systemFacts>;
  readonly #config = appConfig();
  readonly #sessions = new Map<string, Person | null>();
  #refreshToken: string | null = null;
  readonly #server = createServer((incoming, response) => {
    this.#serve(incoming, response).catch((error: unknown) => {
      if (!response.headersSent) response.writeHead(502).end(String(error));
      else response.destroy();
    });
  });

  constructor(home: HomeAssistant, version: string, secrets: SupervisorSecrets) {
    this.#home = home;
    this.#secrets = secrets;
    this.#facts = systemFacts(version, appFacts(this.#config, this.ingressToken));
  }

  listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject).listen(80, SUPERVISOR_ADDRESS, resolve);
    });
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (incoming.url ?? "/").split("?")[0]!;
    const [, token, rest] = /^\/ingress\/([\w-]{20,})\/(.*)$/.exec(incoming.url ?? "") ?? [];
    if (token !== undefined) return this.#ingress(incoming, response, token, rest ?? "");
    // Icons are open to everybody, as Core's own proxy is.
    if (/^\/(store\/)?addons\/[^/]+\/(icon|logo)$/.test(path)) return picture(response, path);
    const bearer = incoming.headers.authorization?.replace(/^Bearer /, "");
    const body = await textOf(incoming);
    if (bearer === this.#secrets.app) return this.#serveApp(incoming, response, path, body);
    if (bearer !== this.#secrets.core) return answer(response, 401, "unauthorized");
    if (incoming.method === "GET" && path === "/ingress/panels") {
      const { panel_title: title, panel_icon: icon } = this.#config;
      return answer(response, 200, { panels: { [APP_SLUG]: { title, icon, admin: true, enable: true } } });
    }
    const known = this.#facts[path];
    if (incoming.method === "GET" && known !== undefined) return answer(response, 200, known);
    if (incoming.method === "POST") return this.#take(response, path, body);
    if (/\/changelog$/.test(path)) return void response.writeHead(200, { "content-type": "text/plain" }).end("");
    this.unknown.add(`${incoming.method} ${path}`);
    return answer(response, 404, `the stand-in does not know ${path}`);
  }

  /** What Core tells or asks for. */
  async #take(response: ServerResponse, path: string, body: string): Promise<void> {
    const said = (body === "" ? {} : JSON.parse(body)) as Readonly<Record<string, string | null>>;
    if (path === "/ingress/session") {
      const session = randomBytes(64).toString("hex");
      this.#sessions.set(session, await this.#person(said["user_id"] ?? ""));
      return answer(response, 200, { session });
    }
    if (path === "/ingress/validate_session")
      return answer(response, this.#sessions.has(said["session"] ?? "") ? 200 : 401, {});
    if (/^\/(core|homeassistant)\/options$/.test(path)) this.#refreshToken = said["refresh_token"] ?? null;
    else if (!/^\/(supervisor\/options|(re(load|fresh)_updates)|store\/reload)$/.test(path)) {
      this.unknown.add(`POST ${path}`);
      return answer(response, 404, `the stand-in does not know ${path}`);
    }
    return answer(response, 200, {});
  }

  /** The Supervisor asks Core who its users are. */
  async #person(id: string): Promise<Person | null> {
    const people = await this.#home.ask<Person[]>({ type: "config/auth/list" });
    return people.find((person) => person.id === id) ?? null;
  }

  /** One request for the app's page, from Core: with a session, and from this one address of the machine. */
  async #ingress(incoming: IncomingMessage, response: ServerResponse, token: string, rest: string): Promise<void> {
    const session = /(?:^|; ?)ingress_session=([0-9a-f]+)/.exec(incoming.headers.cookie ?? "")?.[1] ?? "";
    if (!this.#sessions.has(session)) return void response.writeHead(401).end("401: Unauthorized");
    if (token !== this.ingressToken) return void response.writeHead(503).end("503: Service Unavailable");
    const person = this.#sessions.get(session);
    const headers: Record<string, string | string[]> = {};
    if (person?.id !== undefined) headers["x-remote-user-id"] = person.id;
    if (person?.username) headers["x-remote-user-name"] = person.username;
    if (person?.name) headers["x-remote-user-display-name"] = person.name;
    for (const [name, value] of Object.entries(incoming.headers))
      if (value !== undefined && !NOT_FORWARDED.test(name)) headers[name] = value;
    headers["x-forwarded-for"] = `${incoming.headers["x-forwarded-for"]}, ${incoming.socket.remoteAddress}`;
    const body = await textOf(incoming);
    const place = { host: APP_ADDRESS, port: 8_099, localAddress: SUPERVISOR_ADDRESS, path: `/${rest}` };
    const { status, text, headers: said } = await send({ ...place, method: incoming.method!, headers }, body);
    const kept = Object.entries(said).filter(([name]) => !NOT_ANSWERED.test(name));
    response.writeHead(status, Object.fromEntries(kept) as Record<string, string>).end(text);
  }

  /** What the app itself asks: Core's API, and the broker that runs as another app. */
  async #serveApp(incoming: IncomingMessage, response: ServerResponse, path: string, body: string): Promise<void> {
    if (path === "/services/mqtt") {
      const login = { username: "addons", password: this.#secrets.app.slice(0, 16) };
      const broker = { addon: "core_mosquitto", host: "core-mosquitto", port: 1_883, ssl: false, protocol: "3.1.1" };
      return answer(response, 200, { ...broker, ...login });
    }
    if (!path.startsWith("/core/api/")) {
      this.unknown.add(`${incoming.method} ${path} (the app)`);
      return answer(response, 403, "forbidden");
    }
    const type = incoming.headers["content-type"] ?? "application/json";
    const said = await this.#askCore(incoming.method!, path.slice("/core".length), body, type);
    response.writeHead(said.status, { "content-type": String(said.headers["content-type"] ?? "text/plain") });
    response.end(said.text);
  }

  /** As the user "Supervisor" that Core has made for it: over the socket, or with the refresh token that Core handed over. */
  async #askCore(method: string, path: string, body: string, type: string): Promise<Reply> {
    const headers = { "content-type": type };
    if (existsSync(this.#secrets.socket))
      return send({ socketPath: this.#secrets.socket, method, path, headers: { ...headers, host: "core" } }, body);
    // As the real one: without access to Core, nothing is tried there, since each refused try raises a warning at its users.
    if (this.#refreshToken === null) return NO_CORE;
    const { hostname: host, port } = new URL(this.#home.url);
    const form = new URLSearchParams({ grant_type: "refresh_token", refresh_token: this.#refreshToken });
    const formType = { "content-type": "application/x-www-form-urlencoded" };
    const granted = await send({ host, port, method: "POST", path: "/auth/token", headers: formType }, `${form}`);
    if (granted.status !== 200) return NO_CORE;
    const { access_token } = JSON.parse(granted.text) as { access_token: string };
    const authorized = { ...headers, authorization: `Bearer ${access_token}` };
    return send({ host, port, method, path, headers: authorized }, body);
  }
}

function answer(response: ServerResponse, status: number, data: object | string): void {
  const said = typeof data === "string" ? { result: "error", message: data } : { result: "ok", data };
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(said));
}

function picture(response: ServerResponse, path: string): void {
  const file = join(APP, path.endsWith("icon") ? "icon.png" : "logo.png");
  response.writeHead(200, { "content-type": "image/png" }).end(readFileSync(file));
}

interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

const NO_CORE: Reply = { status: 502, headers: {}, text: "502: Bad Gateway" };

function send(to: RequestOptions, body: string): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const length = body === "" ? {} : { "content-length": Buffer.byteLength(body) };
    const onward = request({ ...to, headers: { ...(to.headers as object), ...length } }, (reply) => {
      textOf(reply).then((text) => resolve({ status: reply.statusCode ?? 502, headers: reply.headers, text }), reject);
    });
    onward.on("error", reject).end(body);
  });
}

async function textOf(incoming: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of incoming.setEncoding("utf8") as AsyncIterable<string>) {
    text += chunk;
    if (text.length > BODY_MAX) throw new Error("more than a test sends");
  }
  return text;
}
