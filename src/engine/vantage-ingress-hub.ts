import type { JoinToken } from "../core/plan.ts";
import { type Purpose, purposeKey } from "../core/purpose-key.ts";
import { type Hmac, sign } from "../core/standard-webhooks.ts";
import { plain } from "../core/text.ts";
import type { Millis } from "../core/units.ts";
import type { HealOutcome, HubStatus } from "../core/vantage-view.ts";
import type { Clock } from "../probes/port.ts";
import type { HubLine, HubReply } from "./vantage-port.ts";

/** A page waits for it. */
const STATUS_TIMEOUT: Millis = 1_500;
/** So often at most is the hub asked, however many pages are open. */
const STATUS_EVERY: Millis = 2_000;
const HEAL_TIMEOUT: Millis = 8_000;
/** The hub decides within milliseconds; a second try with the same id is for a connection that broke on the way. */
const HEAL_TRIES = 2;
const TEXT_MAX = 512;

export interface HubAsks {
  /** The hub's status, at most two seconds old; null when it does not say one in time. Never rejects. */
  status(signal: AbortSignal): Promise<HubStatus | null>;
  /** Passes on that a person asked for a repair. Never rejects. */
  heal(reason: string, signal: AbortSignal): Promise<HealOutcome>;
}

interface AskPorts {
  readonly clock: Clock;
  readonly hub: HubLine;
  readonly hmac: Hmac;
  readonly token: JoinToken;
  readonly bootId: string;
}

/** What a vantage asks the hub for its page, each signed with the key of its purpose: no bearer token is on the LAN or in the app. */
export function createHubAsks(ports: AskPorts): HubAsks {
  const { clock, hub, token } = ports;
  let count = 0;
  let asked: { readonly at: Millis; readonly answer: Promise<HubStatus | null> } | null = null;

  async function headersFor(purpose: Purpose, id: string, body: string) {
    const key = await purposeKey(token.key, purpose, ports.hmac);
    return sign([key], id, Math.floor(clock.wall() / 1_000), body, ports.hmac);
  }

  async function fetchStatus(signal: AbortSignal): Promise<HubStatus | null> {
    const headers = { ...(await headersFor("read", `${ports.bootId}_read${++count}`, "")) };
    const request = { method: "GET", path: "/v1/status", headers, body: null, timeout: STATUS_TIMEOUT } as const;
    const reply = await hub.send(request, signal);
    return reply.status === 200 ? statusIn(reply.body) : null;
  }

  return {
    status(signal) {
      if (asked === null || clock.mono() - asked.at >= STATUS_EVERY)
        asked = { at: clock.mono(), answer: fetchStatus(signal) };
      return asked.answer;
    },
    async heal(reason, signal) {
      const id = `${ports.bootId}_heal${++count}`;
      const { site, vantage } = token;
      const asks = { type: "hairpin.heal.v1", aud: site, vantage, reason: plain(reason, TEXT_MAX) };
      const body = JSON.stringify(asks);
      let reply: HubReply | null = null;
      for (let tries = 0; tries < HEAL_TRIES && (reply === null || reply.status === null); tries++) {
        const headers = { "content-type": "application/json", ...(await headersFor("heal", id, body)) };
        reply = await hub.send({ method: "POST", path: "/heal", headers, body, timeout: HEAL_TIMEOUT }, signal);
      }
      return outcomeOf(reply!, token);
    },
  };
}

function outcomeOf(reply: HubReply, token: JoinToken): HealOutcome {
  const none = { id: null, advice: null };
  if (reply.status === null) {
    const detail = `no answer from the hub at ${token.hub}: ${plain(reply.detail ?? "none", TEXT_MAX)}`;
    return { status: 502, state: "unreachable", detail, ...none };
  }
  const said = objectIn(reply.body);
  if (reply.status === 401) {
    const detail = `the hub does not know the key of ${token.vantage}, or the clocks differ by more than a minute`;
    return { status: 401, state: "unauthorized", detail, ...none };
  }
  return {
    status: reply.status,
    state: text(said["state"]) ?? (reply.status < 300 ? "accepted" : "refused"),
    id: text(said["id"]),
    detail: text(said["detail"]) ?? `the hub answered ${reply.status}`,
    advice: text(said["advice"]),
  };
}

function statusIn(body: string): HubStatus | null {
  const status = objectIn(body);
  const heal = status["heal"];
  const heals = typeof heal === "object" && heal !== null ? (heal as Readonly<Record<string, unknown>>) : {};
  const state = text(status["state"]);
  if (state === null) return null;
  return {
    state,
    cause: text(status["cause"]),
    summary: text(status["summary"]) ?? "",
    since: text(status["since"]),
    heal: { mode: text(heals["mode"]), state: text(heals["state"]), held_by: text(heals["held_by"]) },
  };
}

function objectIn(body: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

const text = (value: unknown): string | null => (typeof value === "string" ? plain(value, TEXT_MAX) : null);
