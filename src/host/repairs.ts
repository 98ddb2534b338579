import type { CommandReport, Refusal, RepairReport, RepairRequest } from "../core/repair.ts";
import type { Millis } from "../core/units.ts";
import { announce, type StepOutcome } from "./announce.ts";
import type { Cluster } from "./cluster.ts";
import { closedGate, type Refused } from "./gates.ts";
import { rounded } from "./guard.ts";
import type { Journal } from "./journal.ts";
import type { Keeper } from "./keeper.ts";
import type { Lease } from "./lease.ts";
import type { Ledger } from "./ledger.ts";
import { adviceToCreate, applySettings, createLink, deleteLink, ensureLink } from "./link.ts";
import type { Pause } from "./pause.ts";
import type { HostPorts, HostSetup } from "./port.ts";
import { restartSpeaker } from "./speaker.ts";

/** The answer to a request for a repair. */
export type Submitted =
  | { readonly kind: "accepted"; readonly report: RepairReport }
  | { readonly kind: "known"; readonly report: RepairReport }
  | { readonly kind: "refused"; readonly report: RepairReport; readonly refused: Refused };

export interface Repairs {
  readonly submit: (request: RepairRequest) => Promise<Submitted>;
  readonly find: (id: string) => RepairReport | null;
  readonly inFlight: () => string | null;
  /** Resolves when nothing runs. */
  readonly settled: () => Promise<void>;
}

export interface RepairsPorts {
  readonly ports: HostPorts;
  readonly setup: HostSetup;
  readonly journal: Journal;
  readonly ledger: Ledger;
  readonly lease: Lease;
  readonly keepers: readonly Keeper[];
  readonly cluster: Cluster | null;
  readonly pause: () => Pause | null;
  /** Something changed that the facts show. */
  readonly changed: () => void;
}

/** Refusals, and results that the disk did not take, are remembered: the same id is never run by a later, luckier repetition. */
const REMEMBERED_MAX = 256;
/** What is known of the cluster may be so old when the gates are asked. */
const CLUSTER_AGE: Millis = 2_000;

/** Runs the steps that a hub asks for: one at a time, each id once, the intent on the disk before the first command. */
export function createRepairs(wiring: RepairsPorts): Repairs {
  const { ports, setup, ledger, keepers, cluster } = wiring;
  const remembered = new Map<string, RepairReport>();
  let flight: { id: string; report: RepairReport; admission: Promise<Submitted>; done: Promise<void> } | null = null;

  const known = (id: string): RepairReport | null =>
    flight?.id === id ? flight.report : (ledger.report(id) ?? remembered.get(id) ?? null);

  const remember = (report: RepairReport) => {
    remembered.set(report.id, report);
    while (remembered.size > REMEMBERED_MAX) remembered.delete(remembered.keys().next().value!);
  };

  const refused = (request: RepairRequest, closed: Refused): Submitted => {
    const report = blank(request, "refused", closed.refusal, closed.detail);
    remember(report);
    ports.log(
      "warn",
      {
        event: "repair",
        id: request.id,
        step: request.step,
        state: "refused",
        ms: null,
        commands: [],
        refusal: closed.refusal,
        detail: closed.detail,
      },
      `${request.step} refused: ${closed.detail}`,
    );
    return { kind: "refused", report, refused: closed };
  };

  const admit = async (request: RepairRequest, keeper: Keeper, receivedMono: Millis): Promise<Submitted> => {
    const [sight] = await Promise.all([cluster?.refresh(CLUSTER_AGE) ?? null, keeper.locked(() => keeper.look())]);
    const closed = closedGate(request, {
      setup,
      journal: wiring.journal,
      ledger,
      lease: wiring.lease,
      pause: wiring.pause(),
      guarded: keeper.guarded,
      sight: keeper.sight(),
      judgement: keeper.judgement(),
      cluster: sight,
      age: ports.clock.mono() - receivedMono,
    });
    if (closed !== null) return refused(request, closed);
    const by = request.manual ? ("person" as const) : ("hub" as const);
    const { id, step, epoch, hub } = request;
    const sender = hub === undefined ? {} : { hub };
    if (!ledger.write({ kind: "intent", id, step, by, link: keeper.declared.name, epoch, ...sender })) {
      return refused(request, {
        refusal: "journal",
        detail: `the intent could not be journalled: ${wiring.journal.detail() ?? "?"}`,
        retryAfter: null,
      });
    }
    return {
      kind: "accepted",
      report: { ...blank(request, "accepted", null, null), started_at: new Date(ports.clock.wall()).toISOString() },
    };
  };

  const run = async (request: RepairRequest, keeper: Keeper, accepted: RepairReport): Promise<RepairReport> => {
    const started = ports.clock.mono();
    const outcome = await runStep(request, keeper, wiring);
    const ms = rounded(ports.clock.mono() - started);
    const state = outcome.ok ? ("done" as const) : ("failed" as const);
    return {
      ...accepted,
      state,
      detail: outcome.detail,
      ms,
      commands: outcome.commands.map(capped),
      advice: outcome.advice,
    };
  };

  const submit = (request: RepairRequest): Promise<Submitted> => {
    if (request.hub !== undefined) wiring.lease.heard(request.hub);
    if (flight?.id === request.id)
      return flight.admission.then((first) =>
        first.kind === "refused" ? first : { kind: "known", report: known(request.id) ?? first.report },
      );
    const before = known(request.id);
    if (before !== null) return Promise.resolve({ kind: "known", report: before });
    const keeper =
      request.link === undefined ? keepers[0] : keepers.find((candidate) => candidate.declared.name === request.link);
    if (keeper === undefined)
      return Promise.resolve(
        refused(request, {
          refusal: "not_configured",
          detail: "that link is not declared on this host",
          retryAfter: null,
        }),
      );
    if (flight !== null)
      return Promise.resolve(
        refused(request, { refusal: "in_flight", detail: `${flight.id} is running`, retryAfter: 5_000 }),
      );
    const mine = {
      id: request.id,
      report: blank(request, "accepted", null, null),
      admission: admit(request, keeper, ports.clock.mono()),
      done: Promise.resolve(),
    };
    flight = mine;
    mine.done = (async () => {
      try {
        const admitted = await mine.admission;
        if (admitted.kind !== "accepted") return;
        mine.report = { ...admitted.report, state: "running" };
        ports.log(
          "info",
          {
            event: "repair",
            id: request.id,
            step: request.step,
            state: "running",
            ms: null,
            commands: [],
            refusal: null,
          },
          `${request.step} begins`,
        );
        wiring.changed();
        const report = await run(request, keeper, admitted.report);
        mine.report = report;
        if (!ledger.write({ kind: "end", report })) remember(report);
        const { id, step, state, ms, commands, refusal, detail, advice } = report;
        ports.log(
          state === "done" ? "info" : "error",
          { event: "repair", id, step, state, ms, commands, refusal, detail, advice },
          `${step} ${state}`,
        );
      } finally {
        flight = null;
      }
      void cluster?.refresh(0).then(wiring.changed);
      wiring.changed();
    })();
    return mine.admission;
  };
  return { submit, find: known, inFlight: () => flight?.id ?? null, settled: async () => await flight?.done };
}

