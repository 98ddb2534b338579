import type { Delivery } from "../../../src/core/delivery.ts";
import { type HairpinEvent, HOME_ASSISTANT_EVENTS } from "../../../src/core/event.ts";
import { SECOND } from "../../../src/core/units.ts";
import type { Site } from "../site.ts";
import type { Rule } from "../witness.ts";

/** Only the first hub is followed: a second one from a snapshot numbers its events alike. */
const FIRST = "hub";

const wants = (site: Site, subscriber: string, event: HairpinEvent): boolean => {
  const receiver = site.receivers.find(({ name }) => name === subscriber)!;
  return !receiver.confirms || HOME_ASSISTANT_EVENTS.includes(event.data.event);
};

/** I15 A durable event reaches each subscriber at least once or is visibly dead-lettered, across a crash at any point. */
export const everyEventArrives: Rule = (site, broken) => {
  const events: HairpinEvent[] = [];
  const rows = new Map<string, Delivery>();
  const got = new Set<string>();
  return (happening) => {
    if (happening.kind === "event" && happening.hub === FIRST) events.push(happening.event);
    if (happening.kind === "row" && happening.hub === FIRST)
      rows.set(`${happening.row.subscriber} ${happening.row.event_id}`, happening.row);
    if (happening.kind === "delivered" && happening.hub === FIRST)
      got.add(`${happening.subscriber} ${happening.event.id}`);
    if (happening.kind !== "end") return;
    for (const event of events)
      for (const { name, confirms } of site.receivers) {
        if (!wants(site, name, event)) continue;
        const key = `${name} ${event.id}`;
        const row = rows.get(key);
        const settled =
          row?.state === "dead" || (row?.state === "superseded" && confirms && event.data.event === "failing");
        if (row === undefined) broken(`${event.id} was never queued for ${name}`);
        else if (row.state === "queued")
          broken(`${event.id} is still queued for ${name}: ${row.tries} tries, ${row.last_error}`);
        else if (!settled && !got.has(key)) broken(`${event.id} is ${row.state} at ${name}, which never got it`);
      }
  };
};

/** I16 A receiver that drops known `webhook-id`s sees each event once; retries keep id and body. */
export const retriesAreTheSame: Rule = (_site, broken) => {
  const bodies = new Map<string, string>();
  const ids = new Map<string, string>();
  return (happening) => {
    if (happening.kind !== "delivered" || happening.hub !== FIRST) return;
    const key = `${happening.subscriber} ${happening.id}`;
    const body = JSON.stringify(happening.event);
    if ((bodies.get(key) ?? body) !== body) broken(`${happening.id} came with another body`);
    bodies.set(key, body);
    const event = `${happening.subscriber} ${happening.event.id}`;
    if ((ids.get(event) ?? happening.id) !== happening.id) broken(`${happening.event.id} came under two ids`);
    ids.set(event, happening.id);
  };
};

/** I17 Nothing acknowledged is lost. */
export const acknowledgedIsKept: Rule = (site, broken) => {
  const acknowledged = new Map<string, { boot: string; seq: number }>();
  const confirmed = new Set<string>();
  const heals = new Set<string>();
  const look = () => {
    const hub = site.hubs.find(({ name }) => name === FIRST);
    if (hub === undefined) return;
    const marks = hub.disk.rows("SELECT vantage, boot_id, seq, superseded FROM marks");
    for (const [vantage, { boot, seq }] of acknowledged) {
      const mark = marks.find((row) => row["vantage"] === vantage);
      const later = mark !== undefined && mark["boot_id"] !== boot && String(mark["superseded"]).includes(boot);
      if (!later && !(mark?.["boot_id"] === boot && Number(mark["seq"]) >= seq))
        broken(`report ${boot}_${seq} of ${vantage} was acknowledged and is not known`);
    }
    const known = new Set(hub.disk.rows("SELECT id FROM heals").map((row) => row["id"]));
    for (const id of [...heals].slice(-100)) if (!known.has(id)) broken(`heal ${id} was accepted and is not known`);
  };
  return (happening) => {
    if (happening.kind === "observed" && happening.hub === FIRST && happening.answer === "accepted") {
      const { vantage, boot_id, seq } = happening.observation;
      acknowledged.set(vantage, { boot: boot_id, seq });
    }
    if (happening.kind === "asked") heals.add(happening.id);
    if (happening.kind === "acknowledged") confirmed.add(happening.id);
    if (happening.kind === "end" || (happening.kind === "hub_started" && happening.hub === FIRST)) look();
  };
};

