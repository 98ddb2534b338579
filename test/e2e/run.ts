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
  --pictures FOLDER   screenshots of the bell, the device and the dashboard, by a real browser
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

export async function runVersion(options: Omit<InsideOptions, "pid" | "dir">): Promise<number> {
  const problem = install(options.version);
  if (problem !== null) {
    console.log(`Home Assistant ${options.version}: skipped: ${problem}`);
    return 3;
  }
  const house = await raiseHouse();
  try {
    const inside = fileURLToPath(new URL("./inside.ts", import.meta.url));
    const netns = `/proc/${house.pid}/root/run/netns/ha-vm`;
    const settings = JSON.stringify({ ...options, pid: house.pid, dir: house.dir } satisfies InsideOptions);
    const child = spawn("nsenter", [`--net=${netns}`, process.execPath, inside, settings], { stdio: "inherit" });
    return await new Promise((resolve) => child.once("exit", (code) => resolve(code ?? 1)));
  } finally {
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
