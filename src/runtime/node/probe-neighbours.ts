import type { NeighbourTable, NeighbourView } from "../../probes/port.ts";
import { monoMillis } from "./clock.ts";
import { findProgram, runCommand } from "./probe-command.ts";

/** Checks of one round that fail together share a reading: a fork each would cost more than the answer is worth. */
const SHARED_MS = 20;
/** Routes change with the configuration of the machine, neighbours with the network. */
const ROUTE_KEPT_MS = 30_000;
const ROUTES_MAX = 64;

export interface Route {
  readonly way: "on_link" | "gateway" | "local" | "none";
  readonly device: string | null;
}

export interface NeighbourEntry {
  readonly address: string;
  readonly device: string;
  readonly mac: string | null;
  readonly state: string | null;
}

/** The kernel's neighbour table and routes through `ip -j`. Without `ip` nothing is known, and nothing is claimed. */
export function createNeighbourTable(): NeighbourTable {
  const ip = findProgram("ip");
  const routes = new Map<string, { readonly route: Route; readonly at: number }>();
  let reading: { readonly at: number; readonly entries: Promise<readonly NeighbourEntry[]> } | null = null;

  async function routeTo(path: string, address: string): Promise<Route | null> {
    const known = routes.get(address);
    if (known !== undefined && monoMillis() - known.at < ROUTE_KEPT_MS) return known.route;
    const { code, stdout, stderr } = await runCommand(path, ["-j", "route", "get", address]);
    const route = parseRoute(code, stdout, stderr);
    if (route === null || route.way === "none") return route;
    if (routes.size >= ROUTES_MAX) routes.clear();
    routes.set(address, { route, at: monoMillis() });
    return route;
  }

  function entriesNow(path: string): Promise<readonly NeighbourEntry[]> {
    if (reading === null || monoMillis() - reading.at > SHARED_MS) {
      const entries = runCommand(path, ["-j", "neigh", "show"]).then(({ stdout }) => parseNeighbours(stdout));
      reading = { at: monoMillis(), entries };
    }
    return reading.entries;
  }

  return {
    async read(address): Promise<NeighbourView> {
      if (ip === null) return { way: null, device: null, mac: null, state: null };
      const [route, entries] = await Promise.all([routeTo(ip, address), entriesNow(ip)]);
      const entry = entries.find(
        (known) => known.address === address && (route?.device == null || known.device === route.device),
      );
      return {
        way: route?.way ?? null,
        device: route?.way === "on_link" ? route.device : null,
        mac: entry?.mac ?? null,
        state: entry?.state ?? null,
      };
    },
    async gateway() {
      if (ip === null) return null;
      return parseGateway((await runCommand(ip, ["-j", "route", "show", "default"])).stdout);
    },
  };
}

/** Null when the answer makes no sense; no route is an answer too. */
export function parseRoute(code: number | null, stdout: string, stderr: string): Route | null {
  if (code !== 0)
    return /unreachable|No route|prohibited|Invalid argument/i.test(stderr) ? { way: "none", device: null } : null;
  const first = jsonRows(stdout)[0];
  if (first === undefined) return null;
  const device = typeof first["dev"] === "string" ? first["dev"] : null;
  if (first["type"] === "local" || device === "lo") return { way: "local", device: null };
  if (first["type"] === "unreachable" || first["type"] === "blackhole") return { way: "none", device: null };
  return { way: first["gateway"] === undefined && first["via"] === undefined ? "on_link" : "gateway", device };
}

export function parseNeighbours(stdout: string): NeighbourEntry[] {
  return jsonRows(stdout).flatMap((row) => {
    if (typeof row["dst"] !== "string" || typeof row["dev"] !== "string") return [];
    const states: unknown = row["state"];
    return [
      {
        address: row["dst"],
        device: row["dev"],
        mac: typeof row["lladdr"] === "string" && MAC.test(row["lladdr"]) ? row["lladdr"].toLowerCase() : null,
        state: Array.isArray(states) && typeof states[0] === "string" ? states[0].slice(0, 16) : null,
      },
    ];
  });
}

/** The default route with the smallest metric; the kernel lists it first. */
export function parseGateway(stdout: string): string | null {
  const gateway = jsonRows(stdout).find((row) => typeof row["gateway"] === "string")?.["gateway"];
  return typeof gateway === "string" ? gateway : null;
}

const MAC = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i;

/** `ip -j` prints nothing at all, or an empty object, where there is nothing to say. */
export function jsonRows(stdout: string): readonly Readonly<Record<string, unknown>>[] {
  try {
    const value: unknown = JSON.parse(stdout);
    return Array.isArray(value) ? value.filter((row) => typeof row === "object" && row !== null) : [];
  } catch {
    return [];
  }
}
