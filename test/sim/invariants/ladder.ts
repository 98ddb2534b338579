import type { Phase } from "../../../src/core/group.ts";
import { STEPS, type Step } from "../../../src/core/repair.ts";
import { MINUTE } from "../../../src/core/units.ts";
import { isHealthy } from "../truth.ts";
import type { Rule } from "../witness.ts";

/** I12 An open breaker closes only by an authenticated reset. */
export const breakerStaysOpen: Rule = (_site, broken) => {
  let hub = 0;
  let host = 0;
  let hostOpen = false;
  return (happening) => {
    if (happening.kind === "reset") {
      if (happening.side === "hub") hub++;
      else host++;
    }
    if (happening.kind === "group" && happening.before?.breaker.open && !happening.after.breaker.open && hub === 0)
      broken(`the breaker of ${happening.hub} closed by itself`);
    if (happening.kind === "group" && happening.after.breaker.open) hub = 0;
    if (happening.kind !== "journalled" || happening.record.kind !== "breaker") return;
    if (hostOpen && !happening.record.open && host === 0) broken("the host's breaker closed by itself");
    hostOpen = happening.record.open;
    if (hostOpen) host = 0;
  };
};

const AUTOMATIC = new RegExp(`^(.+-inc-\\d+-\\d+)-(${STEPS.join("|")})(-\\d+)?$`);

/** I13 Each step at most once per incident, in order. */
export const ladderInOrder: Rule = (_site, broken) => {
  const from = new Map<string, string>();
  const reached = new Map<string, number>();
  return (happening) => {
    if (happening.kind === "received" && !from.has(happening.request.id))
      from.set(happening.request.id, happening.from);
    if (happening.kind !== "journalled" || happening.record.kind !== "intent" || happening.record.by !== "hub") return;
    const match = AUTOMATIC.exec(happening.record.id.replace(/__m\d+$/, ""));
    if (match === null) return;
    const incident = `${from.get(match[0])} ${match[1]}`;
    const rung = STEPS.indexOf(match[2] as Step);
    const before = reached.get(incident) ?? -1;
    if (rung <= before) broken(`${match[2]} after ${STEPS[before]} in ${match[1]}`);
    reached.set(incident, Math.max(before, rung));
  };
};

const LASTING: readonly Phase[] = ["ok", "held", "exhausted"];
const SILENCE_MAX = 15 * MINUTE;
/** Timers are late by at most this in the slow stretches. */
const LATE = 2 * MINUTE;

/** I21 No state but ok, held, exhausted, maintenance lasts 15 min without an event. */
export const noSilentState: Rule = ({ agenda, hubs }, broken) => {
  const since = new Map<string, { phase: Phase; at: number }>();
  const look = (hub: string) => {
    const known = since.get(hub);
    const there = hubs.find(({ name }) => name === hub);
    if (known === undefined || LASTING.includes(known.phase) || there?.current() == null || there.disk.full) return;
    const lasts = agenda.now() - known.at;
    if (lasts > SILENCE_MAX + LATE)
      broken(`${hub} has been ${known.phase} for ${Math.round(lasts / MINUTE)} min without a word`);
  };
  return (happening) => {
    if (happening.kind === "end") for (const hub of since.keys()) look(hub);
    if (happening.kind === "hub_started") {
      const known = since.get(happening.hub);
      if (known !== undefined) known.at = agenda.now();
    }
    if (happening.kind === "event" && happening.event.group !== "site") {
      look(happening.hub);
      const known = since.get(happening.hub);
      if (known !== undefined) known.at = agenda.now();
    }
    if (happening.kind === "group") {
      look(happening.hub);
      const known = since.get(happening.hub);
      if (known?.phase !== happening.after.phase)
        since.set(happening.hub, { phase: happening.after.phase, at: agenda.now() });
    }
    if (happening.kind === "fault" && happening.fault.kind.kind === "hub-disk-full")
      for (const known of since.values()) known.at = agenda.now();
  };
};

const CALM = 40 * MINUTE;

/** I22 With nothing failing, nothing happens, for ever: no repairs, no events but heartbeats. */
export const calmStaysCalm: Rule = (site, broken) => {
  let since = 0;
  const isCalm = () =>
    site.active.size === 0 &&
    isHealthy(site.kernel.truth) &&
    site.host.current() !== null &&
    site.hubs.every((hub) => hub.current() !== null && hub.phase() === "ok");
  return (happening) => {
    const now = site.agenda.now();
    const isNews =
      happening.kind === "event" ||
      happening.kind === "requested" ||
      (happening.kind === "journalled" && happening.record.kind === "intent");
    if (isNews && now - since > CALM && now > CALM) {
      const what = happening.kind === "event" ? `event ${happening.event.data.event}` : happening.kind;
      broken(`${what} after ${Math.round((now - since) / MINUTE)} min in which nothing was wrong`);
    }
    if (happening.kind === "fault" || happening.kind === "health" || happening.kind === "group" || !isCalm())
      since = now;
  };
};

const FIRST_REMEDY = 5 * MINUTE;
const PERSON = 90 * MINUTE;

/** I23 A persistent healable fault gets its first remedy within 5 min and a person within 90 min. */
export const notSafeByIdleness: Rule = ({ agenda, profile, kernel, witness }, broken) => {
  let began: number | null = null;
  let remedyAt: number | null = null;
  let personAt: number | null = null;
  let healedAt: number | null = null;
  const judge = () => {
    if (began === null) return;
    const lasted = (healedAt ?? agenda.now()) - began;
    witness.count("persistent faults judged");
    const remedy = remedyAt === null ? null : remedyAt - began;
    if (lasted > FIRST_REMEDY && (remedy === null || remedy > FIRST_REMEDY))
      broken(`the first remedy came after ${remedy === null ? "never" : `${Math.round(remedy / 1_000)} s`}`);
    const person = personAt === null ? null : personAt - began;
    if (lasted > PERSON && (person === null || person > PERSON)) broken("no person was asked within 90 min");
    began = null;
  };
  return (happening) => {
    if (profile.focus !== "persistent") return;
    if (happening.kind === "fault" && happening.fault.kind.group === "outside") {
      if (happening.begins) {
        [began, remedyAt, personAt, healedAt] = [agenda.now(), null, null, null];
        witness.count("persistent faults");
      } else judge();
    }
    if (happening.kind === "end") judge();
    if (began === null) return;
    if (happening.kind === "health" && happening.healthy && isHealthy(kernel.truth)) healedAt ??= agenda.now();
    if (happening.kind === "health" && !happening.healthy) healedAt = null;
    if (happening.kind === "journalled" && happening.record.kind === "intent" && happening.record.by === "hub")
      remedyAt ??= agenda.now();
    if (happening.kind === "event" && happening.event.data.event === "asked_for_help") personAt ??= agenda.now();
  };
};
