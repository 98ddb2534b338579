import { spawn, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Tried } from "./host-matrix.ts";
import type { HubTried } from "./hub-matrix.ts";

const NAMESPACE = ["-Urnmpf", "--mount-proc", "--kill-child"];
const script = (name: string) => fileURLToPath(new URL(name, import.meta.url));

/** Why the host's part cannot run here; null when it can. */
export function refused(): string | null {
  const probe = spawnSync("unshare", [...NAMESPACE, "ip", "link", "set", "lo", "up"], { encoding: "utf8" });
  if (probe.status === 0) return null;
  return `no user namespace with iproute2 here: ${probe.error?.message ?? probe.stderr.trim()}`;
}

/** The results of one process, a JSON object a line. Throws when the process itself fails. */
function lines<T>(command: string, args: readonly string[], each: (tried: T) => void): Promise<readonly T[]> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], env: { PATH: process.env["PATH"] } });
    const found: T[] = [];
    let rest = "";
    let problem = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      problem = (problem + text).slice(-4_000);
    });
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      const parts = (rest + text).split("\n");
      rest = parts.pop() ?? "";
      for (const part of parts) {
        const tried = JSON.parse(part) as T;
        found.push(tried);
        each(tried);
      }
    });
    child.once("error", reject);
    child.once("close", (code) => {
      if (code === 0) resolve(found);
      else reject(new Error(`${args.at(-1)}: exit ${code}\n${problem}`));
    });
  });
}

/** The host, in so many namespaces at once. */
export async function hostMatrix(lanes: number, short: boolean, each: (tried: Tried) => void = () => {}) {
  const lane = (index: number) => {
    const args = [script("./host-matrix.ts"), String(index), String(lanes), ...(short ? ["short"] : [])];
    return lines<Tried>("unshare", [...NAMESPACE, process.execPath, ...args], each);
  };
  return (await Promise.all(Array.from({ length: lanes }, (_, index) => lane(index)))).flat();
}

export function hubMatrix(max: number, each: (tried: HubTried) => void = () => {}) {
  return lines<HubTried>(process.execPath, [script("./hub-matrix.ts"), String(max)], each);
}
