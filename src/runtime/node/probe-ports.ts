import { createPublicKey, type JsonWebKey, randomInt } from "node:crypto";
import type { Clock, ProbePorts } from "../../probes/port.ts";
import { monoMillis } from "./clock.ts";
import { dnsTransport } from "./probe-dns.ts";
import { tlsHttp } from "./probe-https.ts";
import { createLinkTable, packetSockets } from "./probe-links.ts";
import { createNeighbourTable } from "./probe-neighbours.ts";
import { createSystemResolvers } from "./probe-system.ts";
import { tcpConnect } from "./probe-tcp.ts";
import { createWhoHas, unaskedWhoHas } from "./probe-who-has.ts";

export const clock: Clock = {
  mono: monoMillis,
  wall: () => Date.now(),
  sleep: (millis, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const end = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", end);
        resolve();
      };
      const timer = setTimeout(end, millis);
      signal?.addEventListener("abort", end, { once: true });
    }),
};

/** The probes on Node: real sockets, `ip` and, unless `whoHas` is false, `arping`. */
export function createProbePorts(choice: { readonly whoHas?: boolean } = {}): ProbePorts {
  return {
    clock,
    chance: { uint16: () => randomInt(65_536) },
    dns: dnsTransport,
    tcp: tcpConnect,
    https: tlsHttp,
    neighbours: createNeighbourTable(),
    whoHas: choice.whoHas === false ? unaskedWhoHas : createWhoHas(),
    links: createLinkTable(),
    packetSockets,
    system: createSystemResolvers(),
    importsKey,
  };
}

function importsKey(key: Readonly<Record<string, unknown>>): boolean {
  try {
    return createPublicKey({ key: key as JsonWebKey, format: "jwk" }).type === "public";
  } catch {
    return false;
  }
}
