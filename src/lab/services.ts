import type { Target } from "../core/config/house.ts";

/** One port of a simulated service, as the target's checks imply it. */
export interface ServicePort {
  readonly port: number;
  readonly protocol: "udp" | "tcp";
  readonly serves: "dns" | "https" | "tcp";
}

/** The names that a target's certificate must carry. */
export function certificateNames(target: Target): readonly string[] {
  const names = target.checks.flatMap((check) => {
    if (check.kind === "https") return [check.host];
    if (check.kind === "oidc") return [issuerHost(check.issuer)];
    return [];
  });
  return [...new Set(names)];
}

export function issuerHost(issuer: string): string {
  return /^https:\/\/([^/:]+)/.exec(issuer)?.[1] ?? "localhost";
}

export function issuerPath(issuer: string): string {
  return (/^https:\/\/[^/]+(\/[^?#]*)?/.exec(issuer)?.[1] ?? "").replace(/\/$/, "");
}

/**
 * The ports behind a target's addresses. A dns check means a DNS server on both transports, https and oidc an HTTPS server, a tcp
 * check whatever listens on that port already, else a bare listener.
 */
export function portsOf(target: Target): readonly ServicePort[] {
  const ports = new Map<string, ServicePort>();
  const add = (port: ServicePort) => {
    const key = `${port.protocol}/${port.port}`;
    if (!ports.has(key)) ports.set(key, port);
  };
  for (const check of target.checks) {
    if (check.kind === "dns") {
      add({ port: check.port, protocol: "udp", serves: "dns" });
      add({ port: check.port, protocol: "tcp", serves: "dns" });
    } else if (check.kind === "https" || check.kind === "oidc") {
      add({ port: check.port, protocol: "tcp", serves: "https" });
    }
  }
  for (const check of target.checks)
    if (check.kind === "tcp") add({ port: check.port, protocol: "tcp", serves: "tcp" });
  return [...ports.values()];
}
