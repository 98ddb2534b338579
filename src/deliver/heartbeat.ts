import type { Attempt } from "../core/delivery.ts";
import type { Millis } from "../core/units.ts";
import type { Send } from "./outgoing.ts";

/** A GET on a timer: healthchecks.io, Uptime Kuma's push monitors. They tell when it stops coming. */
export interface HeartbeatReceiver {
  readonly name: string;
  readonly every: Millis;
  beat(signal: AbortSignal): Promise<Attempt>;
}

export function heartbeat(
  options: { readonly name: string; readonly url: string; readonly every: Millis },
  send: Send,
): HeartbeatReceiver {
  return {
    name: options.name,
    every: options.every,
    beat: (signal) => send({ method: "GET", url: options.url, headers: {}, body: null }, signal),
  };
}
