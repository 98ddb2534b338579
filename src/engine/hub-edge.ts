import { type HeartbeatAnswer, heartbeatAnswer } from "../core/edge/wire.ts";
import type { HealRecord } from "../core/heal-record.ts";
import type { HealAnswer, HealAsk } from "../core/hub-asks.ts";
import {
  emptyOutside,
  freshFor,
  outsideChecks,
  outsideFinding,
  recordOutside,
  standingsOutside,
} from "../core/outside.ts";
import { sign } from "../core/standard-webhooks.ts";
import type { EdgeStatus, Status } from "../core/status.ts";
import { MINUTE, type Millis, SECOND } from "../core/units.ts";
import { NOTHING_TOLD, type OutsideTold, outsideRecord, tellOutside } from "./hub-edge-finding.ts";
import { createOutsideHeals } from "./hub-edge-heals.ts";
import { heartbeatText } from "./hub-edge-mirror.ts";
import type { Ledger } from "./hub-ledger.ts";
import type { Loop } from "./hub-loop.ts";
import type { EdgePort, EdgeReply, HubPorts } from "./hub-ports.ts";

/** An edge that takes longer has not heard this one; the next tells as much. */
const DEADLINE: Millis = 10 * SECOND;
/** News does not wait for its turn: it goes out so long after the last heartbeat at the soonest. */
const NEWS_AFTER: Millis = 5 * SECOND;
/** Somebody stands outside and waits for what becomes of a repair. */
const RESULT_AFTER: Millis = SECOND;
const RETRY_AFTER_MAX: Millis = 5 * MINUTE;
/** A signature of ours is refused beyond this (Standard Webhooks' tolerance). */
const SKEW_MAX: Millis = 300 * SECOND;
const KEPT_AS = "outside";

interface Parts {
  readonly ledger: Ledger;
  readonly loop: Loop;
  readonly ask: (ask: HealAsk) => HealAnswer;
  readonly heal: (id: string) => HealRecord | null;
  readonly status: () => Status;
}

export type Edge = ReturnType<typeof createEdge>;

/**
 * The house's side of the edge verifier: one signed heartbeat after the other, on a loop of its own, so that an edge that is slow or
 * gone delays nothing (I24). Nothing that an answer says enters the assessment of an address: it is shown, told, and a request to
 * heal in it counts by a person's own signature alone.
 */
