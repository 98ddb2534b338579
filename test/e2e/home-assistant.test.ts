import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { missing } from "./run.ts";

const RUN = fileURLToPath(new URL("./run.ts", import.meta.url));
const LIMIT_MS = 540_000;

test("a real Home Assistant shows the outage, repairs it by a tap, and outlives restarts of everything", {
  skip: missing() ?? false,
  timeout: LIMIT_MS,
}, () => {
  const args = [RUN, "--version", "2026.11.0", "--down", "20"];
  const run = spawnSync(process.execPath, args, { encoding: "utf8", timeout: LIMIT_MS - 5_000, killSignal: "SIGTERM" });
  assert.equal(run.status, 0, `${run.stdout}\n${run.stderr}`);
});
