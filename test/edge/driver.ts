import { randomBytes } from "node:crypto";
import type { HeartbeatAnswer, SiteSettingsInput } from "../../src/core/edge/wire.ts";
import { sign } from "../../src/core/standard-webhooks.ts";
import { hmac } from "../../src/runtime/node/hmac.ts";
import { ADMIN, type Edge, READ } from "./edges.ts";

export const newKey = (): string => `whsec_${randomBytes(32).toString("base64")}`;
export const newId = (): string => `msg_${randomBytes(9).toString("base64url")}`;
const newSiteName = (): string => `s-${randomBytes(6).toString("hex")}`;
export const nowSeconds = (): number => Math.floor(Date.now() / 1_000);

export const CALM = {
  state: "ok",
  cause: null,
  summary: "Every address answers at every vantage.",
  since: null,
  targets: {},
  heal: { mode: "auto", state: "ok", breaker: "closed" },
};

export interface Sent {
  readonly id?: string;
  readonly key?: string;
  readonly keys?: readonly string[];
  readonly seconds?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly json: Record<string, unknown>;
}

async function replyOf(response: Response): Promise<Reply> {
  const text = await response.text();
  let json: Record<string, unknown> = {};
  try {
    json = JSON.parse(text) as Record<string, unknown>;
  } catch {
    // A page, or nothing.
  }
  return { status: response.status, headers: response.headers, text, json };
}

/** One site of one edge, with a name, a key and a boot of its own: cases do not meet each other. */
export class House {
  readonly edge: Edge;
  readonly site: string;
  key: string;
  boot = newId();
  #seq = 0;

  constructor(edge: Edge, site: string = newSiteName(), key: string = newKey()) {
    this.edge = edge;
    this.site = site;
    this.key = key;
  }

  async add(settings: Partial<SiteSettingsInput> = {}): Promise<this> {
    const reply = await this.put(settings);
    if (reply.status !== 201) throw new Error(`not added: ${reply.status} ${reply.text}`);
    return this;
  }

  put(settings: Partial<SiteSettingsInput> = {}, token: string | null = ADMIN): Promise<Reply> {
    return this.ask("PUT", "", token, { keys: [this.key], ...settings });
  }

  body(more: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
    return {
      type: "hairpin.heartbeat.v1",
      aud: "edge",
      site: this.site,
      boot_id: this.boot,
      seq: ++this.#seq,
      sent_at: new Date().toISOString(),
      silence_ms: 180_000,
      every_ms: 30_000,
      status: CALM,
      checks: [],
      heal_results: [],
      ...more,
    };
  }

  /** Signs and sends a heartbeat: a body, or the very text. */
  async beat(body: Readonly<Record<string, unknown>> | string = this.body(), sent: Sent = {}): Promise<Reply> {
    return this.#signed("heartbeats", body, { key: this.key, ...sent });
  }

  async answer(more: Readonly<Record<string, unknown>> = {}): Promise<HeartbeatAnswer> {
    const reply = await this.beat(this.body(more));
    if (reply.status !== 202) throw new Error(`heartbeat: ${reply.status} ${reply.text}`);
    return reply.json as unknown as HeartbeatAnswer;
  }

  /** A request to heal, signed with the person's own key, which neither edge nor site knows. */
  heal(body: Readonly<Record<string, unknown>>, sent: Sent = {}, token: string | null = READ): Promise<Reply> {
    const headers = token === null ? {} : { authorization: `Bearer ${token}` };
    return this.#signed(
      "heal",
      { type: "hairpin.heal_request.v1", aud: this.site, ...body },
      { key: newKey(), ...sent, headers },
    );
  }

  async #signed(route: string, body: Readonly<Record<string, unknown>> | string, sent: Sent): Promise<Reply> {
    const text = typeof body === "string" ? body : JSON.stringify(body);
    const keys = sent.keys ?? [sent.key ?? this.key];
    const signature = await sign(keys, sent.id ?? newId(), sent.seconds ?? nowSeconds(), text, hmac);
    const headers = { "content-type": "application/json", ...signature, ...sent.headers };
    const url = `${this.edge.url}/v1/sites/${this.site}/${route}`;
    return replyOf(await fetch(url, { method: "POST", headers, body: text }));
  }

  ask(method: string, path: string, token: string | null = READ, body?: unknown): Promise<Reply> {
    return ask(this.edge, method, `/v1/sites/${this.site}${path}`, token, body);
  }

  /** GET …/status until it is as wanted; the runner's own time limit ends a wait that is in vain. */
  async until(wanted: (status: Reply) => boolean): Promise<Reply> {
    for (;;) {
      const status = await this.ask("GET", "/status");
      if (wanted(status)) return status;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

export async function ask(
  edge: Edge,
  method: string,
  path: string,
  token: string | null = READ,
  body?: unknown,
  more: Readonly<Record<string, string>> = {},
): Promise<Reply> {
  const headers: Record<string, string> = { ...more };
  if (token !== null) headers["authorization"] = token.includes(" ") ? token : `Bearer ${token}`;
  if (body !== undefined) headers["content-type"] ??= "application/json";
  const text = body === undefined ? null : typeof body === "string" ? body : JSON.stringify(body);
  return replyOf(await fetch(`${edge.url}${path}`, { method, headers, body: text, redirect: "manual" }));
}
