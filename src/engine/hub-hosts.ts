import type { House } from "../core/config/house.ts";
import type { HostFacts } from "../core/facts.ts";
import type { HubInstance, RepairReport, RepairRequest } from "../core/repair.ts";
import { type Millis, SECOND } from "../core/units.ts";
import type { Clock, HostLink, HostOrder, Log } from "./hub-ports.ts";

const WAIT: Millis = 5 * SECOND;
/** After a failed question; short, because a host that comes back is wanted for the next decision. */
const PAUSE: Millis = SECOND;
/** A host that has answered nothing for so long is unknown. */
const SILENT_AFTER: Millis = 10 * SECOND;
/** Between two answers, so that a host whose revision leaps cannot keep this process busy. */
const BREATH: Millis = 50;

export interface HostInputs {
  facts(host: string, facts: HostFacts | null): void;
  reported(group: string, report: RepairReport): void;
  unreachable(group: string, id: string, detail: string): void;
}

/** Asks every host for its facts, without end, and carries requests to them. */
export function createHosts(
  house: House,
  links: Readonly<Record<string, HostLink>>,
  hub: HubInstance,
  clock: Clock,
  log: Log,
  inputs: HostInputs,
) {
  const controller = new AbortController();
  const asking = new Set<string>();
  /** A pause, or its end, that a host has not taken yet. */
  const owed = new Map<string, { readonly order: HostOrder; readonly untilMono: Millis }>();
  const ordering = new Set<string>();
  const sleep = (millis: Millis) =>
    new Promise<void>((resolve) => {
      const done = () => {
        cancel();
        controller.signal.removeEventListener("abort", done);
        resolve();
      };
      const cancel = clock.after(millis, done);
      controller.signal.addEventListener("abort", done, { once: true });
    });

  async function follow(name: string, link: HostLink): Promise<void> {
    let revision = -1;
    let bootId = "";
    let heardAt = clock.mono();
    let reachable: boolean | null = null;
    while (!controller.signal.aborted) {
      const reply = await link.facts(revision, revision < 0 ? 0 : WAIT, controller.signal, hub);
      if (controller.signal.aborted) return;
      if (reply.kind === "answer") {
        if (reachable !== true) log("info", { host: name }, "the host answers");
        reachable = true;
        heardAt = clock.mono();
        // Revisions start again with a new host process; asking for one from its future would wait for nothing.
        revision = reply.value.boot_id === bootId || bootId === "" ? reply.value.revision : -1;
        bootId = reply.value.boot_id;
        inputs.facts(name, reply.value);
        void deliver(name);
        await sleep(BREATH);
        continue;
      }
      const detail = reply.kind === "unreachable" ? reply.detail : "it does not know GET /v1/facts";
      if (reachable !== false) log("warn", { host: name, detail }, "the host does not answer");
      reachable = false;
      revision = -1;
      if (clock.mono() - heardAt >= SILENT_AFTER) inputs.facts(name, null);
      await sleep(PAUSE);
    }
  }

  /** Hands a host what it is owed, one order at a time; what it does not take is tried again when it next answers. */
  async function deliver(name: string): Promise<void> {
    const due = owed.get(name);
    const link = links[name];
    if (due === undefined || link === undefined || ordering.has(name)) return;
    const left = due.untilMono - clock.mono();
    if (left <= 0) {
      owed.delete(name);
      return;
    }
    ordering.add(name);
    const order = due.order.kind === "pause" ? { ...due.order, forMillis: left } : due.order;
    const reply = (await link.order?.(order)) ?? { kind: "answer", value: null };
    ordering.delete(name);
    if (reply.kind === "answer" && owed.get(name) === due) owed.delete(name);
    const detail = reply.kind === "unreachable" ? reply.detail : null;
    log(detail === null ? "info" : "warn", { host: name, order: order.kind, detail }, "an order to the host");
    // A newer order came while this one was on its way.
    if (owed.has(name) && owed.get(name) !== due) await deliver(name);
  }

  const linkOf = (group: string): HostLink | null => {
    const host = house.groups.find((known) => known.name === group)?.host;
    return host ? (links[host.name] ?? null) : null;
  };

  async function question(
    group: string,
    id: string,
    ask: (link: HostLink) => ReturnType<HostLink["report"]>,
  ): Promise<void> {
    const link = linkOf(group);
    if (link === null) return inputs.unreachable(group, id, "no host is configured");
    const reply = await ask(link);
    if (controller.signal.aborted) return;
    if (reply.kind === "answer") inputs.reported(group, reply.value);
    else inputs.unreachable(group, id, reply.kind === "unreachable" ? reply.detail : "the host does not know this id");
  }

  return {
    start(): void {
      for (const [name, link] of Object.entries(links)) void follow(name, link);
    },
    stop: () => controller.abort(),
    /**
     * Tells every host. A pause and its end are tried again until they are taken or `forMillis` is over; a breaker is closed now or
     * not at all, since the host may open it again for a new reason before it next answers (I12).
     */
    order(order: HostOrder, forMillis: Millis): void {
      for (const [name, link] of Object.entries(links)) {
        if (order.kind === "reset_breaker")
          void link.order?.(order).then((reply) => {
            const detail = reply.kind === "unreachable" ? reply.detail : null;
            log(detail === null ? "info" : "warn", { host: name, order: order.kind, detail }, "an order to the host");
          });
        else {
          owed.set(name, { order, untilMono: clock.mono() + forMillis });
          void deliver(name);
        }
      }
    },
    async repair(group: string, request: RepairRequest): Promise<void> {
      asking.add(request.id);
      await question(group, request.id, (link) => link.repair({ ...request, hub })).finally(() =>
        asking.delete(request.id),
      );
    },
    /** One question at a time per id: a tick a second must not pile them up. */
    async askReport(group: string, id: string): Promise<void> {
      if (asking.has(id)) return;
      asking.add(id);
      await question(group, id, (link) => link.report(id)).finally(() => asking.delete(id));
    },
  };
}
