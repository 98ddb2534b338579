import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { inNamespaces, skipReason } from "./namespaces.ts";

interface Turn {
  readonly asked: boolean;
  readonly answers: readonly string[];
  readonly timed: boolean;
  readonly former: readonly string[];
  readonly changes: readonly string[] | null;
}

interface Found {
  readonly first: Turn;
  readonly announced: Turn;
  readonly asked: Turn;
  readonly silent: Turn;
}

const [A, B, C] = ["02:00:00:00:00:a1", "02:00:00:00:00:b2", "02:00:00:00:00:c3"];

describe("what a vantage remembers, with MetalLB's frames on a real bridge", { skip: skipReason() }, () => {
  let found: Readonly<Record<"10.9.0.53" | "fd09::53", Found>> & { readonly ndisc6: string | null };
  before(() => {
    found = inNamespaces("neighbour-memory");
  });
  for (const [address, kind] of [
    ["10.9.0.53", "gratuitous ARP"],
    ["fd09::53", "an unsolicited advertisement"],
  ] as const) {
    test(`${kind} that changes the MAC is seen, with the MAC before it`, () => {
      const { first, announced } = found[address];
      assert.deepEqual(first, { asked: true, answers: [A], timed: true, former: [], changes: [] });
      assert.deepEqual(announced, { asked: true, answers: [B], timed: true, former: [A], changes: [`${A} ${B}`] });
    });
    test(`${address}: a MAC that was found by asking is remembered, and was not announced`, () => {
      const { asked } = found[address];
      assert.deepEqual([asked.answers, asked.former, asked.changes], [[C], [B, A], [`${A} ${B}`]]);
    });
    test(`${address}: silence is an answer of its own`, () => {
      assert.deepEqual([found[address].silent.asked, found[address].silent.answers], [true, []]);
    });
  }
  test("ndisc6 does not hear an announcer that answers from its link-local address, as MetalLB does", (t) => {
    if (found.ndisc6 === null) return t.skip("missing: ndisc6");
    assert.match(found.ndisc6, /No response/);
  });
});
