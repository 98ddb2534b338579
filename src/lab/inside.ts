import { createServer, Socket } from "node:net";
import { monoMillis } from "../runtime/node/clock.ts";
import { loadConfig } from "../runtime/node/config-file.ts";
import { Director } from "./director.ts";
import { calm, findFault, TOUR } from "./faults/catalogue.ts";
import type { Fault } from "./faults/fault.ts";
import { LabHouse } from "./house.ts";
import { planHouse, type Shape } from "./house-plan.ts";
import { missingVlans } from "./hypervisor.ts";
import { CONTROL_SOCKET, NO_RELAY, RELAY_PORT } from "./lab-config.ts";
import { must } from "./shell.ts";
import { type Timeline, timelineFor } from "./timeline.ts";

export interface InsideOptions {
  readonly config: string;
  readonly faults: readonly string[];
  readonly json: boolean;
  readonly keep: boolean;
  readonly brnf: number;
  /** Nothing is broken for so long, instead of any fault; null: faults. */
  readonly calmMs: number | null;
  readonly doctor: boolean;
  readonly record: boolean;
  /** Whether a stand-in answers where Home Assistant is; false: the machine is left to a real one. */
  readonly homeAssistant: boolean;
  /** What the link's parent is; undefined: what its name tells. */
  readonly shape: Shape | undefined;
}

/** The descriptor that only the outer process holds open: when it closes, whoever started the lab is gone. */
const LIFELINE = 3;

/**
 * The director's own process, the first of its PID namespace: when it ends, for whatever reason, the kernel ends everything in the
 * house, and the namespaces and the tmpfs go with the last process.
 */
export async function runInside(options: InsideOptions): Promise<number> {
  const lifeline = new Socket({ fd: LIFELINE });
  lifeline.on("error", () => process.exit(1));
  lifeline.on("close", () => process.exit(1));
  lifeline.resume();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => process.exit(130));
  const loaded = loadConfig(options.config, { missingFiles: "warning" }); // Before /run is hidden: the file may lie there.
  await must(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run"]);
  const start = monoMillis();
  const timeline = timelineFor(options.json, start);
  const director = new Director(timeline, start, { doctor: options.doctor, record: options.record });
  const missing = await missingVlans(planHouse(loaded.house, options.shape));
  if (missing !== null) {
    director.say(`this house cannot be built: ${missing}`, { tone: "held", what: "skipped" });
    return 3;
  }
  const house = await LabHouse.build(loaded, options.brnf, director.ears, options.shape);
  timeline.house(house.plan, options.brnf);
  await director.raise(house, options.homeAssistant);
  const names = options.faults.length > 0 ? options.faults : options.keep ? [] : TOUR;
  const faults = options.calmMs === null ? names.flatMap((name) => findFault(name) ?? []) : [calm(options.calmMs)];
  const code = await runFaults(director, timeline, faults, options.keep);
  if (!options.keep) return code;
  await serveControl(director, timeline);
  return new Promise(() => {}); // Until a signal, or the end of whoever started it.
}

/** Tells the faults one after the other; the exit code is 0 when each came out as faults.md says. */
export async function runFaults(
  director: Director,
  timeline: Timeline,
  faults: readonly Fault[],
  keep: boolean,
): Promise<number> {
  const rows: Awaited<ReturnType<Director["tellFault"]>>[] = [];
  let skipped = 0;
  let isSettled = false;
  for (const [index, fault] of faults.entries()) {
    const missing = fault.missing?.(director.bench) ?? null;
    if (missing !== null) {
      director.say(`${fault.name} cannot happen in this house: ${missing}`, {
        tone: "held",
        what: "skipped",
        fields: { fault: fault.name },
      });
      skipped += 1;
      continue;
    }
    // The guard needs no quorum and no grace; everything else starts with a house that has been seen to be well.
    if (fault.ending === "guard" && index === 0) await director.green(1);
    else if (!isSettled) await director.graceOver();
    isSettled = true;
    rows.push(await director.tellFault(fault, faults.length === 1 ? "" : `${index + 1} of ${faults.length} ·`));
    const isLast = index === faults.length - 1;
    await director.restore(!isLast || keep);
  }
  if (rows.length > 1) timeline.table(rows);
  if (rows.some((row) => row.complaints.length > 0)) return 1;
  return skipped > 0 && rows.length === 0 ? 3 : 0;
}

/** One JSON object a line in, one out: what `hairpin lab break`, `restore` and `enter` ask for. */
async function serveControl(director: Director, timeline: Timeline): Promise<void> {
  let queue: Promise<unknown> = Promise.resolve();
  let isSettled = false;
  const obey = async (line: string): Promise<Record<string, unknown>> => {
    const { act, fault: name } = JSON.parse(line) as { act: string; fault?: string };
    if (act === "vantages") {
      const { plan } = director.house;
      const spaces = Object.fromEntries(
        plan.house.vantages.map((vantage) => [vantage.name, director.house.namespaceOf(vantage)]),
      );
      return {
        ok: true,
        spaces: {
          ...Object.fromEntries(plan.machines.map((machine) => [machine.ns, machine.ns])),
          ...spaces,
          [plan.node.ns]: plan.node.ns,
          switch: plan.ns.switch,
          pods: plan.ns.pods,
        },
      };
    }
    if (act === "restore") return { ok: await director.restore(true) };
    const fault = findFault(name ?? "");
    // Breaks, or puts right, and tells nothing: for those who follow the story themselves.
    if (fault !== undefined && (act === "inject" || act === "mend")) {
      const { bench } = director;
      if (act === "inject") await fault.inject(bench);
      else {
        await fault.later?.(bench, async () => {});
        await fault.restore?.(bench);
      }
      return { ok: true };
    }
    if (act !== "break" || fault === undefined) return { ok: false, detail: `there is no fault ${name}` };
    const missing = fault.missing?.(director.bench) ?? null;
    if (missing !== null) return { ok: false, detail: `${fault.name} cannot happen in this house: ${missing}` };
    if (!isSettled && fault.ending !== "guard") await director.graceOver();
    isSettled = true;
    const { result, complaints } = await director.tellFault(fault, "");
    return { ok: complaints.length === 0, result };
  };
  const server = createServer((socket) => {
    let text = "";
    socket.on("error", () => socket.destroy());
    socket.on("data", (chunk) => {
      text += chunk;
      const end = text.indexOf("\n");
      if (end < 0) return;
      const line = text.slice(0, end);
      queue = queue
        .then(() => obey(line))
        .then(
          (answer) => socket.end(`${JSON.stringify(answer)}\n`),
          (error: unknown) => socket.end(`${JSON.stringify({ ok: false, detail: String(error) })}\n`),
        );
    });
  });
  await new Promise<void>((resolve) => server.listen(CONTROL_SOCKET, resolve));
  const isHidden = process.env[NO_RELAY] !== undefined;
  const shown = isHidden
    ? `its hub is NOT shown outside, since 127.0.0.1:${RELAY_PORT} is taken`
    : `http://127.0.0.1:${RELAY_PORT}/ is its hub`;
  timeline.note(
    `The house goes on: ${shown}. hairpin lab break NAME · lab restore · lab enter VANTAGE; Ctrl-C ends it.`,
  );
}
