/**
 * `npm run test:crash`: host and hub killed with SIGKILL wherever a crash could matter, and started once more. Exit 1 on any
 * violation, and also when no bad window (the link deleted and not yet made again) was really reached: a matrix that misses it
 * proves nothing.
 */
import { hostMatrix, hubMatrix, refused } from "./matrix.ts";

const HUB_POINTS = 32;
const say = (text: string) => process.stdout.write(`${text}\n`);
const began = performance.now();
let shown = 0;
const progress = () => {
  shown++;
  if (shown % 25 === 0)
    process.stderr.write(`  ${shown} points after ${((performance.now() - began) / 1_000).toFixed(0)} s\n`);
};

const why = refused();
if (why !== null) say(`host: skipped: ${why}`);
const [host, hub] = await Promise.all([
  why === null ? hostMatrix(2, false, progress) : [],
  hubMatrix(HUB_POINTS, progress),
]);

const violations = [
  ...host.flatMap(({ scenario, point, problems }) =>
    problems.map((problem) => `host: ${scenario}, ${point}: ${problem}`),
  ),
  ...hub.flatMap(({ point, problems }) => problems.map((problem) => `hub: ${point}: ${problem}`)),
];
const windows = host.filter(({ deleted }) => deleted);
for (const scenario of new Set(host.map((tried) => tried.scenario))) {
  const mine = host.filter((tried) => tried.scenario === scenario);
  say(`host  ${scenario}: ${mine.length} points, ${mine.filter(({ reached }) => reached).length} reached`);
}
say(
  `host  ${host.length} points tried, ${host.filter(({ reached }) => reached).length} reached; the link was missing at ${host.filter(({ missing }) => missing).length} deaths`,
);
say(`host  bad windows reached (link deleted and not yet recreated): ${windows.length}`);
for (const { scenario, point } of windows) say(`        ${scenario}: ${point}`);
say(
  `hub   ${hub.length} points tried, ${hub.filter(({ reached }) => reached).length} reached, ${hub.filter(({ healing }) => healing).length} with a repair handed out`,
);
for (const violation of violations) say(`VIOLATION ${violation}`);
say(
  `${host.length + hub.length} points, ${violations.length} violations, ${((performance.now() - began) / 1_000).toFixed(0)} s`,
);
if (why === null && windows.length === 0) say("no bad window was reached: this run proves nothing");
process.exit(violations.length > 0 || (why === null && windows.length === 0) ? 1 : 0);
