import type { Fault } from "../../src/lab/faults/fault.ts";
import type { LabLine, Told } from "./ran-lab.ts";

/** One row of the table: a fault in one house, with what came out. */
export interface Row {
  readonly fault: string;
  readonly topology: string;
  readonly brnf: string;
  readonly expected: string;
  readonly found: string;
  readonly foundMs: number | null;
  readonly healedBy: string;
  /** Causes that were shown and are neither the expected one nor a transient of it. */
  readonly falseCauses: readonly string[];
  /** What the doctors said: each place with its cause; `!` where a place named the expected cause. */
  readonly doctor: string;
  readonly complaints: readonly string[];
}

/** Causes that are true of another part of hairpin and say nothing of an address. */
const ASIDE: ReadonlySet<string> = new Set(["vantage_silent"]);

/** Faults of which an HTTPS probe sees nothing until neighbour caches run out. Two rounds of the schedule, and what confirms them. */
const STILL_GREEN: ReadonlySet<string> = new Set(["link-deleted", "link-down", "speaker-killed", "speaker-stopped"]);
const TWO_ROUNDS_MS = 24_000;

const causeOf = (line: LabLine): string | null => (typeof line["cause"] === "string" ? line["cause"] : null);
/** Where a cause is shown: the hub's diagnosis, and every event that goes out. */
const isShown = (line: LabLine): boolean => line.what === "diagnosis" || line.what === "told";

export function judge(fault: Fault, told: Told, place: { readonly topology: string; readonly brnf: string }): Row {
  const expected = fault.cause;
  const right = new Set<string>([...(expected === null ? [] : [expected]), ...(fault.orElse ?? []).filter(isCause)]);
  const story = told.lines.slice(0, told.result === null ? undefined : told.until);
  const shown = story.filter((line) => isShown(line) && causeOf(line) !== null);
  const first = shown.find((line) => right.has(causeOf(line)!));
  const guard = told.lines.find((line) => line.what === "guard" && right.has(causeOf(line) ?? ""));
  const silentSix = fault.remakesLink === true && place.topology === "dual" ? ["not_announced"] : [];
  const allowed = new Set<string>([...right, ...(fault.transient ?? []), ...silentSix]);
  const falseCauses = [...new Set(shown.map((line) => causeOf(line)!))].filter(
    (cause) => !allowed.has(cause) && !(expected === null && ASIDE.has(cause)),
  );
  const result = told.result;
  const found = result?.cause ?? null;
  const foundMs = [first, guard].flatMap((line) => line?.at_ms ?? []).sort((a, b) => a - b)[0] ?? null;
  const complaints = [
    ...told.lines.filter((line) => line.what === "unexpected").map((line) => String(line["text"])),
    ...(STILL_GREEN.has(fault.name) && (foundMs ?? 0) > TWO_ROUNDS_MS ? ["it was not found within two rounds"] : []),
    ...(result === null ? ["the lab ended before its result"] : []),
    ...falseCauses.map((cause) => {
      const line = shown.find((each) => causeOf(each) === cause)!;
      return `a false cause was shown: ${cause}, after ${Math.round(line.at_ms ?? 0)} ms by ${line.who} (${line["text"]})`;
    }),
    ...doctorComplaints(fault, right, told),
  ];
  return {
    fault: fault.name,
    ...place,
    expected: expected ?? "none",
    found: found ?? "none",
    foundMs,
    healedBy: healers(result) ?? (fault.cause === null ? "–" : "a person"),
    falseCauses,
    doctor: sayDoctors(fault, right, told),
    complaints,
  };
}

/** Guard or remedy; both, where a remedy had to follow the guard. */
function healers(result: Told["result"]): string | null {
  if (result === null || result.by === null) return null;
  const remedies = result.steps.filter((step) => step.step !== "ensure-link" && step.outcome === "done");
  return result.by === "guard" && remedies.length > 0 ? `guard, ${remedies.at(-1)!.step}` : result.by;
}

const isCause = (cause: string | null): cause is string => cause !== null;
const doctors = (told: Told) => told.lines.filter((line) => line.what === "doctor");

/** Whether a doctor says what is wrong, and ends so: with the cause, or where none is told of the addresses, at the layer that is down. */
function isNaming(fault: Fault, right: ReadonlySet<string>, line: LabLine): boolean {
  if (fault.cause !== null) return line["exit"] === 1 && right.has(causeOf(line) ?? "");
  return line["exit"] === 1 && Array.isArray(line["bad"]) && line["bad"].includes(fault.shows);
}

function sayDoctors(fault: Fault, right: ReadonlySet<string>, told: Told): string {
  const said = doctors(told);
  if (said.length === 0) return "–";
  const naming = said.filter((line) => isNaming(fault, right, line));
  if (naming.length > 0) return `1 at ${naming.map((line) => line.who).join(", ")}`;
  if (said.every((line) => line["exit"] === 0)) return "0 everywhere";
  return said.map((line) => `${line["exit"]} ${causeOf(line) ?? "–"} at ${line.who}`).join(", ");
}

/**
 * Some place must exit 1 with the cause's sentence first. Of a fault that has no cause, since nothing of the addresses is wrong, one
 * must say which part of hairpin, of Kubernetes or of the receivers is down, and exit 1.
 */
function doctorComplaints(fault: Fault, right: ReadonlySet<string>, told: Told): readonly string[] {
  const said = doctors(told);
  if (said.length === 0) return [];
  // A healthy house, and another node that announces: nothing to be said.
  if (fault.name === "healthy" || fault.cause === "announced_elsewhere")
    return said
      .filter((line) => line["exit"] !== 0)
      .map((line) => `doctor at ${line.who} exits ${line["exit"]}, and nothing is wrong: ${line["text"]}`);
  if ((fault.cause === null && fault.shows === undefined) || fault.comesAndGoes === true) return [];
  const wanted = fault.cause ?? `that ${fault.shows} is down`;
  return said.some((line) => isNaming(fault, right, line))
    ? []
    : [
        `no doctor names ${wanted}: ${said.map((line) => `${line.who} ${line["exit"]} ${causeOf(line) ?? line["text"]}`).join("; ")}`,
      ];
}

const COLUMNS: readonly (readonly [string, number, (row: Row) => string])[] = [
  ["fault", 24, (row) => row.fault],
  ["house", 8, (row) => row.topology],
  ["brnf", 4, (row) => row.brnf],
  ["cause expected", 19, (row) => row.expected],
  ["cause found", 19, (row) => row.found],
  ["s to find", 9, (row) => (row.foundMs === null ? "–" : (row.foundMs / 1_000).toFixed(1))],
  ["healed by", 9, (row) => row.healedBy],
  ["false", 5, (row) => String(row.falseCauses.length)],
  ["doctor exits", 24, (row) => row.doctor],
];

export const heading = (): string => `  ${COLUMNS.map(([name, width]) => name.padEnd(width)).join("  ")}`;

export function sayRow(row: Row): string {
  const mark = row.complaints.length === 0 ? "✔" : "✘";
  const cells = COLUMNS.map(([, width, cell]) => cell(row).padEnd(width)).join("  ");
  return [`${mark} ${cells}`, ...row.complaints.map((text) => `    ${text}`)].join("\n");
}
