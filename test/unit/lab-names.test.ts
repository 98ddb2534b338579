import assert from "node:assert/strict";
import { test } from "node:test";
import { runHairpin } from "../support/command.ts";

test("a fault that does not exist is answered with the nearest name and the list, whether or not a lab is running", async () => {
  for (const args of [
    ["lab", "break", "link-deletd"],
    ["lab", "--fault", "link-deletd"],
  ]) {
    const { code, out, err } = await runHairpin(args);
    assert.deepEqual([code, out], [2, ""], args.join(" "));
    assert.match(err, /"link-deletd"; did you mean link-deleted\?/);
    assert.match(err, /Known: .*speaker-killed.*hairpin lab faults/);
  }
});
