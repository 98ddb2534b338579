import type { TcpConnect } from "../../probes/port.ts";
import { monoMillis } from "./clock.ts";
import { openSocket } from "./probe-socket.ts";

export const tcpConnect: TcpConnect = {
  async connect(address, port, timeout, signal) {
    const began = monoMillis();
    const opened = await openSocket(address, port, timeout, signal);
    if (!opened.ok) return opened;
    const took = monoMillis() - began;
    opened.value.destroy();
    return { ok: true, value: took };
  },
};