async function runStep(
  request: RepairRequest,
  keeper: Keeper,
  { ports, setup, cluster }: RepairsPorts,
): Promise<StepOutcome> {
  if (request.step === "recreate-link") {
    const made = await keeper.locked(async () => recreate(keeper));
    if (!made.ok || setup.speaker === null) return made;
    const restarted = await restartSpeaker(setup.speaker, ports);
    return {
      ...restarted,
      commands: [...made.commands, ...restarted.commands],
      detail: joined(made.detail, restarted.detail),
    };
  }
  // The other steps want the link to be there; making it so is the first step of the ladder and harmless.
  const ensured = await keeper.locked(async () => {
    const judgement = await keeper.look();
    const result = await ensureLink(keeper.declared, judgement, keeper.tools, true);
    await keeper.look();
    return result;
  });
  if (request.step === "ensure-link" || !ensured.ok) return ensured;
  const before = ensured.changed ? ensured.detail : null;
  const sight = (await cluster?.refresh(CLUSTER_AGE)) ?? null;
  const outcome =
    request.step === "announce"
      ? await announce(request.id, keeper.guarded, setup.speaker, sight, ports)
      : setup.speaker === null
        ? { ok: false, commands: [], detail: "no speaker is declared", advice: null }
        : await restartSpeaker(setup.speaker, ports);
  return { ...outcome, commands: [...ensured.commands, ...outcome.commands], detail: joined(before, outcome.detail) };
}

/** Deletes the link and makes it anew with the same MAC. The parent is looked at under the lock, before anything is deleted (fault 30). */
async function recreate(keeper: Keeper): Promise<StepOutcome> {
  const link = keeper.declared;
  const commands: CommandReport[] = [];
  await keeper.look();
  const sight = keeper.sight();
  const give = (ok: boolean, detail: string | null, advice: string | null): StepOutcome => ({
    ok,
    commands,
    detail,
    advice,
  });
  if (sight === null || sight.parent === null)
    return give(false, `${link.parent} does not exist: nothing was deleted`, null);
  const judgement = keeper.judgement();
  if (judgement.kind === "foreign" || judgement.kind === "drifted")
    return give(false, `${link.name} is not ours any more: nothing was deleted`, null);
  if (sight.row !== null) {
    const deleted = await deleteLink(sight.row.ifindex, keeper.tools);
    commands.push(deleted);
    if (deleted.exit !== 0 && !/Cannot find device/.test(deleted.output))
      return give(false, deleted.output.trim(), `ip link delete ${link.name}`);
  }
  const made = await createLink(link, keeper.tools);
  commands.push(...made.commands);
  const after = await keeper.look();
  if (made.ok || after.kind === "right") return give(true, made.detail, null);
  if (after.kind === "settings") {
    const settled = await applySettings(link, keeper.tools, []);
    commands.push(...settled.commands);
    return give(settled.ok, settled.detail, settled.advice);
  }
  return give(false, made.detail, made.advice ?? adviceToCreate(link));
}

function blank(
  request: RepairRequest,
  state: RepairReport["state"],
  refusal: Refusal | null,
  detail: string | null,
): RepairReport {
  return {
    id: request.id,
    step: request.step,
    state,
    refusal,
    detail,
    started_at: null,
    ms: null,
    commands: [],
    advice: null,
  };
}

function capped(command: CommandReport): CommandReport {
  return { ...command, ms: rounded(command.ms), output: command.output.slice(0, 4_096) };
}

function joined(...parts: readonly (string | null)[]): string | null {
  return parts.filter((part) => part !== null && part !== "").join("; ") || null;
}
