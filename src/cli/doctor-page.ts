import type { DoctorFinding, DoctorReport } from "../core/doctor/finding.ts";
import { plain } from "../core/text.ts";

const MARKS: Readonly<Record<DoctorFinding["state"], string>> = { good: "✔", bad: "✘", warning: "!", unknown: "–" };
const COLOURS: Readonly<Record<DoctorFinding["state"], string>> = {
  good: "32",
  bad: "31",
  warning: "33",
  unknown: "2",
};
const TEXT_MAX = 2_048;
/** Below that a column of text is no help. */
const WIDTH_MIN = 60;
/** So many findings of one layer and state are said in full; of more, the first with its evidence and this many in all. */
const ALIKE_MAX: Readonly<Record<DoctorFinding["state"], number>> = { good: 6, bad: 3, warning: 3, unknown: 3 };
const ALIKE_SHOWN = 3;
/** Sentences of evidence under the verdict. */
const EVIDENCE_MAX = 5;

/**
 * The report as one page: the verdict, then a line for each layer; how it is known and what to type only where it is not good.
 *
 * `width` is that of a terminal in columns, or null for a pipe, which gets every word on its line. On a terminal what is good is cut
 * at the edge, so that a healthy house is seen at a glance, and what is not is broken at words under its column. A command is never
 * broken: it is there to be copied, and stands once. While something is broken, what may break later is said without its evidence,
 * and of many addresses that fail alike the first is told and the rest counted: `--json` has all of it.
 */
export function doctorPage(report: DoctorReport, colour: boolean, width: number | null = null): string {
  const edge = width === null ? Number.POSITIVE_INFINITY : Math.max(width, WIDTH_MIN);
  const paint = (code: string, text: string) => (colour ? `\u001b[${code}m${text}\u001b[0m` : text);
  const say = (text: string) => plain(text, TEXT_MAX);
  const block = (text: string, indent: string, code: string | null) =>
    broken(say(text), edge - indent.length).map((line) => `${indent}${code === null ? line : paint(code, line)}`);
  const typed: string[] = [];
  const advise = (advice: string, indent: string): string[] => {
    if (typed.some((before) => before === advice || before.startsWith(`${advice};`))) return [];
    typed.push(advice);
    const [first = "", ...more] = advice.split("\n");
    return [`${indent}type: ${say(first)}`, ...more.map((line) => `${indent}      ${say(line)}`)];
  };
  const verdict = report.cause === null ? report.verdict : `${report.verdict} (${report.cause})`;
  const head = [
    ...block(verdict, "", report.ok ? "1;32" : "1;31"),
    ...shortened(report.evidence).flatMap((sentence) => block(sentence, "  ", "2")),
    ...(report.advice === null ? [] : advise(report.advice, "  ")),
    "",
  ];
  const findings = folded(report.findings);
  const column = Math.max(0, ...report.findings.map((finding) => finding.layer.length));
  const indent = " ".repeat(column + 4);
  const rows = findings.flatMap((finding, index) => {
    const isSame = findings[index - 1]?.layer === finding.layer;
    const layer = (isSame ? "" : finding.layer.replaceAll("_", " ")).padEnd(column);
    const isCalm = finding.state === "good" || (finding.state === "unknown" && finding.advice === null);
    const text = say(finding.text);
    const [first = "", ...more] = isCalm ? [cut(text, edge - indent.length)] : broken(text, edge - indent.length);
    const lines = [
      `${paint(COLOURS[finding.state], MARKS[finding.state])} ${layer}  ${first}`,
      ...more.map((line) => `${indent}${line}`),
    ];
    if (finding.state === "good") return lines;
    const isBrief = report.cause !== null && finding.state !== "bad";
    return [
      ...lines,
      ...(isBrief || finding.evidence.length === 0 ? [] : block(finding.evidence.join(" "), indent, "2")),
      ...(finding.advice === null ? [] : advise(finding.advice, indent)),
    ];
  });
  return `${[...head, ...rows].join("\n")}\n`;
}

/** The last sentence stays: it says how what is seen here and what the hub says go together. */
function shortened(evidence: readonly string[]): readonly string[] {
  if (evidence.length <= EVIDENCE_MAX) return evidence;
  const shown = evidence.slice(0, EVIDENCE_MAX - 2);
  return [...shown, `… and ${evidence.length - shown.length - 1} more like it.`, evidence.at(-1)!];
}

function folded(findings: readonly DoctorFinding[]): readonly DoctorFinding[] {
  const runs: DoctorFinding[][] = [];
  for (const finding of findings) {
    const run = runs.at(-1);
    if (run?.[0]?.layer === finding.layer && run[0].state === finding.state) run.push(finding);
    else runs.push([finding]);
  }
  return runs.flatMap((run) => {
    const [first] = run;
    if (first === undefined || run.length <= ALIKE_MAX[first.state]) return run;
    const brief = run.slice(1, ALIKE_SHOWN).map((finding) => ({ ...finding, evidence: [], advice: null }));
    const text = `… and ${run.length - ALIKE_SHOWN} more like it; --json has them.`;
    return [first, ...brief, { ...first, text, evidence: [], advice: null }];
  });
}

const cut = (text: string, width: number): string => (text.length <= width ? text : `${text.slice(0, width - 1)}…`);

/** The text in lines of at most `width`, broken at spaces; a word that is longer stands alone. */
function broken(text: string, width: number): readonly string[] {
  if (text.length <= width) return [text];
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
