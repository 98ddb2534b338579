import { Socket } from "node:net";
import { loadConfig } from "../runtime/node/config-file.ts";
import { LabHouse } from "./house.ts";
import { must } from "./shell.ts";

export interface InsideOptions {
  readonly config: string;
  readonly faults: readonly string[];
  readonly json: boolean;
  readonly keep: boolean;
  readonly brnf: number;
}

/** The descriptor that only the outer process holds open: when it closes, whoever started the lab is gone. */
const LIFELINE = 3;

/**
 * The director's own process, the first of its PID namespace: when it ends, for whatever reason, the kernel ends everything in the
 * house, and the namespaces and the tmpfs go with the last process.
 */
export async function runInside(options: InsideOptions): Promise<number> {
  const lifeline = new Socket({ fd: LIFELINE });
  lifeline.on("error", () => process.exit(1));
  lifeline.on("close", () => process.exit(1));
  lifeline.resume();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => process.exit(130));
  const loaded = loadConfig(options.config, { missingFiles: "warning" }); // Before /run is hidden: the file may lie there.
  await must(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run"]);
  const t0 = performance.now();
  const house = await LabHouse.build(loaded, options.brnf, {
    line: (who, line) => console.log(who, JSON.stringify(line)),
    said: (who, said) => console.log(who, JSON.stringify(said)),
    ended: (process, how) => console.log(process.who, how, process.complaints()),
  });
  console.log("built", performance.now() - t0);
  await house.startStandins();
  console.log("standins", performance.now() - t0);
  if (process.env["HAIRPIN_LAB_TRY"]) {
    const { run } = await import("./shell.ts");
    console.log(await run(["sh", "-c", process.env["HAIRPIN_LAB_TRY"]]));
    return 0;
  }
  return 0;
}
