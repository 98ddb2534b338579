/**
 * `npm run edge:demo`: the lab's house with its edge verifier, the Worker on the real local runtime (workerd), all on this machine.
 *
 * The house is frozen: the edge notices and tells a recording receiver. The house thaws: `site_back`. Its speaker is killed, and a
 * person outside, with a key of their own, asks the edge for a repair, which the house does and proves. Each step is printed with its
 * seconds; exit 0 only when all of them came. Everything runs in namespaces of its own, without root, and no packet leaves them.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { stringify } from "yaml";
import { isolation, provideTools } from "../src/lab/tools.ts";
import { loadConfig } from "../src/runtime/node/config-file.ts";

const file = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const say = (text: string) => process.stderr.write(`edge:demo: ${text}\n`);

/** RFC 5737 addresses of the lab's world: the edge, and whom it tells. */
const EDGE_URL = "http://203.0.113.80:8790";
const RECEIVER_URL = "http://203.0.113.80:8791/alerts";

process.exit(await outside());

async function outside(): Promise<number> {
  if (!provideTools(say)) return 3;
  const how = isolation();
  if (how === "refused") {
    say("user namespaces are refused here, and the house needs them; try sudo");
    return 3;
  }
  const work = mkdtempSync(join(tmpdir(), "hairpin-edge-demo-"));
  try {
    const config = join(work, "hairpin.yaml");
    writeFileSync(config, house(file("../hairpin.yaml")), { mode: 0o600 });
    loadConfig(config, { missingFiles: "warning" }); // Its problems are told before anything is built.
    const flags = [`-${how === "user-namespace" ? "Ur" : ""}nmpf`, "--mount-proc", "--kill-child=SIGKILL"];
    const argv = [...flags, process.execPath, file("./edge-demo-inside.ts"), config];
    // The fourth descriptor is the lifeline: however this process ends, the one inside sees it close.
    const child = spawn("unshare", argv, { stdio: ["inherit", "inherit", "inherit", "pipe"] });
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => child.kill("SIGKILL"));
    return await new Promise((done) => child.on("exit", (code, signal) => done(signal === null ? (code ?? 70) : 130)));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** The shipped house with an edge, quick rounds, and heal.mode observe: what is repaired here is repaired because somebody asked. */
function house(example: string): string {
  const short = readFileSync(example, "utf8")
    .replace(/^schedule: "[^"]*"/m, 'schedule: "*/3 * * * * *"')
    .replace("heal: { mode: auto,", "heal: { mode: observe,");
  const edge = {
    url: EDGE_URL,
    key_file: "keys/edge",
    every: "2s",
    silence: "6s",
    notify: [{ webhook: { url: RECEIVER_URL } }],
    heal_keys: [{ name: "alice", key_file: "keys/edge-heal-alice" }],
  };
  return `${short}\n${stringify({ edge })}`;
}
