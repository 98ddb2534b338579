import type { Case } from "./case.ts";
import { DARK } from "./cases-dark.ts";
import { DEPTH } from "./cases-depth.ts";
import { HEALS } from "./cases-heal.ts";
import { HEARTBEATS } from "./cases-heartbeat.ts";
import { HTTP } from "./cases-http.ts";
import { OUTSIDE } from "./cases-outside.ts";
import { type DnsServer, dohServer } from "./doh.ts";
import { type Edge, nodeEdge, workerdEdge } from "./edges.ts";
import { trust } from "./trust.ts";

export const CASES: readonly (readonly [group: string, cases: readonly Case[]])[] = [
  ["HTTP", HTTP],
  ["signature, replay, store", HEARTBEATS],
  ["dead-man's switch", DARK],
  ["request to heal", HEALS],
  ["seen from outside", [...OUTSIDE, ...DEPTH]],
];

export interface Runtime {
  readonly name: Edge["name"];
  readonly start: () => Promise<Edge>;
}

/** Both runtimes, and the resolver that both ask over HTTPS. */
export async function runtimes(): Promise<{ readonly all: readonly Runtime[]; readonly close: () => void }> {
  const distrust = trust();
  const doh: DnsServer = await dohServer();
  return {
    all: [
      { name: "Node", start: () => nodeEdge(doh.url) },
      { name: "workerd", start: () => workerdEdge(doh.url) },
    ],
    close() {
      doh.close();
      distrust();
    },
  };
}
