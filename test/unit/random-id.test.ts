import assert from "node:assert/strict";
import { test } from "node:test";
import { randomId } from "../../src/runtime/node/random-id.ts";

test("an id begins with a letter, so that no template engine takes a part of it for a number", () => {
  const ids = Array.from({ length: 2_000 }, () => randomId(8));
  for (const id of ids) assert.match(id, /^[a-km-np-z][a-km-np-z2-9]{7}$/);
  assert.equal(new Set(ids).size, ids.length);
});
