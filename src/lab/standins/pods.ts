import { createServer, type Server } from "node:net";
import type { ServicePort } from "../services.ts";
import { serve } from "./channel.ts";
import { type DnsFault, type KnownRecord, startDns, zoneOf } from "./dns-server.ts";
import { type HttpsFault, type HttpsSite, startHttps } from "./https-server.ts";

/** One simulated workload: what listens behind a target's addresses. */
export interface PodInit {
  readonly target: string;
  readonly ip: string;
  readonly ports: readonly ServicePort[];
  readonly records: readonly KnownRecord[];
  readonly site: HttpsSite;
}

export interface PodOrder {
  readonly targets: readonly string[];
  readonly fault: DnsFault | HttpsFault | "pod-dead" | null;
}

interface Running {
  readonly setFault: (fault: PodOrder["fault"]) => Promise<void>;
}

function listenBare(address: string, port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => {
      socket.on("error", () => socket.destroy());
      socket.setTimeout(5_000, () => socket.destroy());
      socket.resume();
    });
    server.once("error", reject);
    server.listen(port, address, () => resolve(server));
  });
}

/** Starts everything that listens in a pod; a dead pod has its listeners closed, so that TCP is refused (measured). */
async function start(pod: PodInit): Promise<Running> {
  let fault: PodOrder["fault"] = null;
  const ports = (serves: ServicePort["serves"]) => [
    ...new Set(pod.ports.filter((port) => port.serves === serves).map((port) => port.port)),
  ];
  const zone = zoneOf(pod.records, () =>
    fault === "dns-servfail" || fault === "dns-wrong-answer" || fault === "upstream-dns-down" ? fault : null,
  );
  const open = async () => {
    const dns = await Promise.all(ports("dns").map((port) => startDns(pod.ip, port, zone)));
    const https = ports("https").length > 0 ? await startHttps(pod.ip, ports("https"), pod.site) : null;
    const bare = await Promise.all(ports("tcp").map((port) => listenBare(pod.ip, port)));
    return { dns, https, bare };
  };
  let running: Awaited<ReturnType<typeof open>> | null = await open();
  const close = async () => {
    const closing = running;
    running = null;
    if (closing === null) return;
    await Promise.all([
      ...closing.dns.map((dns) => dns.close()),
      closing.https?.close(),
      ...closing.bare.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))),
    ]);
  };
  return {
    setFault: async (next) => {
      fault = next;
      if (next === "pod-dead") return close();
      running ??= await open();
      const https: readonly PodOrder["fault"][] = [
        "http-503",
        "oidc-wrong-issuer",
        "certificate-expired",
        "certificate-wrong-name",
      ];
      running.https?.setFault(https.includes(next) ? (next as HttpsFault) : null);
    },
  };
}

serve<readonly PodInit[], PodOrder>(async (pods) => {
  const running = new Map<string, Running>();
  for (const pod of pods) running.set(pod.target, await start(pod));
  return async (order) => {
    for (const target of order.targets) await running.get(target)?.setFault(order.fault);
  };
});
