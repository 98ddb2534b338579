import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { monoMillis } from "../runtime/node/clock.ts";
import { MODULES_FOLDER } from "../runtime/node/lean.ts";
import { Bench } from "./bench.ts";
import { askDoctors } from "./doctors.ts";
import type { Fault } from "./faults/fault.ts";
import type { LabHouse } from "./house.ts";
import { LAB } from "./lab-config.ts";
import type { FaultResult, Moment } from "./moment.ts";
import { Narrator, roundChecks } from "./narrator.ts";
import type { HairpinProcess, LogLine } from "./processes.ts";
import { followFacts } from "./recording.ts";
import type { Said } from "./standins/channel.ts";
import { expectedEnding, Story } from "./story.ts";
import type { Timeline } from "./timeline.ts";

const LOOK_EVERY_MS = 100;
const READY_LIMIT_MS = 45_000;
const FAULT_LIMIT_MS = 150_000;
/** Grace ends with four fresh rounds of every voter (safety.md, "start"), and with their way to the hub. */
const ROUNDS_OF_GRACE = 4;
const GRACE_MARGIN_MS = 300;

interface Heard {
  rounds: number;
  good: boolean;
  goodSince: number;
}

/** What the director does besides telling the story. */
export interface Extras {
  /** While each fault stands, `hairpin doctor` is asked at every place. */
  readonly doctor: boolean;
  /** Every round and every change of the host's facts is told in full: what golden incidents are made of. */
  readonly record: boolean;
}

/** Starts hairpin in the house, breaks the house, watches what happens, and says how it came out. */
export class Director {
  readonly #timeline: Timeline;
  readonly #extras: Extras;
  readonly #narrator = new Narrator();
  readonly #heard = new Map<string, Heard>();
  readonly #ready = new Set<string>();
  readonly #doomed = new Set<HairpinProcess>();
  #house: LabHouse | null = null;
  #bench: Bench | null = null;
  #story: Story | null = null;
  #origin: number;
  #hubState = "unknown";
  #isQuiet = true;
  #broken: Fault | null = null;
  #surprise: string | null = null;

  constructor(timeline: Timeline, origin: number, extras: Extras = { doctor: false, record: false }) {
    this.#timeline = timeline;
    this.#origin = origin;
    this.#extras = extras;
  }

  readonly ears = {
    line: (who: string, line: LogLine) => this.#line(who, line),
    said: (who: string, said: Said) => this.#said(who, said),
    ended: (process: HairpinProcess, how: string) => this.#ended(process, how),
  };

  get house(): LabHouse {
    if (this.#house === null) throw new Error("the house has not been built");
    return this.#house;
  }

  get bench(): Bench {
    this.#bench ??= new Bench(this.house);
    return this.#bench;
  }

  say(text: string, fields: Partial<Moment> = {}): void {
    this.#tell({ mono: monoMillis(), who: "lab", what: "lab", text, tone: "plain", ...fields });
  }

  #tell(moment: Moment): void {
    this.#timeline.moment(moment, this.#origin);
  }

  /** Starts the stand-ins and every process; returns when all run. */
  async raise(house: LabHouse, homeAssistant = true): Promise<void> {
    this.#house = house;
    const began = monoMillis();
    // hairpin's own processes need no stand-in to start, and take longest.
    const processes = house.roles().map(({ who, kind }) => house.start(who, kind));
    await house.startStandins(homeAssistant);
    await Promise.all(processes);
    await this.#until(
      () => house.roles().every(({ who, kind }) => this.#ready.has(`${kind}:${who}`)),
      READY_LIMIT_MS,
      "every process to be ready",
    );
    const roles = house.roles().map(({ who, kind }) => (kind === "vantage" ? `vantage ${who}` : who));
    if (this.#extras.record) {
      for (const host of Object.keys(house.plan.house.hosts))
        followFacts(host, (facts) =>
          this.say("", { who: host, what: "heard_facts", fields: { mono_ms: monoMillis(), facts } }),
        );
    }
    this.say(`the house stands: ${roles.join(", ")} run, ${Math.round(monoMillis() - began)} ms after the cables`);
  }

  /** Waits until every vantage has had `rounds` rounds and is green, and the hub finds nothing. */
  async green(rounds: number): Promise<boolean> {
    const names = this.#offHost();
    const isGreen = () =>
      names.every((name) => {
        const heard = this.#heard.get(name);
        return heard !== undefined && heard.rounds >= rounds && heard.good;
      }) &&
      (rounds <= 1 || this.#hubState === "ok" || names.length === 0);
    return this.#until(isGreen, READY_LIMIT_MS, "every vantage to be green");
  }

  /** Waits until the hub has heard enough to decide. */
  async graceOver(): Promise<boolean> {
    const isGreen = await this.green(ROUNDS_OF_GRACE);
    await sleep(GRACE_MARGIN_MS);
    return isGreen;
  }

  #offHost(): readonly string[] {
    return this.house.plan.house.vantages.filter((vantage) => vantage.where !== "host").map((vantage) => vantage.name);
  }