/** I18 An accepted (key, seq) is never accepted with another body. */
export const oneBodyPerNumber: Rule = (_site, broken) => {
  const digests = new Map<string, string>();
  return (happening) => {
    if (happening.kind !== "observed" || happening.answer === "conflict" || happening.answer === "unavailable") return;
    const { vantage, boot_id, seq } = happening.observation;
    const key = `${happening.hub} ${vantage} ${boot_id} ${seq}`;
    const before = digests.get(key);
    if (before !== undefined && (before !== happening.digest || happening.answer === "accepted"))
      broken(`${key} was ${happening.answer} again${before === happening.digest ? "" : " with another body"}`);
    digests.set(key, happening.digest);
  };
};

/** I19 Per subscriber and group, events come in the order of the states. */
export const eventsInOrder: Rule = (_site, broken) => {
  const last = new Map<string, number>();
  const seen = new Set<string>();
  const dead = new Set<string>();
  return (happening) => {
    if (happening.kind === "row" && happening.row.state === "dead") dead.add(`${happening.hub} ${happening.row.id}`);
    if (happening.kind !== "delivered") return;
    const { hub, subscriber, event, id } = happening;
    if (seen.has(`${hub} ${id}`)) return;
    seen.add(`${hub} ${id}`);
    // A person may replay a dead letter at any time.
    if (dead.has(`${hub} ${id}`)) return;
    const key = `${hub} ${subscriber} ${event.group}`;
    const before = last.get(key) ?? 0;
    if (event.seq < before) broken(`${subscriber} gets event ${event.seq} after ${before}`);
    last.set(key, event.seq);
  };
};

/** I20 A 200 from Home Assistant alone never means confirmed. */
export const onlyWordsConfirm: Rule = (_site, broken) => {
  const acknowledged = new Set<string>();
  return (happening) => {
    if (happening.kind === "acknowledged") acknowledged.add(happening.id);
    if (happening.kind === "row" && happening.row.state === "confirmed" && !acknowledged.has(happening.row.id))
      broken(`${happening.row.id} is confirmed, and nobody said so`);
  };
};

/** I24 A failing subscriber delays votes, repairs and other subscribers by at most 1 s. */
export const slowDelayNobody: Rule = ({ agenda, receivers }, broken) => {
  const events = new Map<string, number>();
  const steady = receivers.find(({ name }) => name === "steady")!;
  return (happening) => {
    // A hub that is down, or whose disk is full, delivers nothing: then it is not the other subscriber that delays.
    if (happening.kind === "hub_died" || happening.kind === "hub_started") events.clear();
    if (happening.kind === "fault" && happening.fault.kind.kind === "hub-disk-full") events.clear();
    if (happening.kind === "event" && happening.hub === FIRST) events.set(happening.event.id, agenda.now());
    if (happening.kind !== "delivered" || happening.subscriber !== steady.name || happening.hub !== FIRST) return;
    const at = events.get(happening.event.id);
    events.delete(happening.event.id);
    if (at !== undefined && agenda.now() - at > SECOND)
      broken(`steady got ${happening.event.id} after ${Math.round(agenda.now() - at)} ms`);
  };
};

const TIMERS_MAX = 64;
const QUEUED_MAX = 1_000;
const JOURNAL_MAX = 1_500_000;
/** A vantage's second for ten minutes, for each vantage and hub, and as much again of lies. */
const RECEIPTS_MAX = 20_000;

/** I25 Memory, disk and timers are bounded at any input rate. Sockets are the business of real processes. */
export const allIsBounded: Rule = (site, broken) => {
  let checks = 0;
  const look = () => {
    const parts = [site.host.life(), ...site.hubs.map((hub) => hub.life())];
    for (const life of parts)
      if (life !== null && life.timers > TIMERS_MAX) broken(`${life.name} has ${life.timers} timers`);
    if (site.journal.bytes().length > JOURNAL_MAX) broken(`the journal has ${site.journal.bytes().length} bytes`);
    for (const hub of site.hubs) {
      const count = (sql: string) => Number(hub.disk.rows(sql)[0]?.["n"]);
      const queued = count(
        "SELECT max(n) AS n FROM (SELECT count(*) AS n FROM outbox WHERE state = 'queued' GROUP BY subscriber)",
      );
      if (queued > QUEUED_MAX) broken(`${hub.name} has ${queued} events queued for one subscriber`);
      if (count("SELECT count(*) AS n FROM receipts") > RECEIPTS_MAX) broken(`${hub.name} keeps too many receipts`);
    }
  };
  return (happening) => {
    if (happening.kind === "end" || (happening.kind === "fault" && checks++ % 4 === 0)) look();
  };
};
