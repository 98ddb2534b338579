import { connect, type Socket } from "node:net";
import type { Attempt, NetFault } from "../../probes/port.ts";

export type Stage = NetFault["stage"];

/** What an error object of Node or undici says, as a value. */
export function faultOf(stage: Stage, error: unknown): { readonly ok: false; readonly fault: NetFault } {
  const { code, message, name } = error as NodeJS.ErrnoException;
  // undici gives some errors of its parser a code of llhttp's, and some none.
  const known = typeof code === "string" ? code : name === "HTTPParserError" ? "HPE_INVALID" : null;
  return {
    ok: false,
    fault: {
      stage,
      timedOut: false,
      errno: known?.slice(0, 32) ?? null,
      message: message ?? String(error),
    },
  };
}

export function timeoutFault(stage: Stage, message: string): { readonly ok: false; readonly fault: NetFault } {
  return { ok: false, fault: { stage, timedOut: true, errno: null, message } };
}

/** Opens a connection to a literal address. The socket is the caller's to destroy; it has a listener for late errors. */
export function openSocket(
  address: string,
  port: number,
  timeout: number,
  signal: AbortSignal,
): Promise<Attempt<Socket>> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve(timeoutFault("connect", "given up"));
    const socket = connect({ host: address, port, autoSelectFamily: false });
    const end = (result: Attempt<Socket>) => {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      socket.removeListener("error", onError);
      socket.removeListener("connect", onConnect);
      socket.on("error", () => {});
      if (!result.ok) socket.destroy();
      resolve(result);
    };
    const onAbort = () => end(timeoutFault("connect", "given up"));
    const onError = (error: Error) => end(faultOf("connect", error));
    const onConnect = () => end({ ok: true, value: socket });
    const timer = setTimeout(() => end(timeoutFault("connect", `no connection in ${timeout} ms`)), timeout);
    signal.addEventListener("abort", onAbort, { once: true });
    socket.once("error", onError);
    socket.once("connect", onConnect);
    socket.setNoDelay(true);
  });
}
