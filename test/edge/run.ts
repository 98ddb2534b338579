import type { Edge } from "./edges.ts";
import { CASES, runtimes } from "./suite.ts";

/**
 * `npm run test:runtime`: the list of what the edge promises, with a mark for each real runtime. The same cases run within
 * `npm test` (runtime.test.ts); here they are a table that one can read.
 */
const CASE_LIMIT = 30_000;

type Mark =
  | { readonly ok: true; readonly ms: number }
  | { readonly ok: false; readonly ms: number; readonly why: string };

async function runOn(edge: Edge): Promise<ReadonlyMap<string, Mark>> {
  const marks = new Map<string, Mark>();
  for (const [, cases] of CASES)
    for (const { name, run } of cases) {
      const began = performance.now();
      let timer: NodeJS.Timeout | undefined;
      const limit = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error(`not done in ${CASE_LIMIT / 1_000} s`)), CASE_LIMIT);
      });
      try {
        await Promise.race([run(edge), limit]);
        marks.set(name, { ok: true, ms: performance.now() - began });
      } catch (error) {
        marks.set(name, { ok: false, ms: performance.now() - began, why: (error as Error).message });
      } finally {
        clearTimeout(timer);
      }
    }
  return marks;
}

const { all, close } = await runtimes();
// One after the other: a result must not depend on what the other one leaves of the machine.
const results: (readonly [string, ReadonlyMap<string, Mark>])[] = [];
for (const runtime of all) {
  const edge = await runtime.start();
  results.push([runtime.name, await runOn(edge)]);
  await edge.stop();
}
close();

const shown = (mark: Mark | undefined): string =>
  `${mark?.ok === true ? "✔" : "✖"} ${Math.round(mark?.ms ?? 0)
    .toString()
    .padStart(5)} ms`;
const failures: string[] = [];
for (const [group, cases] of CASES) {
  console.log(`\n${results.map(([name]) => name.padEnd(10)).join(" ")} ${group}`);
  for (const { name } of cases) {
    console.log(`${results.map(([, marks]) => shown(marks.get(name)).padEnd(10)).join(" ")} ${name}`);
    for (const [runtime, marks] of results) {
      const mark = marks.get(name);
      if (mark !== undefined && !mark.ok) failures.push(`${runtime}: ${name}\n  ${mark.why}`);
    }
  }
}
const total = CASES.reduce((sum, [, cases]) => sum + cases.length, 0);
console.log(
  `\n${total} cases on ${results.map(([name]) => name).join(" and ")}: ${failures.length === 0 ? "the same results, all good" : `${failures.length} failed`}`,
);
for (const failure of failures) console.log(failure);
process.exit(failures.length === 0 ? 0 : 1);
