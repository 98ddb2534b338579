/**
 * `npm run test:lab`: every fault of faults.md in every house of the lab, with both settings of bridge-nf-call-iptables. Prints what was
 * expected and what came out, and ends with 1 on any difference: a wrong cause, a false one on the way, a repair by the wrong hand, a
 * doctor that does not name it. One house is used for all faults of its kind; hub and host are started anew between them. Houses are
 * independent of each other, so that several stand at once.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { parseDuration } from "../../src/core/units.ts";
import { calm, FAULTS, findFault } from "../../src/lab/faults/catalogue.ts";
import { loadConfig } from "../../src/runtime/node/config-file.ts";
import { goldenOf } from "./golden.ts";
import { houseFor, TOPOLOGIES } from "./houses.ts";
import { heading, judge, type Row, sayRow } from "./judgement.ts";
import { runLab, type Told } from "./ran-lab.ts";

const FAULT_LIMIT_MS = 300_000;
/** A healthy run of 10 minutes is 60 rounds; with a round every 2 s they take 2. */
const COMPRESSION = 5;
/** A house mostly waits; three on two cores were seen to keep their times, and more than four were not. */
const HOUSES_AT_ONCE_MAX = 4;
const housesAtOnce = Math.min(3, availableParallelism());

const USAGE = `npm run test:lab -- [--fault NAME]… [--topology ${TOPOLOGIES.join("|")}]… [--brnf 0|1]… [--healthy 10m] [--no-doctor] [--capture DIR] [--jobs N]
  --fault      only these faults (also comma-separated); default: all of them
  --topology   only these houses; default: all of them
  --brnf       only this setting of bridge-nf-call-iptables; default: both
  --healthy    no faults: a healthy house for so long, with rounds ${COMPRESSION} times as often in a ${COMPRESSION}th of the time
  --no-doctor  without asking hairpin doctor while each fault stands
  --capture    write what the hub heard of each fault to DIR, as golden incidents
  --jobs       so many houses at once, 1 to ${HOUSES_AT_ONCE_MAX}; default here: ${housesAtOnce}`;

const OPTIONS = {
  fault: { type: "string", multiple: true },
  topology: { type: "string", multiple: true },
  brnf: { type: "string", multiple: true },
  healthy: { type: "string" },
  "no-doctor": { type: "boolean" },
  capture: { type: "string" },
  jobs: { type: "string" },
  help: { type: "boolean", short: "h" },
} as const;

const began = performance.now();
const stamp = () => `${((performance.now() - began) / 1_000).toFixed(0).padStart(5)} s`;
const say = (text: string) => process.stdout.write(`${text}\n`);

interface Wanted {
  readonly topologies: readonly string[];
  readonly brnfs: readonly string[];
  readonly faults: readonly string[];
  readonly healthyMs: number | null;
  readonly doctor: boolean;
  readonly capture: string | null;
  readonly jobs: number;
}

function flags() {
  try {
    return parseArgs({ options: OPTIONS }).values;
  } catch (error) {
    return (error as Error).message;
  }
}

/** What was asked for, or in words what is wrong with it. */
function wanted(): Wanted | string {
  const values = flags();
  if (typeof values === "string") return `${values}\n${USAGE}`;
  const faults = (values.fault ?? []).flatMap((names) => names.split(","));
  const topologies = (values.topology ?? TOPOLOGIES).flatMap((names) => names.split(","));
  const brnfs = values.brnf ?? ["1", "0"];
  const healthyMs = values.healthy === undefined ? null : parseDuration(values.healthy);
  const jobs = values.jobs === undefined ? housesAtOnce : Number(values.jobs);
  const wrong = [
    ...faults.filter((name) => findFault(name) === undefined).map((name) => `there is no fault ${name}`),
    ...topologies.filter((name) => !TOPOLOGIES.includes(name)).map((name) => `there is no topology ${name}`),
    ...brnfs.filter((value) => value !== "0" && value !== "1").map((value) => `--brnf is 0 or 1, not ${value}`),
    ...(values.healthy !== undefined && healthyMs === null ? ["--healthy wants a duration, such as 10m"] : []),
    ...(Number.isInteger(jobs) && jobs >= 1 && jobs <= HOUSES_AT_ONCE_MAX
      ? []
      : [`--jobs is a number from 1 to ${HOUSES_AT_ONCE_MAX}, not ${values.jobs}`]),
  ];
  if (wrong.length > 0) return [...wrong, USAGE].join("\n");
  return {
    topologies,
    brnfs,
    faults: faults.length > 0 ? faults : FAULTS.map((fault) => fault.name),
    healthyMs,
    doctor: values["no-doctor"] !== true,
    capture: values.capture ?? null,
    jobs,
  };
}

