import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { skipReason } from "./namespaces.ts";

const DEMO = fileURLToPath(new URL("../../bench/edge-demo.ts", import.meta.url));

test("edge:demo: a frozen house is told dark and back by workerd, and a heal asked there is done and proved in the lab", {
  skip: skipReason(),
}, () => {
  const ran = spawnSync(process.execPath, [DEMO], { encoding: "utf8", timeout: 280_000 });
  assert.equal(ran.status, 0, `${ran.stdout}${ran.stderr}`);
  for (const came of [
    /✔ the edge tells its receiver: site_dark/,
    /✔ the edge tells its receiver: site_back/,
    /✔ asked at the edge, done and proved/,
  ])
    assert.match(ran.stdout, came);
});
