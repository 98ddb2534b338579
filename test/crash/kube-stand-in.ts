import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/** A stand-in for the Kubernetes API: one node with one speaker pod, which is replaced when it is deleted. Everything else is empty. */
export interface KubeStandIn {
  readonly port: number;
  /** Told before and after each deletion; the host's process may be killed in between. */
  onDelete: (moment: "before" | "after") => void;
  /** How often the speaker was deleted since this was last set to 0. */
  deletions: number;
  readonly close: () => void;
}

export const KUBE_TOKEN = "a-token-of-the-stand-in";

export async function startKubeStandIn(): Promise<KubeStandIn> {
  let serial = 1;
  const pod = () => ({
    metadata: { name: `speaker-${serial}`, uid: `uid-${serial}`, namespace: "metallb-system" },
    spec: { nodeName: "n5" },
    status: {
      phase: "Running",
      startTime: new Date().toISOString(),
      conditions: [{ type: "Ready", status: "True" }],
      containerStatuses: [{ ready: true, restartCount: 0 }],
    },
  });
  const server: Server = createServer((request, response) => {
    const answer = (status: number, body: object) => {
      response.writeHead(status, { "content-type": "application/json" });
      response.end(JSON.stringify(body));
    };
    request.resume();
    request.on("end", () => {
      const path = (request.url ?? "").split("?")[0]!;
      if (request.method === "DELETE" && path.includes("/pods/")) {
        standIn.onDelete("before");
        standIn.deletions++;
        serial++;
        standIn.onDelete("after");
        return answer(200, {});
      }
      if (path.endsWith("/pods")) return answer(200, { items: [pod()] });
      if (path.includes("/nodes/")) return answer(200, { metadata: { labels: {} } });
      return answer(200, { items: [] });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const standIn: KubeStandIn = {
    port: (server.address() as AddressInfo).port,
    onDelete: () => {},
    deletions: 0,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
  return standIn;
}

export function kubeconfig(port: number): string {
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": "c",
    contexts: [{ name: "c", context: { cluster: "k", user: "u" } }],
    clusters: [{ name: "k", cluster: { server: `http://127.0.0.1:${port}` } }],
    users: [{ name: "u", user: { token: KUBE_TOKEN } }],
  });
}
