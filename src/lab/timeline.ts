import { sayDuration } from "../core/units.ts";
import { monoMillis } from "../runtime/node/clock.ts";
import { drawHouse } from "./drawing.ts";
import type { HousePlan } from "./house-plan.ts";
import { type FaultResult, type Moment, momentJson } from "./moment.ts";

/** Where the director's findings go: a terminal, or one JSON object a line. */
export interface Timeline {
  readonly house: (plan: HousePlan, brnf: number) => void;
  readonly moment: (moment: Moment, origin: number) => void;
  readonly fault: (name: string, title: string, place: string) => void;
  readonly result: (result: FaultResult, complaints: readonly string[], origin: number) => void;
  readonly waiting: (text: string | null) => void;
  readonly note: (text: string) => void;
  readonly table: (rows: readonly { readonly result: FaultResult; readonly complaints: readonly string[] }[]) => void;
}

export function jsonTimeline(write: (text: string) => void, now: () => number, start: number): Timeline {
  const line = (object: unknown) => write(`${JSON.stringify(object)}\n`);
  const lab = (what: string, fields: Record<string, unknown>) =>
    line({ at_ms: Math.round(now() - start), who: "lab", what, ...fields });
  return {
    house: (plan, brnf) =>
      lab("house", {
        site: plan.house.site,
        brnf,
        vantages: plan.house.vantages.map(({ name, where }) => ({ name, where })),
        targets: plan.pods.map((pod) => ({ name: pod.target.name, addresses: pod.addresses })),
      }),
    moment: (moment, origin) => line(momentJson(moment, origin)),
    fault: (fault, title) => line({ at_ms: 0, who: "lab", what: "fault", fault, text: title, mono_ms: now() }),
    result: (result, complaints) => {
      for (const complaint of complaints) lab("unexpected", { fault: result.fault, text: complaint });
      line(result);
    },
    waiting: () => {},
    note: (text) => lab("note", { text }),
    table: () => {},
  };
}

const TONES: Readonly<Record<Moment["tone"], string>> = {
  plain: "",
  bad: "31",
  good: "32",
  held: "33",
  act: "36",
  told: "35",
  faint: "2",
};
const WHO_WIDTH = 14;
const LINE_MAX = 2_000;

/** Control characters could come from a server's answer: a terminal must not obey them. */
function safe(text: string): string {
  return text
    .replace(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, (found) => (found === "\n" ? " " : "·"))
    .slice(0, LINE_MAX);
}

export function textTimeline(stream: NodeJS.WriteStream, colours: boolean): Timeline {
  const paint = (code: string, text: string) => (colours && code !== "" ? `\u001b[${code}m${text}\u001b[0m` : text);
  const isLive = stream.isTTY === true;
  let live = "";
  const clear = () => {
    if (live !== "") stream.write("\r\u001b[2K");
    live = "";
  };
  const print = (text = "") => {
    clear();
    stream.write(`${text}\n`);
  };
  const stamp = (ms: number) => `${ms < 0 ? "-" : "+"}${(Math.abs(ms) / 1_000).toFixed(3)} s`.padStart(12);
  return {
    house: (plan, brnf) => {
      for (const line of drawHouse(plan, brnf)) print(line);
      print();
    },
    moment: (moment, origin) => {
      print(
        `${paint("2", stamp(moment.mono - origin))}  ${safe(moment.who).padEnd(WHO_WIDTH)} ${paint(TONES[moment.tone], safe(moment.text))}`,
      );
      for (const under of moment.under ?? []) if (under !== "") print(`${" ".repeat(30)}${paint("2", safe(under))}`);
    },
    fault: (name, title, place) => {
      print();
      print(`${paint("1", `━━ ${place} ${name}`)}  ${safe(title)}`);
    },
    result: (result, complaints) => {
      print(`   ${complaints.length === 0 ? paint("32", "✔") : paint("31", "✘")} ${summary(result)}`);
      if (result.advice !== null && !result.healed)
        for (const [index, line] of result.advice.split("\n").slice(0, 24).entries())
          print(`     ${paint("2", `${index === 0 ? "to do:" : "      "} ${safe(line).slice(0, 200)}`)}`);
      for (const complaint of complaints) print(`     ${paint("31", complaint)}`);
    },
    waiting: (text) => {
      if (!isLive) return;
      if (text === null) return clear();
      const next = `   ⋯ waiting for ${text}`;
      if (next === live) return;
      stream.write(`\r\u001b[2K${paint("2", next)}`);
      live = next;
    },
    note: (text) => print(`   ${text}`),
    table: (rows) => {
      print();
      print(
        paint("1", "   fault                     cause                healed by   first seen   green again   told"),
      );
      for (const { result, complaints } of rows) {
        const cells = [
          result.fault.padEnd(25),
          (result.cause ?? "none").padEnd(20),
          (result.by ?? "a person").padEnd(11),
          (result.first_seen_ms === null ? "–" : sayDuration(result.first_seen_ms)).padEnd(12),
          (result.healed_ms === null ? "–" : sayDuration(result.healed_ms)).padEnd(13),
          [...new Set(result.told)].join(", "),
        ];
        print(` ${complaints.length === 0 ? paint("32", "✔") : paint("31", "✘")} ${cells.join(" ")}`);
      }
    },
  };
}

function summary(result: FaultResult): string {
  const cause = result.cause ?? "nothing was wrong with the addresses";
  const red = Object.entries(result.vantages).filter(([, { down_ms }]) => down_ms !== null);
  const seen =
    red.length === 0
      ? "no vantage ever saw red"
      : `red at ${red.map(([name, { down_ms, up_ms }]) => `${name} ${up_ms === null ? "still" : `for ${sayDuration(up_ms - down_ms!)}`}`).join(", ")}`;
  if (!result.healed)
    return `${cause}: ${result.told.length === 0 ? "nothing was told" : `told (${[...new Set(result.told)].join(", ")})`}, not healed by hairpin; ${seen}`;
  const steps = result.steps.filter((step) => step.outcome === "done").map((step) => step.step);
  return `${cause}: healed by ${result.by === "guard" ? "the guard" : steps.join(", ")} ${result.healed_ms === null ? "" : `after ${sayDuration(result.healed_ms)}`}; ${seen}`;
}

/** The timeline for this process's stdout. Colour only on a terminal, and not with NO_COLOR (no-color.org). */
export function timelineFor(json: boolean, start: number): Timeline {
  const colours = process.stdout.isTTY === true && !process.env["NO_COLOR"];
  return json
    ? jsonTimeline((text) => process.stdout.write(text), monoMillis, start)
    : textTimeline(process.stdout, colours);
}
