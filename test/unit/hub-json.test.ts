import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readJson } from "../../src/hooks/json.ts";
import { isWithin } from "../../src/hooks/network.ts";

test("the strict reader reads what JSON.stringify writes, like JSON.parse", () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 8 }), (text) => {
      const read = readJson(text);
      if (!read.ok) return assert.match(read.message, /not allowed|twice|surrogate/);
      assert.deepEqual(read.value, JSON.parse(text));
    }),
  );
});

test("whatever the text is, the answer is a value or a reason, and never more lenient than JSON.parse", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: fc.constantFrom(...'[]{}",:0123456789.eE+-\\untrfals \n') }),
        fc.string({ unit: "binary" }),
      ),
      (text) => {
        if (readJson(text).ok) JSON.parse(text);
      },
    ),
    { numRuns: 2_000 },
  );
});

test("networks contain their addresses, also when an address comes in IPv6 clothes", () => {
  assert.ok(isWithin("192.168.8.10", "192.168.8.10/32"));
  assert.ok(isWithin("::ffff:192.168.8.10", "192.168.8.0/24"));
  assert.ok(isWithin("fd00::1", "fd00::/8"));
  assert.ok(!isWithin("192.168.9.10", "192.168.8.0/24"));
  assert.ok(!isWithin("nonsense", "0.0.0.0/0"));
  assert.ok(!isWithin("10.0.0.1", "10.0.0.0/33"));
  assert.ok(!isWithin("fe80::1", "0.0.0.0/0"));
});
