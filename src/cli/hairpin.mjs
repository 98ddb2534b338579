#!/usr/bin/env node
/**
 * The launcher: plain JavaScript, so that an old system Node can start it. It makes the checkout ready, then runs the program on
 * the Node that the project brings.
 */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { bootstrap } from "../../deploy/bootstrap.mjs";
import { moduleCache } from "./module-cache.mjs";

/** They run for months and keep a cache of their own, beside their data (src/runtime/node/lean.ts). */
const DAEMONS = ["hub", "host", "vantage"];

const main = fileURLToPath(new URL("./main.ts", import.meta.url));
let node;
try {
  node = bootstrap();
} catch (error) {
  process.stderr.write(`hairpin: ${error.message}\n`);
  process.exit(3);
}
const [command = ""] = process.argv.slice(2);
const cache = process.env["NODE_COMPILE_CACHE"] === undefined && !DAEMONS.includes(command) ? moduleCache() : null;
const env = cache === null ? process.env : { ...process.env, NODE_COMPILE_CACHE: cache };
const child = spawn(node, [main, ...process.argv.slice(2)], { stdio: "inherit", env });
// A terminal sends Ctrl-C to the whole group, the child included; a supervisor signals the launcher alone, so TERM is passed on.
process.on("SIGINT", () => {});
for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
child.on("error", (error) => {
  process.stderr.write(`hairpin: ${error.message}\n`);
  process.exit(70);
});
child.on("exit", (code, signal) =>
  process.exit(signal ? 128 + ({ SIGINT: 2, SIGKILL: 9, SIGTERM: 15 }[signal] ?? 1) : (code ?? 70)),
);
