import { after, before, describe, test } from "node:test";
import type { Edge } from "./edges.ts";
import { CASES, runtimes } from "./suite.ts";

/** A case ends within seconds; the retry of a delivery after 5 s is the longest wait. */
const TIME_LIMIT = 30_000;

const { all, close } = await runtimes();
after(close);

for (const runtime of all) {
  describe(`the edge on ${runtime.name}`, () => {
    let edge: Edge;
    before(async () => {
      edge = await runtime.start();
    });
    after(() => edge.stop());
    for (const [group, cases] of CASES)
      describe(group, () => {
        for (const { name, run } of cases) test(name, { timeout: TIME_LIMIT }, () => run(edge));
      });
  });
}
