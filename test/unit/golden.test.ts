import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { FAULTS, findFault } from "../../src/lab/faults/catalogue.ts";
import { loadConfig } from "../../src/runtime/node/config-file.ts";
import { type Golden, replay } from "../lab-table/golden.ts";
import { houseFor } from "../lab-table/houses.ts";

/**
 * Golden incidents: what the hub heard of each fault in the kernel lab, fed to the pure diagnosis again. Captured by
 * `npm run test:lab -- --capture DIR`; the causes and sentences in the files were reviewed by eye. HAIRPIN_REVIEW=1 writes them anew.
 * Those that no lab fault brings about are named made-by-hand-… and say from which they were made.
 */
const DIRECTORY = fileURLToPath(new URL("../golden/", import.meta.url));
const SIZE_MAX = 40_960;

const files = readdirSync(DIRECTORY).filter((name) => name.endsWith(".json"));

for (const name of files) {
  test(`golden incident ${name.replace(".json", "")}: the same causes, in the same words`, () => {
    const path = `${DIRECTORY}${name}`;
    assert.ok(statSync(path).size < SIZE_MAX, `${name} is larger than ${SIZE_MAX} bytes`);
    const golden = JSON.parse(readFileSync(path, "utf8")) as Golden;
    const house = houseFor(golden.topology, 1);
    const { house: declared } = loadConfig(house.file, { missingFiles: "warning" });
    house.remove();
    const causes = replay(golden.heard, declared);
    if (process.env["HAIRPIN_REVIEW"] === "1") writeFileSync(path, `${JSON.stringify({ ...golden, causes })}\n`);
    else assert.deepEqual(causes, golden.causes);
    assert.equal(golden.made_by_hand !== undefined, name.startsWith("made-by-hand-"), "what is made by hand says so");
    if (golden.made_by_hand !== undefined) assert.ok(golden.causes.length > 0, "it shows no cause");
    const { cause = null, orElse = [] } = findFault(golden.fault) ?? {};
    const shown = causes.map((each) => each.cause);
    if (cause !== null)
      assert.ok(
        shown.some((each) => each === cause || orElse.includes(each)),
        `${cause} is not shown`,
      );
  });
}

/** Causes that no look at the addresses brings about. */
const ELSEWHERE: ReadonlySet<string> = new Set(["flapping"]);

test("there is a golden incident for every fault that has a cause", () => {
  const captured = new Set(files.map((name) => name.replace(/^\w+-[01]-|\.json$/g, "")));
  const wanted = FAULTS.filter((fault) => fault.cause !== null && !ELSEWHERE.has(fault.name)).map(
    (fault) => fault.name,
  );
  assert.deepEqual(
    wanted.filter((name) => !captured.has(name)),
    [],
  );
});
