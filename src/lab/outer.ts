import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../cli/main.ts", import.meta.url));

/** Starts the director in namespaces of its own and lends it this process's terminal. */
export function runOuter(args: readonly string[], options: { readonly userNamespace: boolean }): Promise<number> {
  const flags = `-${options.userNamespace ? "Ur" : ""}nmpf`;
  const argv = [flags, "--mount-proc", "--kill-child=SIGKILL", process.execPath, MAIN, "lab", "--inside", ...args];
  const child = spawn("unshare", argv, { stdio: ["inherit", "inherit", "inherit", "pipe"] });
  return new Promise((resolve) => child.on("exit", (code, signal) => resolve(signal === null ? (code ?? 70) : 130)));
}