export function createEdge(ports: HubPorts, port: EdgePort, parts: Parts) {
  const { clock, log, house, store } = ports;
  const { every, silence } = port.settings;
  const checks = outsideChecks(port.settings.checks);
  const heals = createOutsideHeals({ ...ports, ...parts }, port);
  let bootId = ports.randomId(16);
  const controller = new AbortController();
  const counts = new Map<string, number>();
  let seq = 0;
  let startedAt = Number.NEGATIVE_INFINITY;
  let notBefore: Millis = 0;
  let view = emptyOutside(checks);
  let told = store.meta<OutsideTold>(KEPT_AS) ?? NOTHING_TOLD;
  let standing: Pick<EdgeStatus, "state" | "detail"> = { state: "waiting", detail: null };
  let acceptedAt: string | null = null;
  let skew: Millis | null = null;
  let sent = { news: "", results: "" };
  let wake = () => {};

  /** Sends one, and takes in what comes back. */
  async function beat(): Promise<void> {
    const began = clock.mono();
    startedAt = began;
    seq += 1;
    const results = heals.results();
    const news = newsOf();
    const text = heartbeatText({
      site: house.site,
      boot_id: bootId,
      seq,
      sent_at: new Date(clock.wall()).toISOString(),
      silence,
      every,
      status: parts.status(),
      checks,
      results,
    });
    const keys = port.keys();
    const reply: EdgeReply =
      keys.length === 0
        ? { kind: "failed", detail: `${port.settings.key_file} holds no usable key` }
        : await inTime(async (signal) =>
            port.send(
              await sign(keys, `${bootId}-${seq}`, Math.floor(clock.wall() / SECOND), text, port.hmac),
              text,
              signal,
            ),
          );
    if (controller.signal.aborted) return;
    const took = clock.mono() - began;
    const answer = judge(reply, took);
    if (answer !== null) {
      sent = { news, results: JSON.stringify(results) };
      view = recordOutside(view, checks, answer, parts.ledger.now().mono);
      await heals.takeAll(answer.heals);
    }
    parts.loop.quietly(tell);
  }

  async function inTime(run: (signal: AbortSignal) => Promise<EdgeReply>): Promise<EdgeReply> {
    const deadline = new AbortController();
    const stop = () => deadline.abort();
    const cancel = clock.after(DEADLINE, stop);
    controller.signal.addEventListener("abort", stop, { once: true });
    const late = new Promise<EdgeReply>((resolve) => {
      deadline.signal.addEventListener("abort", () => resolve({ kind: "failed", detail: "no answer in 10 s" }), {
        once: true,
      });
    });
    try {
      return await Promise.race([run(deadline.signal), late]);
    } finally {
      cancel();
      controller.signal.removeEventListener("abort", stop);
    }
  }

  /** What an answer is worth. Null: nothing of it is used. */
  function judge(reply: EdgeReply, took: Millis): HeartbeatAnswer | null {
    if (reply.kind === "failed") return stand("unreachable", reply.detail);
    const byHeader = Date.parse(reply.date ?? "");
    const middle = clock.wall() - took / 2;
    if (!Number.isNaN(byHeader)) skew = Math.round(byHeader - middle);
    if (reply.status === 429) notBefore = clock.mono() + Math.min(RETRY_AFTER_MAX, reply.retryAfter ?? 0);
    // Another start is taken for the later one there, such as a copy of this hub: a new name of our own puts an end to it.
    if (reply.status === 409) [bootId, seq] = [ports.randomId(16), 0];
    if (reply.status < 200 || reply.status > 299)
      return stand(reply.status >= 500 ? "unreachable" : "refused", refusal(reply.status));
    if (reply.body === null) return stand("invalid", "the edge answered more than it may");
    const parsed = heartbeatAnswer.safeParse(json(reply.body));
    if (!parsed.success) return stand("invalid", "what answers there is not an edge of hairpin");
    if (parsed.data.site !== house.site) return stand("invalid", `the answer is for another site`);
    skew = Math.round(Date.parse(parsed.data.now) - middle);
    acceptedAt = new Date(clock.wall()).toISOString();
    stand("ok", null);
    return parsed.data;
  }

  function refusal(status: number): string {
    if (status === 401) {
      const why = skew !== null && Math.abs(skew) > SKEW_MAX;
      return why
        ? `the edge refuses the signature, and its clock is ${Math.round(Math.abs(skew!) / SECOND)} s ${skew! > 0 ? "ahead of" : "behind"} this one`
        : "the edge refuses the signature: hairpin edge add-site gives it this house's key";
    }
    if (status === 404) return "nothing is known there of this site: hairpin edge add-site";
    if (status >= 300 && status < 400) return `the edge answered ${status}: a redirect is not followed`;
    return `the edge answered ${status}`;
  }

  function stand(state: EdgeStatus["state"], detail: string | null): null {
    const outcome = state === "ok" ? "accepted" : state;
    counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
    if (state !== standing.state || detail !== standing.detail) {
      const message = state === "ok" ? "the edge hears this house" : "the edge does not hear this house";
      log(state === "ok" ? "info" : "warn", { event: "edge", state, detail, skew_ms: skew }, message);
    }
    standing = { state, detail };
    return null;
  }

  const isFineInside = () => parts.loop.seats().every((seat) => seat.assessment.state === "ok");
  const seen = () => standingsOutside(view, parts.ledger.now().mono, freshFor(every));

  function tell(): void {
    const standings = seen();
    const finding = outsideFinding(standings, isFineInside());
    const next = tellOutside(told, finding, standings, parts.ledger.now());
    if (next.told === told) return;
    const { id, record } = outsideRecord(told, next, finding, store.incident, parts.ledger.now());
    const write = () => {
      store.setMeta(KEPT_AS, next.told);
      store.setIncident(id, parts.ledger.now().mono, record);
    };
    parts.loop.advance({ drafts: next.drafts }, { write });
    told = next.told;
  }

  /** What a heartbeat should not keep for itself until its turn. */
  const newsOf = () =>
    parts.loop
      .seats()
      .map(({ state, assessment }) => `${state.phase} ${assessment.state} ${assessment.cause}`)
      .join();

  function dueAt(): Millis {
    const isAwaited = JSON.stringify(heals.results()) !== sent.results && heals.results().length > 0;
    const soon = isAwaited ? RESULT_AFTER : newsOf() !== sent.news ? NEWS_AFTER : every;
    // An edge that does not answer is not pressed with news.
    return Math.max(notBefore, startedAt + (standing.state === "ok" ? Math.min(every, soon) : every));
  }

  async function run(): Promise<void> {
    while (!controller.signal.aborted) {
      await beat();
      for (let wait = dueAt() - clock.mono(); wait > 0 && !controller.signal.aborted; wait = dueAt() - clock.mono())
        await sleep(wait);
    }
  }

  function sleep(millis: Millis): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        cancel();
        wake = () => {};
        resolve();
      };
      const cancel = clock.after(millis, done);
      wake = done;
    });
  }

  function status(): EdgeStatus {
    const standings = seen();
    const finding = outsideFinding(standings, isFineInside());
    return {
      ...standing,
      accepted_at: acceptedAt,
      clock_skew_ms: skew,
      cause: finding?.cause ?? null,
      summary:
        finding?.summary ??
        summaryOf(
          standing,
          Object.values(standings).map((one) => one.state),
        ),
      evidence: finding?.evidence ?? [],
      advice: finding?.advice ?? null,
      checks: standings,
      heals: heals.results(),
    };
  }

  return {
    start: (): void => void run(),
    stop(): void {
      controller.abort();
      wake();
    },
    /** Called after every decision: looks whether there is news. */
    changed(): void {
      if (dueAt() <= clock.mono()) wake();
    },
    /** Whether this is the running finding from outside: its `failing` is repeated until somebody has confirmed it. */
    isOpen: (incident: string | null): boolean => incident !== null && told.incident === incident,
    status,
    counts: (): ReadonlyMap<string, number> => counts,
  };
}

function summaryOf(standing: Pick<EdgeStatus, "state" | "detail">, states: readonly string[]): string {
  if (standing.state === "waiting") return "The edge has not been asked yet.";
  if (standing.state !== "ok") return `The edge does not hear this house: ${standing.detail}.`;
  if (states.length === 0) return "The edge hears this house.";
  const good = states.filter((state) => state === "ok").length;
  return `The edge hears this house, and ${good} of ${states.length} checks from outside are good.`;
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
