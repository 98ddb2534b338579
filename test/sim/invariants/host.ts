import { DAY, HOUR } from "../../../src/core/units.ts";
import type { Asker } from "../../../src/host/journal.ts";
import { trueId } from "../mutants.ts";
import { BRIDGE, LINK, linkIsRight, linkOf } from "../truth.ts";
import type { Rule } from "../witness.ts";

/** The host's word for a moment is a whole millisecond. */
const ROUNDING = 2;

/** Intents that are durable and have no end, by id, with the life of the process in which they were made. */
function openIntents() {
  const open = new Map<string, { readonly by: Asker; readonly life: number; readonly step: string }>();
  let life = 0;
  return {
    open,
    life: () => life,
    follow(record: { readonly kind: string } & Record<string, unknown>): void {
      if (record.kind === "open") life++;
      if (record.kind === "intent")
        open.set(String(record["id"]), { by: record["by"] as Asker, life, step: String(record["step"]) });
      if (record.kind === "end") open.delete((record["report"] as { id: string }).id);
    },
  };
}

/** I1 Never more than B remedies start in any sliding hour (nor D a day), in true time, whoever asked and whatever crashed. */
export const budgetHolds: Rule = ({ agenda, setup }, broken) => {
  let starts: number[] = [];
  return (happening) => {
    if (happening.kind !== "journalled" || happening.record.kind !== "intent" || happening.record.by !== "hub") return;
    const now = agenda.now();
    starts = [...starts.filter((at) => now - at < DAY - ROUNDING), now];
    const hour = starts.filter((at) => now - at < HOUR - ROUNDING).length;
    if (hour > setup.budgetHour) broken(`${hour} remedies within an hour, the budget is ${setup.budgetHour}`);
    if (starts.length > setup.budgetDay)
      broken(`${starts.length} remedies within a day, the budget is ${setup.budgetDay}`);
  };
};

/** I2 At most one repair in flight per host. */
export const singleFlight: Rule = (_site, broken) => {
  const intents = openIntents();
  return (happening) => {
    if (happening.kind !== "journalled") return;
    intents.follow(happening.record);
    const flying = [...intents.open].filter(([, { by, life }]) => by !== "guard" && life === intents.life());
    if (flying.length > 1) broken(`in flight at once: ${flying.map(([id]) => id).join(", ")}`);
  };
};

/** I3 One heal id runs once and deletes the link at most once, however often it is sent or the host is killed. */
export const oneDeletionPerId: Rule = (_site, broken) => {
  const intents = openIntents();
  const runs = new Map<string, number>();
  const deletions = new Map<string, number>();
  const add = (table: Map<string, number>, id: string) => {
    const count = (table.get(id) ?? 0) + 1;
    table.set(id, count);
    return count;
  };
  return (happening) => {
    if (happening.kind === "journalled") {
      intents.follow(happening.record);
      const { record } = happening;
      if (record.kind === "intent" && add(runs, trueId(record.id)) > 1) broken(`${trueId(record.id)} was begun twice`);
    }
    if (happening.kind === "command" && happening.tool === "ip" && happening.args[1] === "delete") {
      const all = [...intents.open];
      const owner = all.find(([, { by }]) => by === "guard") ?? all[0];
      if (owner !== undefined && add(deletions, trueId(owner[0])) > 1)
        broken(`${owner[0]} deletes the link a second time`);
    }
  };
};

/** I4 An intent gets exactly one end after the next start. */
export const oneEndPerIntent: Rule = ({ journal }, broken) => {
  const intents = openIntents();
  const ends = new Map<string, number>();
  let wasWell = true;
  return (happening) => {
    if (happening.kind === "fault" && happening.fault.kind.kind === "journal-disk-full") wasWell = false;
    if (happening.kind === "journalled") {
      const { record } = happening;
      intents.follow(record);
      if (record.kind === "open") wasWell = journal.trouble === null;
      if (record.kind !== "end") return;
      const count = (ends.get(record.report.id) ?? 0) + 1;
      ends.set(record.report.id, count);
      if (count > 1) broken(`${record.report.id} has ${count} ends`);
    }
    if (happening.kind === "host_started" && wasWell && journal.trouble === null)
      for (const [id, { life }] of intents.open)
        if (life < intents.life()) broken(`${id} has no end after the next start`);
  };
};

/** I5 No command that changes the host starts before its intent is durable. */
export const intentBeforeCommand: Rule = (_site, broken) => {
  const intents = openIntents();
  return (happening) => {
    if (happening.kind === "journalled") intents.follow(happening.record);
    if (happening.kind === "command" && intents.open.size === 0)
      broken(`${happening.tool} ${happening.args.join(" ")} runs, and no intent without an end is on the disk`);
  };
};

