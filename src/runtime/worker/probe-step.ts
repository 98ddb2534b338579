import { deadline } from "../../probes/deadline.ts";
import type { Attempt, Clock, NetFault } from "../../probes/port.ts";

/** What answers speaks something else than HTTP/1.1. */
export class Malformed extends Error {
  override name = "Malformed";
}

/** workerd says the same words for a closed port, a refused address and no route; they are kept for people. */
export function faultOf(stage: NetFault["stage"], error: unknown): { readonly ok: false; readonly fault: NetFault } {
  const message = (error instanceof Error ? error.message : String(error)).slice(0, 200);
  if (error instanceof Malformed)
    return { ok: false, fault: { stage, timedOut: false, errno: "HPE_INVALID", message } };
  const errno = /refused|cannot connect|proxy request failed/i.test(message)
    ? "ECONNREFUSED"
    : /reset|connection lost|closed/i.test(message)
      ? "ECONNRESET"
      : null;
  return { ok: false, fault: { stage, timedOut: false, errno, message } };
}

export function timeoutOf(stage: NetFault["stage"], message: string): { readonly ok: false; readonly fault: NetFault } {
  return { ok: false, fault: { stage, timedOut: true, errno: null, message } };
}

/** Runs one step with a limit of its own; what it opened is the step's to close when the signal aborts. */
export async function limited<T>(
  stage: NetFault["stage"],
  millis: number,
  signal: AbortSignal,
  step: () => Promise<T>,
): Promise<Attempt<T>> {
  const limit = deadline([signal], millis);
  const late = new Promise<"late">((resolve) => {
    if (limit.signal.aborted) resolve("late");
    limit.signal.addEventListener("abort", () => resolve("late"), { once: true });
  });
  try {
    const value = await Promise.race([step(), late]);
    return value === "late"
      ? timeoutOf(stage, `no answer in ${Math.round(millis)} ms`)
      : { ok: true, value: value as T };
  } catch (error) {
    return faultOf(stage, error);
  } finally {
    limit.end();
  }
}

export const clock: Clock = {
  // Time stands still here but for waiting on the network, which is what is measured.
  mono: () => Date.now(),
  wall: () => Date.now(),
  sleep: (millis, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const timer = setTimeout(resolve, millis);
      signal?.addEventListener(
        "abort",
        () => {
          clearTimeout(timer);
          resolve();
        },
        { once: true },
      );
    }),
};
