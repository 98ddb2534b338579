import { spawn, spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { install } from "./home-assistant/real.ts";
import { raiseHouse } from "./house.ts";
import type { InsideOptions } from "./inside.ts";

const USAGE = `npm run test:e2e:ha -- [--version V]… [--down SECONDS] [--pictures FOLDER]
The house of the lab with a real Home Assistant in its VM and a real broker: each step with its seconds.
  --version V         a version of Home Assistant (default: ${"2026.11.0 and 2025.4.4"})
  --down SECONDS      how long Home Assistant is away during an incident (default 300)
  --pictures FOLDER   screenshots of the bell, the device, the dashboard and the app's page, by a real browser
`;
const VERSIONS = ["2026.11.0", "2025.4.4"];

/** Why this machine cannot run it; null when it can. */
export function missing(): string | null {
  if (process.getuid?.() !== 0) return "root is wanted: Home Assistant's Python comes in a chroot";
  for (const tool of ["ip", "nft", "unshare", "nsenter", "mosquitto", "socat", "arping", "mmdebstrap"])
    if (spawnSync("sh", ["-c", `PATH=$PATH:/usr/sbin:/sbin command -v ${tool}`]).status !== 0)
      return `${tool} is not installed`;
  return null;
}

export async function runVersion(options: Omit<InsideOptions, "pid" | "dir" | "root">): Promise<number> {
  const installed = install(options.version);
  if ("problem" in installed) {
    console.log(`Home Assistant ${options.version}: skipped: ${installed.problem}`);
    return 3;
  }
  const house = await raiseHouse();
  // With the lab goes everything that runs in it; Home Assistant's own process ends with its network, by this process.
  const stop = () => void house.end().then(() => process.exit(130));
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, stop);
  try {
    const inside = fileURLToPath(new URL("./inside.ts", import.meta.url));
    const netns = `/proc/${house.pid}/root/run/netns/ha-vm`;
    const settings: InsideOptions = { ...options, ...installed, pid: house.pid, dir: house.dir };
    const argv = [`--net=${netns}`, process.execPath, inside, JSON.stringify(settings)];
    const child = spawn("nsenter", argv, { stdio: "inherit" });
    process.once("exit", () => child.kill("SIGTERM"));
    return await new Promise((resolve) => child.once("exit", (code) => resolve(code ?? 1)));
  } finally {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.off(signal, stop);
    await house.end();
    rmSync(house.dir, { recursive: true, force: true });
  }
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      version: { type: "string", multiple: true },
      down: { type: "string", default: "300" },
      pictures: { type: "string" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const why = missing();
  if (why !== null) {
    console.error(`test:e2e:ha cannot run here: ${why}`);
    return 3;
  }
  const codes: number[] = [];
  for (const [index, version] of (values.version ?? VERSIONS).entries()) {
    const pictures = index === 0 && values.pictures !== undefined ? join(process.cwd(), values.pictures) : null;
    codes.push(await runVersion({ version, downMs: Number(values.down) * 1_000, pictures }));
  }
  return codes.every((code) => code === 0) ? 0 : Math.max(...codes);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = await main();
