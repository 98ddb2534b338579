#!/usr/bin/env node
/**
 * The launcher: plain JavaScript, so that an old system Node can start it. It makes the checkout ready, then runs the program on
 * the Node that the project brings.
 */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { bootstrap } from "../../deploy/bootstrap.mjs";

const main = fileURLToPath(new URL("./main.ts", import.meta.url));
let node;
try {
  node = bootstrap();
} catch (error) {
  process.stderr.write(`hairpin: ${error.message}\n`);
  process.exit(3);
}
const child = spawn(node, [main, ...process.argv.slice(2)], { stdio: "inherit" });
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