/** All houses, `jobs` of them at once; their rows in the order of the houses. */
async function runHouses(ask: Wanted): Promise<readonly Row[]> {
  const houses = ask.topologies.flatMap((topology) => ask.brnfs.map((brnf) => ({ topology, brnf })));
  const rows: (readonly Row[])[] = houses.map(() => []);
  const waiting = [...houses.entries()];
  const work = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift())
      rows[next[0]] = await runHouse(next[1].topology, next[1].brnf, ask);
  };
  await Promise.all(Array.from({ length: Math.min(ask.jobs, houses.length) }, work));
  return rows.flat();
}

/** All faults of one house; when the house falls it is built anew for those that are left. */
async function runHouse(topology: string, brnf: string, ask: Wanted): Promise<readonly Row[]> {
  const rows: Row[] = [];
  const place = { topology, brnf };
  const house = houseFor(topology, ask.healthyMs === null ? 1 : COMPRESSION);
  const calmMs = ask.healthyMs === null ? null : Math.round(ask.healthyMs / COMPRESSION);
  const onTold = (told: Told) => {
    const fault = told.fault === "healthy" ? calm(calmMs ?? 0) : findFault(told.fault)!;
    const row = judge(fault, told, place);
    rows.push(row);
    say(`${stamp()} ${sayRow(row)}`);
    if (ask.capture !== null && told.result !== null) {
      mkdirSync(ask.capture, { recursive: true });
      const golden = goldenOf(fault, told, loadConfig(house.file, { missingFiles: "warning" }).house, place);
      writeFileSync(`${ask.capture}/${topology}-${brnf}-${told.fault}.json`, `${JSON.stringify(golden)}\n`);
    }
  };
  const onFault = (name: string) => process.stderr.write(`${stamp()}   ${topology} brnf ${brnf}: ${name} …\n`);
  let left = calmMs === null ? ask.faults : ["healthy"];
  while (left.length > 0) {
    const args = [
      ...["--config", house.file, "--brnf", brnf],
      ...(calmMs === null ? left.flatMap((name) => ["--fault", name]) : ["--calm", `${calmMs}ms`]),
      ...(ask.doctor ? ["--doctor"] : []),
      ...(ask.capture === null ? [] : ["--record"]),
    ];
    const limitMs = 60_000 + left.length * FAULT_LIMIT_MS + (calmMs ?? 0);
    const ran = await runLab(args, { limitMs, onTold, onFault });
    const done = new Set([...ran.told.map((told) => told.fault), ...ran.skipped.keys()]);
    for (const [name, why] of ran.skipped) say(`${stamp()} – ${name.padEnd(24)}  ${topology} brnf ${brnf}: ${why}`);
    const next = left.filter((name) => !done.has(name));
    if (next.length === left.length) {
      say(`${stamp()} ✘ the house ${topology} (brnf ${brnf}) does not stand: exit ${ran.exit}, ${ran.stderr.trim()}`);
      rows.push(...next.map((fault) => nothing(fault, place, ran.stderr)));
      break;
    }
    left = next;
  }
  house.remove();
  return rows;
}

function nothing(fault: string, place: { readonly topology: string; readonly brnf: string }, why: string): Row {
  const none = { expected: "", found: "", foundMs: null, healedBy: "", falseCauses: [], doctor: "–" };
  return { fault, ...place, ...none, complaints: [`the house does not stand: ${why.trim().slice(0, 200)}`] };
}

async function main(): Promise<number> {
  if (process.argv.includes("--help") || process.argv.includes("-h")) {
    say(USAGE);
    return 0;
  }
  const ask = wanted();
  if (typeof ask === "string") {
    process.stderr.write(`${ask}\n`);
    return 2;
  }
  if (ask.healthyMs !== null)
    say(
      `Healthy runs of ${ask.healthyMs / 60_000} min, compressed ${COMPRESSION} times: rounds come every 2 s instead of 10 s, for a ${COMPRESSION}th of the time.\nNot compressed: the kernel's neighbour and conntrack timers, the speaker's scan of 10 s, the host's facts, time-outs.`,
    );
  const houses = ask.topologies.length * ask.brnfs.length;
  if (ask.healthyMs === null)
    say(
      `${houses * ask.faults.length} rows (faults: ${ask.faults.length}, houses: ${houses}), ${ask.jobs} houses at a time`,
    );
  const rows = await runHouses(ask);
  say(`\n${heading()}`);
  for (const row of rows) say(sayRow(row));
  const wrong = rows.filter((row) => row.complaints.length > 0).length;
  const lies = rows.reduce((sum, row) => sum + row.falseCauses.length, 0);
  say(`\n${rows.length} rows, ${rows.length - wrong} as faults.md says, ${wrong} not; false causes ${lies}`);
  return wrong > 0 || rows.length === 0 ? 1 : 0;
}

process.exit(await main());
