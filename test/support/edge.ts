import { createHash } from "node:crypto";
import type { ConfigInput } from "../../src/core/config/schema.ts";
import type { HealEnvelope, HeartbeatAnswer, OutsideObservation } from "../../src/core/edge/wire.ts";
import { type SignedHeaders, sign } from "../../src/core/standard-webhooks.ts";
import type { EdgePort, EdgeReply } from "../../src/engine/hub-ports.ts";
import { hmac } from "../../src/runtime/node/hmac.ts";
import { houseOf, secret, WALL } from "./hub.ts";

export const EDGE: NonNullable<ConfigInput["edge"]> = {
  url: "https://edge.example",
  key_file: "edge",
  every: "30s",
  silence: "3m",
  checks: [{ https: { host: "auth.example.com" } }],
  heal_keys: [{ name: "alice", key_file: "alice" }],
};

export const houseWithEdge = (extra: Partial<ConfigInput> = {}) => houseOf({ edge: EDGE, ...extra });

export interface Beat {
  readonly headers: SignedHeaders;
  readonly body: string;
}

/** What an honest edge answers; a test lays out what lies in it. */
export function honest(
  extra: Partial<HeartbeatAnswer> = {},
  now: number = WALL,
): { status: number; body: string | null; date: string | null } {
  const answer = { site: "home", now: new Date(now).toISOString(), observations: [], heals: [], ...extra };
  return { status: 200, body: JSON.stringify(answer), date: null };
}

export type Answer = ReturnType<typeof honest> | Error | "never";

/** An edge that answers whatever the test says, and keeps every heartbeat. */
export function edgeThat(answer: (beat: Beat, count: number) => Answer, settings = houseWithEdge().edge!) {
  const beats: Beat[] = [];
  const port: EdgePort = {
    settings,
    hmac,
    digest: (text) => createHash("sha256").update(text).digest("hex"),
    keys: () => [secret("edge")],
    healKeys: () => settings.heal_keys.map(({ name }) => ({ name, secrets: [secret(name)] })),
    send(headers, body, signal): Promise<EdgeReply> {
      beats.push({ headers, body });
      const given = answer({ headers, body }, beats.length);
      if (given === "never")
        return new Promise((resolve) => {
          signal.addEventListener("abort", () => resolve({ kind: "failed", detail: "aborted" }), { once: true });
        });
      if (given instanceof Error) return Promise.resolve({ kind: "failed", detail: given.message });
      return Promise.resolve({ kind: "answered", retryAfter: null, ...given });
    },
  };
  return { port, beats, last: () => JSON.parse(beats.at(-1)!.body) as Record<string, unknown> };
}

/** A request as a person's own key signs it. */
export async function envelope(
  id: string,
  wall: number,
  body: Record<string, unknown> = {},
  key = "alice",
): Promise<HealEnvelope> {
  const text = JSON.stringify({ type: "hairpin.heal_request.v1", aud: "home", ...body });
  const signed = await sign([secret(key)], id, Math.floor(wall / 1_000), text, hmac);
  return { id, timestamp: signed["webhook-timestamp"], signature: signed["webhook-signature"], body: text };
}

export const seenOutside = (at: number, extra: Partial<OutsideObservation> = {}): OutsideObservation => ({
  id: "https:auth.example.com",
  kind: "https",
  ok: true,
  failure: null,
  detail: null,
  ms: 40,
  observed_at: new Date(at).toISOString(),
  ...extra,
});
