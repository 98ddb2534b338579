import { sayDuration } from "../core/units.ts";
import type { Moment } from "./moment.ts";
import type { LogLine } from "./processes.ts";
import type { Said } from "./standins/channel.ts";

interface Check {
  readonly target: string;
  readonly id: string;
  readonly ok: boolean;
  readonly failure: string | null;
  readonly detail: string | null;
}
interface Command {
  readonly argv: readonly string[];
  readonly ms: number;
  readonly exit: number | null;
}
interface GateLine {
  readonly gate: string;
  readonly open: boolean;
  readonly why: string;
}

const text = (value: unknown): string => (typeof value === "string" ? value : "");
const list = <T>(value: unknown): readonly T[] => (Array.isArray(value) ? (value as T[]) : []);

export function roundChecks(line: LogLine): readonly Check[] {
  return list<Check>(line["checks"]);
}

/** What the last lines of each process said, so that only what changed is told. */
export class Narrator {
  readonly #failing = new Map<string, string>();
  readonly #repairs = new Set<string>();
  #gates = "";

  forget(): void {
    this.#failing.clear();
    this.#repairs.clear();
    this.#gates = "";
  }

  /** The moment that a log line stands for; null for what a person need not see. */
  line(who: string, line: LogLine): Moment | null {
    const mono = line.mono_ms ?? 0;
    switch (line.event) {
      case "round":
        return this.#round(who, mono, line);
      case "link_event":
        return {
          mono,
          who,
          what: "link_event",
          text: `the kernel says: ${text(line["link"])} ${text(line["change"])}${line["mac"] ? `, MAC ${text(line["mac"])}` : ""}`,
          tone: "faint",
          fields: { link: line["link"], change: line["change"] },
        };
      case "guard":
        return repairMoment(mono, who, "guard", `guard: ${text(line["step"])} ${text(line["outcome"])}`, line);
      case "guard_stopped":
      case "guard_held":
        return { mono, who, what: line.event, text: line.msg ?? line.event, tone: "held" };
      case "repair":
        return this.#repair(who, mono, line);
      case "diagnosis":
        return diagnosisMoment(who, mono, line);
      case "gates":
        return this.#gatesMoment(who, mono, line);
      case "emitted":
        return {
          mono,
          who,
          what: "told",
          text: `${text(line["kind"])}: ${text(line["title"])}`,
          tone: "told",
          under: [text(line["message"])],
          fields: { kind: line["kind"], cause: line["cause"], title: line["title"], message: line["message"] },
        };
      case "delivery":
        return deliveryMoment(who, mono, line);
      default:
        return (line.level ?? 30) >= 50
          ? {
              mono,
              who,
              what: "error",
              text: `${line.msg ?? "error"}${line["detail"] ? `: ${String(line["detail"])}` : ""}`,
              tone: "bad",
            }
          : null;
    }
  }

