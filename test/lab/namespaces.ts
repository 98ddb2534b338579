import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/** Why the kernel lab cannot run here; false when it can. */
export function skipReason(): string | false {
  const tools = ["ip", "bridge", "nft", "nsenter", "socat", "arping", "setpriv"].filter(
    (tool) => spawnSync("sh", ["-c", `command -v ${tool}`]).status !== 0,
  );
  if (tools.length > 0) return `missing: ${tools.join(", ")}`;
  const tried = spawnSync("unshare", ["-Urnmpf", "--mount-proc", "true"]);
  return tried.status === 0 ? false : "user namespaces are refused here";
}

/** Runs a script of test/lab/scripts in namespaces of its own and gives back the JSON that it printed. */
export function inNamespaces<T>(script: string, ...args: readonly string[]): T {
  const path = fileURLToPath(new URL(`./scripts/${script}.ts`, import.meta.url));
  const argv = ["-Urnmpf", "--mount-proc", "--kill-child=SIGKILL", process.execPath, path, ...args];
  const ran = spawnSync("unshare", argv, { encoding: "utf8", timeout: 90_000, maxBuffer: 4_194_304 });
  if (ran.status !== 0) throw new Error(`${script} ended with ${ran.signal ?? ran.status}: ${ran.stderr}`);
  return JSON.parse(ran.stdout.trim().split("\n").at(-1)!) as T;
}
