import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { alive, descendants, until } from "./descendants.ts";
import { skipReason } from "./namespaces.ts";

const MAIN = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
/** The contract's time for a Ctrl-C; a killed lab takes no longer. */
const GONE_MS = 2_000;

/** A lab that stands, and stays. */
async function standing(): Promise<ChildProcess> {
  const child = spawn(process.execPath, [MAIN, "lab", "--keep", "--json"], { stdio: ["ignore", "pipe", "pipe"] });
  let text = "";
  child.stdout?.on("data", (chunk) => {
    text += chunk;
  });
  child.stderr?.resume();
  await until(() => text.includes("the house stands"), 60_000, `a house that stands: ${text}`);
  return child;
}

/** What a lab could leave behind in the places where programs leave things. */
function traces(): readonly string[] {
  const netns = existsSync("/run/netns") ? readdirSync("/run/netns").map((name) => `netns ${name}`) : [];
  return [
    ...netns,
    ...readdirSync(tmpdir()).filter((name) => name.includes("hairpin-lab")),
    ...(existsSync("/run/lab") ? ["/run/lab"] : []),
  ].sort();
}

for (const signal of ["SIGKILL", "SIGINT"] as const) {
  test(`after ${signal} of the outer process no process, namespace or file of the lab is left`, {
    skip: skipReason(),
  }, async () => {
    const before = traces();
    const lab = await standing();
    const processes = descendants(lab.pid!);
    assert.ok(processes.length >= 10, `${processes.length} processes`);
    lab.kill(signal);
    await until(() => alive(processes).length === 0, GONE_MS, "every process to be gone");
    assert.deepEqual(traces(), before);
  });
}

test("killing the launcher above the lab ends the lab", { skip: skipReason() }, async () => {
  const launcher = fileURLToPath(new URL("../../src/cli/hairpin.mjs", import.meta.url));
  const child = spawn(process.execPath, [launcher, "lab", "--keep", "--json"], { stdio: ["ignore", "pipe", "pipe"] });
  let text = "";
  child.stdout.on("data", (chunk) => {
    text += chunk;
  });
  child.stderr.resume();
  await until(() => text.includes("the house stands"), 60_000, "a house that stands");
  const processes = descendants(child.pid!);
  child.kill("SIGKILL");
  await until(() => alive(processes).length === 0, GONE_MS + 1_000, "every process to be gone");
});
