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

/** The report as one page: the verdict, then a line for each layer; how it is known and what to type only where it is not good. */
export function doctorPage(report: DoctorReport, colour: boolean): string {
  const paint = (code: string, text: string) => (colour ? `\u001b[${code}m${text}\u001b[0m` : text);
  const say = (text: string) => plain(text, TEXT_MAX);
  const advise = (advice: string, indent: string): string[] => {
    const [first = "", ...more] = advice.split("\n");
    return [`${indent}type: ${say(first)}`, ...more.map((line) => `${indent}      ${say(line)}`)];
  };
  const verdict = paint(report.ok ? "1;32" : "1;31", say(report.verdict));
  const head = [
    report.cause === null ? verdict : `${verdict} ${paint("2", `(${report.cause})`)}`,
    ...report.evidence.map((sentence) => paint("2", `  ${say(sentence)}`)),
    ...(report.advice === null ? [] : advise(report.advice, "  ")),
    "",
  ];
  const width = Math.max(0, ...report.findings.map((finding) => finding.layer.length));
  const indent = " ".repeat(width + 4);
  const rows = report.findings.flatMap((finding, index) => {
    const isSame = report.findings[index - 1]?.layer === finding.layer;
    const layer = (isSame ? "" : finding.layer.replaceAll("_", " ")).padEnd(width);
    const line = `${paint(COLOURS[finding.state], MARKS[finding.state])} ${layer}  ${say(finding.text)}`;
    if (finding.state === "good") return [line];
    return [
      line,
      ...(finding.evidence.length === 0 ? [] : [paint("2", `${indent}${finding.evidence.map(say).join(" ")}`)]),
      ...(finding.advice === null ? [] : advise(finding.advice, indent)),
    ];
  });
  return `${[...head, ...rows].join("\n")}\n`;
}
