import {
  HEAL_LIVES_MS,
  HEALS_WAITING_MAX,
  type HealEnvelope,
  type HealResult,
  outsideHeal,
} from "../core/edge/wire.ts";
import type { HealRecord } from "../core/heal-record.ts";
import type { HealAnswer, HealAsk } from "../core/hub-asks.ts";
import { verify } from "../core/standard-webhooks.ts";
import { plain } from "../core/text.ts";
import { MINUTE, type Millis, SECOND } from "../core/units.ts";
import type { Ledger } from "./hub-ledger.ts";
import type { Loop } from "./hub-loop.ts";
import type { Clock, EdgePort, Log } from "./hub-ports.ts";
import type { HubStore } from "./store.ts";

/** The key under which the last results are kept: a hub that starts anew still owes an answer to whoever waits outside. */
const KEPT_AS = "edge heals";
/** Longer than anybody waits before the page. */
const TOLD_FOR: Millis = 10 * MINUTE;
const DETAIL_MAX = 512;
const RUNNING = ["pending", "healing", "verifying"];

/** One request of late, with the repair that it started. */
interface Kept extends HealResult {
  readonly heal: string | null;
  readonly at: Millis;
}

interface Parts {
  readonly house: { readonly site: string };
  readonly clock: Clock;
  readonly store: HubStore;
  readonly ledger: Ledger;
  readonly loop: Loop;
  readonly log: Log;
  readonly ask: (ask: HealAsk) => HealAnswer;
  readonly heal: (id: string) => HealRecord | null;
}

/**
 * Requests to heal that came through the edge. It may drop, delay or repeat one, and no more: a request counts by the signature of a
 * person's own key, which the edge never holds, for this site, for 60 s and once. From there it goes the road of `POST /heal`.
 */
export function createOutsideHeals(parts: Parts, edge: Pick<EdgePort, "healKeys" | "hmac" | "digest">) {
  const { store, ledger, loop, clock, log } = parts;
  let kept: readonly Kept[] = store.meta<readonly Kept[]>(KEPT_AS) ?? [];

  function remember(result: HealResult, heal: string | null): void {
    const now = ledger.now().mono;
    const before = kept.filter((known) => known.id !== result.id && now - known.at < TOLD_FOR);
    kept = [...before, { ...result, heal, at: now }].slice(-HEALS_WAITING_MAX);
    loop.quietly(() => loop.durable(() => store.setMeta(KEPT_AS, kept)));
  }

  const refuse = (id: string, status: number, state: string, detail: string): void => {
    log("warn", { event: "edge_heal", id, state, detail }, "a request to heal from outside was refused");
    // A forgery under the id of a good one must not hide what becomes of that one.
    if (kept.some((one) => one.id === id && one.heal !== null)) return;
    remember({ id, status, state, detail }, null);
  };

  /** Whose signature it is; null: nobody's. */
  async function signer(envelope: HealEnvelope): Promise<{ name: string } | { reason: string }> {
    const headers = new Map([
      ["webhook-id", envelope.id],
      ["webhook-timestamp", envelope.timestamp],
      ["webhook-signature", envelope.signature],
    ]);
    const now = Math.floor(clock.wall() / SECOND);
    let reason = "edge.heal_keys is empty: nobody may ask from outside";
    for (const { name, secrets } of edge.healKeys()) {
      const verified = await verify(secrets, headers, envelope.body, now, edge.hmac);
      if (verified.ok) return { name };
      reason =
        verified.reason === "no signature matches" ? "no key of edge.heal_keys made this signature" : verified.reason;
    }
    return { reason };
  }

  async function take(envelope: HealEnvelope): Promise<void> {
    const { id, timestamp, body } = envelope;
    const by = await signer(envelope);
    if ("reason" in by) return refuse(id, 401, "unauthorized", by.reason);
    const key = `edge:${by.name}:${id}`;
    const digest = edge.digest(body);
    const known = store.ask(key);
    if (known !== null) {
      // The edge sends it again: what became of it stands, whatever has changed since.
      if (known.digest !== digest) return refuse(id, 409, "mismatch", "this id came with another body");
      if (!kept.some((one) => one.id === id)) answered(id, JSON.parse(known.answer) as HealAnswer);
      return;
    }
    const asked = outsideHeal.safeParse(json(body));
    if (!asked.success) return refuse(id, 422, "invalid", "the signed text is not a hairpin.heal_request.v1");
    const { aud, step, reason, override, force } = asked.data;
    if (aud !== parts.house.site)
      return refuse(id, 403, "other_site", `it was signed for ${aud}, and this is ${parts.house.site}`);
    const age = clock.wall() - Number(timestamp) * SECOND;
    if (age > HEAL_LIVES_MS)
      return refuse(
        id,
        410,
        "expired",
        `it is ${Math.round(age / SECOND)} s old by this hub's clock, and lives for 60 s`,
      );
    const outcome = parts.ask({
      step: step ?? null,
      reason: reason === undefined ? null : plain(reason, DETAIL_MAX),
      by: `${by.name} (from outside)`,
      dryRun: false,
      override: override ?? false,
      force: force ?? false,
      target: null,
      incident: null,
      key,
      digest,
    });
    // A refusal is an answer too: a request that was refused must not run later because the edge repeats it.
    if (outcome.kind === "answer" && outcome.answer.status >= 300)
      loop.quietly(() => loop.durable(() => store.setAsk(key, digest, JSON.stringify(outcome), ledger.now().mono)));
    answered(id, outcome);
  }

  function answered(id: string, outcome: HealAnswer): void {
    if (outcome.kind !== "answer") {
      const detail = outcome.kind === "unavailable" ? outcome.detail : "this id came with another body";
      refuse(id, outcome.kind === "unavailable" ? 503 : 409, outcome.kind, detail);
      return;
    }
    const { status, state, detail, id: heal } = outcome.answer;
    log("info", { event: "edge_heal", id, state, heal, detail }, "a request to heal came from outside");
    remember({ id, status, state, detail: plain(detail, DETAIL_MAX) }, status === 202 ? heal : null);
  }

  /** How it stands with one that was accepted: 202 while it runs, then 200 when it is proved and 502 when it did not help. */
  function now(one: Kept): HealResult {
    const { id, status, state, detail } = one;
    const record = one.heal === null ? null : parts.heal(one.heal);
    if (record === null) return { id, status, state, detail };
    const said = plain([record.step, record.detail].filter((part) => part !== null).join(": "), DETAIL_MAX);
    const ended = !RUNNING.includes(record.state);
    const isGood = record.state === "verified" || record.state === "done";
    return { id, status: ended ? (isGood ? 200 : 502) : 202, state: record.state, detail: said };
  }

  return {
    async takeAll(envelopes: readonly HealEnvelope[]): Promise<void> {
      for (const envelope of envelopes.slice(0, HEALS_WAITING_MAX)) await take(envelope);
    },
    results(): readonly HealResult[] {
      if (kept.length === 0) return [];
      const at = ledger.now().mono;
      return kept.filter((one) => at - one.at < TOLD_FOR).map(now);
    },
  };
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
