import { createServer, type Server, type Socket } from "node:net";
import type { ServicePort } from "../services.ts";
import { serve } from "./channel.ts";
import { type DnsFault, type KnownRecord, startDns, zoneOf } from "./dns-server.ts";
import { type HttpsFault, type HttpsSite, startHttps } from "./https-server.ts";

/** One simulated workload: what listens behind a target's addresses. */
export interface PodInit {
  readonly target: string;
  /** Its addresses, one of each family. */
  readonly ips: readonly string[];
  readonly ports: readonly ServicePort[];
  readonly records: readonly KnownRecord[];
  readonly site: HttpsSite;
}

export interface PodOrder {
  readonly targets: readonly string[];
  /** `unreachable` is the loopback lab's: what an address without an announcer looks like, as far as a socket can play it. */
  readonly fault: DnsFault | HttpsFault | "pod-dead" | "unreachable" | null;
}

interface Running {
  readonly setFault: (fault: PodOrder["fault"]) => Promise<void>;
}

/** Open connections of the bare listeners: a closing one must not wait for them. */
const sockets = new Set<Socket>();

function listenBare(address: string, port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on("close", () => sockets.delete(socket));
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
  const at = <T>(wanted: readonly number[], listen: (ip: string, port: number) => Promise<T>) =>
    Promise.all(pod.ips.flatMap((ip) => wanted.map((port) => listen(ip, port))));
  const open = async () => {
    const dns = await at(ports("dns"), (ip, port) => startDns(ip, port, zone));
    const https = ports("https").length > 0 ? await startHttps(pod.ips, ports("https"), pod.site) : null;
    const bare = await at(ports("tcp"), listenBare);
    return { dns, https, bare };
  };
  const mute = async () => {
    const silent = await at(ports("dns"), (ip, port) => startDns(ip, port, () => null));
    const tcp = [...new Set([...ports("https"), ...ports("tcp")])];
    return { dns: silent, https: null, bare: await at(tcp, listenBare) };
  };
  let running: Awaited<ReturnType<typeof open>> | null = await open();
  let isMute = false;
  const close = async () => {
    const closing = running;
    running = null;
    if (closing === null) return;
    for (const socket of sockets) socket.destroy();
    await Promise.all([
      ...closing.dns.map((dns) => dns.close()),
      closing.https?.close(),
      ...closing.bare.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))),
    ]);
  };
  return {
    setFault: async (next) => {
      fault = next;
      if (next === "pod-dead" || (next === "unreachable") !== isMute) await close();
      if (next === "pod-dead") return;
      isMute = next === "unreachable";
      running ??= isMute ? await mute() : await open();
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
