import { join, resolve } from "node:path";
import { loadConfig, sayProblem } from "../runtime/node/config-file.ts";
import { startHub } from "../runtime/node/hub-process.ts";
import { MODULES_FOLDER, restartLean } from "../runtime/node/lean.ts";
import { createLog } from "../runtime/node/log.ts";
import { settleMemory } from "../runtime/node/memory.ts";
import { commandLine, defaultConfig } from "./command-line.ts";

/** What the contract allows a process from the signal to its end. */
const CLOSE_MS = 1_800;

/** `hairpin hub`: runs until it is told to end. */
export async function run(argv: readonly string[]): Promise<number> {
  const program = commandLine("hub", "Take observations, diagnose, decide, tell. Runs until SIGTERM.")
    .option("--config <file>", "the configuration", defaultConfig())
    .option("--json", "log JSON lines at a terminal, too; anywhere else they are JSON anyway");
  program.parse([...argv], { from: "user" });
  const { config: file, json = false } = program.opts<{ config: string; json?: boolean }>();
  const { house, dir, warnings } = loadConfig(file);
  restartLean(join(resolve(dir, house.hub.data), MODULES_FOLDER), ["hub", "--help"]);
  const log = createLog("hub", json);
  for (const warning of warnings) log.warn(sayProblem(file, warning));
  let running: Awaited<ReturnType<typeof startHub>>;
  try {
    running = await startHub(house, dir, log);
  } catch (error) {
    const { name, code, message } = error as NodeJS.ErrnoException;
    if (
      name !== "StoreError" &&
      !["EADDRINUSE", "EADDRNOTAVAIL", "EACCES", "ENOENT"].includes(code ?? "") &&
      !/listens on|no socket/.test(message)
    )
      throw error;
    process.stderr.write(`hairpin hub: ${message}\n`);
    return 1;
  }
  settleMemory();
  return new Promise((resolve) => {
    const end = () => {
      setTimeout(() => resolve(0), CLOSE_MS).unref();
      running.close().then(
        () => resolve(0),
        () => resolve(1),
      );
    };
    process.once("SIGTERM", end);
    process.once("SIGINT", end);
  });
}