  #round(who: string, mono: number, line: LogLine): Moment | null {
    const bad = roundChecks(line).filter((check) => !check.ok);
    const control = line["control"] as { ok?: boolean | null; detail?: string | null } | undefined;
    const seen = [
      ...bad.map((check) => `${check.target}/${check.id}:${check.failure}`),
      ...(control?.ok === false ? ["control"] : []),
    ].join();
    const before = this.#failing.get(who) ?? "";
    if (seen === before) return null;
    this.#failing.set(who, seen);
    const fields = {
      failing: bad.map(({ target, id, failure, detail }) => ({ target, check: id, failure, detail })),
      control: control?.ok ?? null,
    };
    if (seen === "") return { mono, who, what: "good", text: "every check is good again", tone: "good", fields };
    const under = [
      ...bad.map((check) => `${check.target} ${check.id}: ${check.failure}${check.detail ? `, ${check.detail}` : ""}`),
      ...(control?.ok === false ? [`its own path is bad: ${control.detail ?? ""}`] : []),
    ];
    return {
      mono,
      who,
      what: "failing",
      text: `${bad.length} of ${roundChecks(line).length} checks fail`,
      tone: "bad",
      under,
      fields,
    };
  }

  #repair(who: string, mono: number, line: LogLine): Moment | null {
    const [id, state] = [text(line["id"]), text(line["state"])];
    const key = `${id}:${state}`;
    if (this.#repairs.has(key) || state === "accepted" || state === "running") return null;
    this.#repairs.add(key);
    if (state === "requested")
      return {
        mono,
        who,
        what: "repair",
        text: `asks the host for ${text(line["step"])}`,
        tone: "act",
        fields: { id, step: line["step"], state },
      };
    return repairMoment(mono, who, "repair", `${text(line["step"])} ${state}`, line);
  }

  #gatesMoment(who: string, mono: number, line: LogLine): Moment | null {
    const gates = list<GateLine>(line["gates"]);
    const closed = gates.find((gate) => !gate.open);
    const seen = gates.length === 0 ? "" : (closed?.gate ?? "open");
    if (seen === this.#gates || seen === "") return null;
    this.#gates = seen;
    if (closed === undefined)
      return {
        mono,
        who,
        what: "gates",
        text: `every gate is open (${gates.length})`,
        tone: "act",
        under: gates.map((gate) => `${gate.gate}: ${gate.why}`),
        fields: { held_by: null, gates },
      };
    return {
      mono,
      who,
      what: "gates",
      text: `held by ${closed.gate}: ${closed.why}`,
      tone: "held",
      fields: { held_by: closed.gate, gates },
    };
  }

  /** What a stand-in said. */
  said(said: Said, mono: number): Moment | null {
    if (said.what === "received") {
      if (said["kind"] === "heartbeat") return null; // It says that nothing happened.
      const event = said["event"] === null ? text(said["method"]) : text(said["event"]);
      return {
        mono,
        who: text(said["name"]),
        what: "received",
        text: `heard ${event}${said["title"] ? `: ${text(said["title"])}` : ""}`,
        tone: "faint",
        fields: { kind: said["kind"], event: said["event"], title: said["title"] },
      };
    }
    if (said.what === "absent")
      return { mono, who: text(said["who"] ?? "lab"), what: "error", text: text(said["detail"]), tone: "bad" };
    if (said.what === "speaker")
      return {
        mono,
        who: "speaker",
        what: text(said["state"]),
        text: `${text(said["pod"])} ${text(said["state"])}${said["detail"] ? ` (${text(said["detail"])})` : ""}`,
        tone: "faint",
      };
    const report = said["report"] as { kind: string; reason?: string; text?: string; service?: string } | undefined;
    if (report?.kind === "log" || (report?.kind === "event" && report.reason === "announceFailed")) {
      return {
        mono,
        who: "speaker",
        what: report.kind,
        text: report.text ?? `${report.reason} ${report.service}`,
        tone: "faint",
      };
    }
    return null;
  }
}

function commandLines(line: LogLine): readonly string[] {
  return list<Command>(line["commands"]).map(
    (command) =>
      `$ ${command.argv.join(" ")}   ${sayDuration(command.ms)}${command.exit === 0 ? "" : `, exit ${command.exit}`}`,
  );
}

function repairMoment(mono: number, who: string, what: string, title: string, line: LogLine): Moment {
  const ms = typeof line["ms"] === "number" ? line["ms"] : null;
  const state = text(line["outcome"]) || text(line["state"]);
  const detail = text(line["detail"]) || text(line["refusal"]);
  const said = `${title}${ms === null ? "" : ` in ${sayDuration(ms)}`}${detail === "" ? "" : `: ${detail}`}`;
  const fields = {
    step: line["step"],
    outcome: state,
    ms,
    cause: line["cause"] ?? null,
    commands: line["commands"] ?? [],
    refusal: line["refusal"] ?? null,
  };
  return { mono, who, what, text: said, tone: state === "done" ? "good" : "bad", under: commandLines(line), fields };
}

function diagnosisMoment(who: string, mono: number, line: LogLine): Moment {
  const cause = text(line["cause"]);
  const said = `${cause === "" ? text(line["state"]) : cause}: ${text(line["summary"])}`;
  const fields = {
    state: line["state"],
    cause: line["cause"],
    summary: line["summary"],
    evidence: line["evidence"],
    failing: line["failing"],
    votes: line["votes"],
  };
  return {
    mono,
    who,
    what: "diagnosis",
    text: said,
    tone: cause === "" ? (line["state"] === "ok" ? "good" : "plain") : "bad",
    under: list<string>(line["evidence"]),
    fields,
  };
}

function deliveryMoment(who: string, mono: number, line: LogLine): Moment | null {
  const outcome = text(line["outcome"]);
  if (outcome === "accepted" || outcome === "delivered" || outcome === "confirmed") {
    return outcome === "confirmed"
      ? {
          mono,
          who,
          what: "delivery",
          text: `${text(line["subscriber"])} has confirmed ${text(line["kind"])}`,
          tone: "faint",
          fields: { subscriber: line["subscriber"], kind: line["kind"], outcome },
        }
      : null;
  }
  return {
    mono,
    who,
    what: "delivery",
    text: `${text(line["subscriber"])}: ${text(line["kind"])} ${outcome}${line["detail"] ? `, ${text(line["detail"])}` : ""}`,
    tone: "held",
    fields: { subscriber: line["subscriber"], kind: line["kind"], outcome, detail: line["detail"] },
  };
}
