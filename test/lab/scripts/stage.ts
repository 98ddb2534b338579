/** Runs in namespaces of its own: builds the house with its stand-ins, lets a scene act in it, prints what it found as JSON. */
import { fileURLToPath } from "node:url";
import { LabHouse } from "../../../src/lab/house.ts";
import { CA_FILE } from "../../../src/lab/lab-config.ts";
import { inside, must, run } from "../../../src/lab/shell.ts";
import type { Said } from "../../../src/lab/standins/channel.ts";
import { loadConfig } from "../../../src/runtime/node/config-file.ts";

export interface Stage {
  readonly house: LabHouse;
  readonly said: readonly { readonly who: string; readonly said: Said }[];
  /** Answers to every DNS and HTTPS check of the configuration, asked from a namespace. */
  readonly ask: (ns: string) => Promise<Record<string, string>>;
  /** MACs that answer who-has for an address, asked from a namespace. */
  readonly whoHas: (ns: string, address: string, seconds?: number) => Promise<readonly string[]>;
  readonly flush: () => Promise<void>;
}

const CLIENT = fileURLToPath(new URL("./client.ts", import.meta.url));

export async function stage(
  options: { readonly config?: string; readonly brnf?: number },
  act: (stage: Stage) => Promise<unknown>,
): Promise<void> {
  const file = options.config ?? fileURLToPath(new URL("../../../hairpin.yaml", import.meta.url));
  const loaded = loadConfig(file, { missingFiles: "warning" });
  await must(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run"]);
  const said: { who: string; said: Said }[] = [];
  const house = await LabHouse.build(loaded, options.brnf ?? 1, {
    line: () => {},
    said: (who, what) => said.push({ who, said: what }),
    ended: () => {},
  });
  await house.startStandins();
  const checks = house.plan.house.targets.flatMap((target) =>
    target.addresses.flatMap((address) => target.checks.map((check) => ({ address, check }))),
  );
  const question = {
    dns: checks.flatMap(({ address, check }) =>
      check.kind === "dns"
        ? [{ server: `${address.includes(":") ? `[${address}]` : address}:${check.port}`, name: check.name }]
        : [],
    ),
    https: checks.flatMap(({ address, check }) =>
      check.kind === "https" ? [{ address, port: check.port, host: check.host, path: check.path }] : [],
    ),
    ca: CA_FILE,
  };
  const found = await act({
    house,
    said,
    ask: async (ns) =>
      JSON.parse(await must(inside(ns, [process.execPath, CLIENT, JSON.stringify(question)]))) as Record<
        string,
        string
      >,
    whoHas: async (ns, address, seconds = 0.6) => {
      const { stdout } = await run(inside(ns, ["arping", "-c", "1", "-w", String(seconds), "-i", "eth0", address]));
      return [...stdout.matchAll(/from ([0-9a-f:]{17})/g)].map((match) => match[1]!);
    },
    flush: async () => {
      for (const machine of house.plan.machines) await must(["ip", "-n", machine.ns, "neigh", "flush", "all"]);
    },
  });
  process.stdout.write(`${JSON.stringify(found)}\n`);
  process.exit(0);
}
