import { createHash, randomBytes } from "node:crypto";
import { ingressApp } from "../../hooks/ingress.ts";
import { monoMillis } from "./clock.ts";
import { type Listening, listenOn, peerOf } from "./hub-listen.ts";

type Parts = Pick<Parameters<typeof ingressApp>[0], "view" | "status" | "heal" | "from" | "log">;

/**
 * Serves a vantage's page. This file and what it imports (hono) is loaded only where there is a page: a plain vantage does not pay
 * for it.
 */
export async function serveIngress(listen: string, parts: Parts): Promise<Listening> {
  const app = ingressApp({
    ...parts,
    pageToken: randomBytes(16).toString("hex"),
    peer: peerOf,
    digest: (text) => createHash("sha256").update(text).digest("hex"),
    mono: monoMillis,
  });
  return listenOn([listen], (request, env) => app.fetch(request, env as never), null);
}