/** I6 After any crash and one restart the link exists with its MAC, if it existed before and the parent exists. */
export const linkSurvivesCrash: Rule = ({ kernel, tools, active }, broken) => {
  let owed = false;
  let dies = false;
  const forgive = () => {
    owed = false;
  };
  return (happening) => {
    switch (happening.kind) {
      case "link_lost":
        owed = true;
        return;
      case "journalled":
        if (happening.record.kind === "end") owed = false;
        return;
      case "fault":
        forgive();
        return;
      case "host_died":
        dies = !happening.power;
        if (happening.power || linkOf(kernel.truth, LINK) !== null) forgive();
        return;
      case "host_started": {
        const others = [...active].some(({ kind }) => kind.group === "outside" && !kind.kind.endsWith("at-work"));
        const disturbed = tools.fails > 0 || tools.hangs || others;
        const parent = linkOf(kernel.truth, BRIDGE);
        if (owed && dies && !disturbed && parent !== null && !linkIsRight(kernel.truth))
          broken("the host was killed with its link deleted, and started again without it");
        owed = false;
        dies = false;
        return;
      }
      default:
    }
  };
};

const ALLOWED = [
  /^ip link add metallb0 link bridge0 address f2:5a:5f:84:40:e8 up type macvlan mode bridge$/,
  /^ip link delete dev if\d+$/,
  /^ip link set dev metallb0 up$/,
  /^ip address replace 192\.0\.2\.2\d\d\/32 dev metallb0$/,
  /^bridge fdb replace f2:5a:5f:84:40:e8 dev bridge0 self local$/,
  /^arping -q -U -c 1 -w 0\.01 -S 192\.0\.2\.5[03] -i metallb0 192\.0\.2\.5[03]$/,
  /^sysctl metallb0 (rp_filter 0|arp_ignore 1)$/,
  /^kubernetes (delete speaker-\d+|annotate)$/,
];
const BY_HAND = 4;

/** I10 No behaviour of a hub exceeds the host's budget or its list of commands. */
export const nothingElseRuns: Rule = ({ agenda }, broken) => {
  let byHand: number[] = [];
  return (happening) => {
    if (happening.kind === "command") {
      const command = `${happening.tool} ${happening.args.join(" ")}`;
      if (!ALLOWED.some((form) => form.test(command))) broken(`not on the list: ${command}`);
    }
    if (happening.kind === "journalled" && happening.record.kind === "intent" && happening.record.by === "person") {
      const now = agenda.now();
      byHand = [...byHand.filter((at) => now - at < HOUR - ROUNDING), now];
      if (byHand.length > BY_HAND) broken(`${byHand.length} repairs by hand within an hour`);
    }
  };
};

/** I14 Nothing runs after its time to live or with an old epoch. */
export const nothingStale: Rule = ({ agenda }, broken) => {
  const received = new Map<string, { at: number; ttl: number; epoch: number }[]>();
  const greatest = new Map<string, number>();
  return (happening) => {
    if (happening.kind === "received") {
      const { id, ttl_ms, epoch } = happening.request;
      received.set(id, [...(received.get(id) ?? []), { at: agenda.now(), ttl: ttl_ms, epoch }].slice(-64));
    }
    if (happening.kind !== "journalled" || happening.record.kind !== "intent" || happening.record.by === "guard")
      return;
    const id = trueId(happening.record.id);
    const copies = received.get(id) ?? [];
    const fresh = copies.filter(({ at, ttl }) => agenda.now() - at <= ttl);
    if (fresh.length === 0)
      broken(`${id} begins ${Math.round(agenda.now() - (copies.at(-1)?.at ?? 0))} ms after it was received`);
    const epoch = Math.max(-1, ...(fresh.length > 0 ? fresh : copies).map((copy) => copy.epoch));
    // Each hub has epochs of its own; who does not name itself is bound by all.
    const hub = happening.record.hub?.split(".")[0] ?? null;
    const before = hub === null ? Math.max(0, ...greatest.values()) : (greatest.get(hub) ?? 0);
    if (epoch < before) broken(`${id} of epoch ${epoch} begins after one of epoch ${before}`);
    greatest.set(hub ?? "", Math.max(greatest.get(hub ?? "") ?? 0, epoch));
  };
};

/** I30 Losing any one part of hairpin never makes a healthy address unreachable; and only recreate-link deletes a right link. */
export const neverWorse: Rule = ({ profile, active }, broken) => {
  const intents = openIntents();
  return (happening) => {
    if (happening.kind === "journalled") intents.follow(happening.record);
    if (happening.kind === "command" && happening.tool === "ip" && happening.args[1] === "delete" && happening.right) {
      const asked = [...intents.open.values()].some(({ step, by }) => step === "recreate-link" && by !== "guard");
      if (!asked) broken("a link that is right is deleted, and nobody asked for recreate-link");
    }
    if (happening.kind === "health" && !happening.healthy && profile.focus === "parts")
      broken(
        `the addresses stopped working with nothing wrong but ${[...active].map(({ kind }) => kind.kind).join(", ") || "nothing"}`,
      );
  };
};
