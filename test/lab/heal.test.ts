import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import type { FaultResult } from "../../src/lab/moment.ts";
import { skipReason } from "./namespaces.ts";

const MAIN = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
const KEYS = ["fault", "cause", "healed", "by", "steps", "first_seen_ms", "healed_ms", "vantages", "told", "advice"];

/** Runs faults through the command, and gives back its exit code and the result objects. */
function lab(...faults: readonly string[]): {
  readonly code: number | null;
  readonly results: readonly FaultResult[];
  readonly text: string;
} {
  const argv = [MAIN, "lab", "--json", ...faults.flatMap((fault) => ["--fault", fault])];
  const ran = spawnSync(process.execPath, argv, { encoding: "utf8", timeout: 280_000, maxBuffer: 16_777_216 });
  const lines = ran.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  const isResult = (line: Record<string, unknown>) => "fault" in line && "healed" in line;
  for (const line of lines.filter((each) => !isResult(each))) {
    for (const key of ["at_ms", "who", "what"]) assert.ok(key in line, JSON.stringify(line));
  }
  return {
    code: ran.status,
    results: lines.filter(isResult) as unknown as FaultResult[],
    text: `${ran.stdout}${ran.stderr}`,
  };
}

test("a deleted link is the guard's, a speaker from before the link is a remedy's, and both are proved by the vantages", {
  skip: skipReason(),
}, () => {
  const { code, results, text } = lab("link-deleted", "speaker-before-link");
  assert.equal(code, 0, text);
  const [deleted, order] = results as [FaultResult, FaultResult];
  for (const result of results) assert.deepEqual(Object.keys(result), KEYS);
  assert.deepEqual([deleted.cause, deleted.healed, deleted.by], ["link_missing", true, "guard"]);
  assert.deepEqual(
    deleted.steps.map((step) => step.step),
    ["ensure-link"],
  );
  assert.ok(deleted.steps[0]!.ms! < 1_000);
  assert.deepEqual([order.cause, order.healed, order.by], ["not_announced", true, "heal"]);
  assert.ok(
    order.told.includes("failing") && order.told.includes("heal_succeeded") && order.told.includes("recovered"),
  );
  for (const vantage of ["ha-vm", "lan"])
    assert.ok(order.vantages[vantage]!.up_ms! > order.vantages[vantage]!.down_ms!);
});

test("with the speaker killed the first failing comes within 15 s, and both vantages are green within 45 s", {
  skip: skipReason(),
}, () => {
  const { code, results, text } = lab("speaker-killed");
  assert.equal(code, 0, text);
  const [killed] = results as [FaultResult];
  const failing = text
    .split("\n")
    .map((line) => (line.startsWith("{") ? (JSON.parse(line) as { what?: string; kind?: string; at_ms?: number }) : {}))
    .find((line) => line.what === "told" && line.kind === "failing");
  assert.ok(failing!.at_ms! < 15_000, `${failing!.at_ms}`);
  assert.ok(killed.healed_ms! < 45_000, `${killed.healed_ms}`);
  assert.equal(killed.by, "heal");
});

test("without kernel links the loop closes on loopback addresses, and names what is simulated", () => {
  const ran = spawnSync(process.execPath, [MAIN, "lab", "--loopback", "--fault", "link-deleted"], {
    encoding: "utf8",
    timeout: 90_000,
  });
  assert.equal(ran.status, 0, `${ran.stdout}${ran.stderr}`);
  assert.match(ran.stdout, /host \(simulated\)/);
  assert.match(ran.stdout, /link_missing: healed by the guard/);
});