  async #until(holds: () => boolean, limit: number, what: string): Promise<boolean> {
    const end = monoMillis() + limit;
    while (!holds()) {
      if (monoMillis() > end || this.#surprise !== null) {
        this.#timeline.waiting(null);
        this.say(this.#surprise ?? `gave up waiting for ${what} after ${Math.round(limit / 1_000)} s`, {
          tone: "bad",
          what: "unexpected",
        });
        this.#surprise = null;
        return false;
      }
      this.#timeline.waiting(what);
      await sleep(LOOK_EVERY_MS);
    }
    this.#timeline.waiting(null);
    return true;
  }

  /** Breaks the house and tells the story to its end; the house stays broken until `restore`. */
  async tellFault(fault: Fault, place: string): Promise<{ result: FaultResult; complaints: readonly string[] }> {
    const { house, bench } = this;
    const config = house.plan.house;
    this.#narrator.forget();
    this.#broken = fault;
    const host = Object.values(config.hosts)[0];
    const voters = config.vantages.filter(
      (vantage) => !vantage.muted && (vantage.where === "vm" || vantage.where === "lan"),
    ).length;
    const ending = expectedEnding(fault, {
      mode: config.heal.mode,
      armed: host?.armed ?? false,
      guard: host?.guard ?? false,
      voters,
      quorum: config.heal.quorum,
    });
    const confirm = Math.min(config.heal.confirm, 15_000);
    this.#timeline.fault(fault.name, fault.title(bench), place);
    this.#expectDeaths(fault);
    this.#origin = monoMillis();
    const story = new Story(fault, ending, this.#origin, this.#offHost(), confirm);
    this.#story = story;
    await fault.inject(bench);
    const stopped = { yes: false };
    const later = fault.later?.(bench, (ms) => sleepUnless(ms, () => stopped.yes)) ?? Promise.resolve();
    const end = this.#origin + (fault.limitMs ?? FAULT_LIMIT_MS);
    for (let waiting = story.waitingFor(monoMillis()); waiting !== null; waiting = story.waitingFor(monoMillis())) {
      if (monoMillis() > end || this.#surprise !== null) {
        this.say(this.#surprise ?? `the time for this fault is over, still waiting for ${waiting}`, {
          tone: "bad",
          what: "unexpected",
        });
        this.#surprise = null;
        break;
      }
      this.#timeline.waiting(waiting);
      await sleep(LOOK_EVERY_MS);
    }
    this.#timeline.waiting(null);
    const [result, complaints] = [story.result(), story.complaints()];
    // What comes to its own end while nothing is to be told of it is over by now.
    const stands = ending === "told" || (ending === "quiet" && fault.later === undefined);
    if (this.#extras.doctor && stands) await this.#doctors(fault);
    stopped.yes = true;
    this.#story = null;
    this.#timeline.result(result, complaints, this.#origin);
    await later;
    if (this.#extras.doctor && !stands) await this.#oncemore(fault);
    return { result, complaints };
  }

  async #doctors(fault: Fault): Promise<void> {
    for (const { place, exit, cause, bad, verdict } of await askDoctors(this.house))
      this.say(verdict, { who: place, what: "doctor", tone: "faint", fields: { fault: fault.name, exit, cause, bad } });
  }

  #expectDeaths(fault: Fault): void {
    if (!fault.name.endsWith("-killed") && fault.name !== "reboot") return;
    for (const process of this.house.processes.values()) this.#doomed.add(process);
  }

  /** What is repaired at once, or ends by itself, cannot be looked at: the guard is held, and the same fault made once more. */
  async #oncemore(fault: Fault): Promise<void> {
    const { bench } = this;
    await bench.holdingGuard("the doctor looks at the fault", async () => {
      this.say("the same once more, with the guard held", { what: "again", fields: { mono_ms: monoMillis() } });
      this.#expectDeaths(fault);
      await fault.inject(bench);
      // A vantage that asks cures what it asks about; where the guard's own facts are looked at, it may go on.
      if (fault.ending === "heal") this.#vantages("SIGSTOP");
      await fault.beforeLook?.(bench, sleep);
      await this.#doctors(fault);
      this.#vantages("SIGCONT");
      // Its own end belongs to some faults: a bridge comes back, and the restore builds on it.
      await fault.later?.(bench, async () => {});
    });
    this.#isQuiet = false; // What the hub has seen of it must not weigh on the next fault.
  }

  #vantages(signal: "SIGSTOP" | "SIGCONT"): void {
    for (const process of this.house.processes.values()) if (process.kind === "vantage") process.child.kill(signal);
  }

  /** Puts the house right again; hub and host start anew where the incident would weigh on the next one (damping, cool-down). */
  async restore(next: boolean): Promise<boolean> {
    const fault = this.#broken;
    if (fault === null) return true;
    this.#broken = null;
    await fault.restore?.(this.bench);
    await this.bench.cleanUp();
    this.#doomed.clear();
    if (!next) return true;
    if (this.#extras.doctor) await this.bench.flushNeighbours();
    for (const heard of this.#heard.values()) heard.rounds = 0;
    let isGreen = this.#isQuiet ? await this.green(1) : await this.#startAnew();
    // What was left of the fault may have been healed in that time: a speaker that is still deaf for IPv6 on a link made anew.
    if (isGreen && !this.#isQuiet) isGreen = await this.#startAnew();
    this.say("the house is put right again");
    return isGreen;
  }

  async #startAnew(): Promise<boolean> {
    const { house } = this;
    const old = [...house.processes.values()].filter((process) => process.kind !== "vantage");
    for (const process of old) {
      this.#doomed.add(process);
      process.child.kill("SIGTERM");
    }
    await Promise.all(old.map((process) => process.ended));
    for (const directory of ["hub", ...Object.keys(house.plan.house.hosts).map((name) => `host-${name}`)]) {
      await forget(`${LAB}/${directory}`);
    }
    this.#hubState = "unknown";
    for (const { who, kind } of house.roles().filter((role) => role.kind !== "vantage")) {
      this.#ready.delete(`${kind}:${who}`);
      await house.start(who, kind);
    }
    await this.#until(
      () => house.roles().every(({ who, kind }) => this.#ready.has(`${kind}:${who}`)),
      READY_LIMIT_MS,
      "hub and host",
    );
    this.#isQuiet = true;
    for (const heard of this.#heard.values()) heard.rounds = 0;
    return this.graceOver();
  }

  #line(who: string, line: LogLine): void {
    if (line.event === "ready") this.#ready.add(`${String(line["name"])}:${who}`);
    if (this.#extras.record && line.event === "round") {
      const fields = { mono_ms: line.mono_ms, control: line["control"], checks: line["checks"] };
      this.#tell({ mono: line.mono_ms ?? 0, who, what: "heard_round", text: "", tone: "faint", fields });
    }
    if (line.event === "round") {
      const good = roundChecks(line).every((check) => check.ok);
      const heard = this.#heard.get(who) ?? { rounds: 0, good: false, goodSince: 0 };
      this.#heard.set(who, {
        rounds: heard.rounds + 1,
        good,
        goodSince: good ? (heard.good ? heard.goodSince : (line.mono_ms ?? 0)) : 0,
      });
    }
    if (line.event === "diagnosis") this.#hubState = String(line["state"]);
    if (line.event === "emitted" && /^(failing|heal_)/.test(String(line["kind"]))) this.#isQuiet = false;
    this.#story?.hear(who, line);
    const moment = this.#narrator.line(who, line);
    if (moment !== null && this.#isWorthTelling(moment)) this.#tell(moment);
  }

  /** Before the first fault only what is wrong is told: that a house comes up is no news. */
  #isWorthTelling(moment: Moment): boolean {
    return this.#story !== null || moment.tone === "told" || moment.what === "error";
  }

  #said(who: string, said: Said): void {
    if (said.what === "failed") this.#surprise = `the stand-in ${who} failed: ${String(said["detail"])}`;
    const moment = this.#narrator.said(said, monoMillis());
    if (moment !== null && (this.#story !== null || moment.what === "received" || moment.what === "error"))
      this.#tell(moment);
  }

  #ended(process: HairpinProcess, how: string): void {
    this.#ready.delete(`${process.kind}:${process.who}`);
    if (this.#doomed.delete(process)) return;
    const complaints = process.complaints();
    this.#surprise = `${process.kind} ${process.who} ended by itself (${how})${complaints === "" ? "" : `: ${complaints}`}`;
  }
}

/** Empties the data of a process; its compiled modules say nothing of the incident, and take seconds to make. */
async function forget(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  const names = (await readdir(directory)).filter((name) => name !== MODULES_FOLDER);
  await Promise.all(names.map((name) => rm(join(directory, name), { recursive: true, force: true })));
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function sleepUnless(ms: number, over: () => boolean): Promise<void> {
  const end = monoMillis() + ms;
  while (monoMillis() < end && !over()) await sleep(Math.min(LOOK_EVERY_MS, end - monoMillis()));
}
