import type { Attempt, Delivery, SubscriberState } from "../core/delivery.ts";
import { DAY, HOUR, MINUTE, type Millis, SECOND } from "../core/units.ts";

/** Pauses before each try; hourly after the last (safety.md, "Webhooks"). */
export const PAUSES: readonly Millis[] = [0, 5 * SECOND, 30 * SECOND, 2 * MINUTE, 10 * MINUTE, 30 * MINUTE];
/** Tries end so long after an event was queued; then it is a visible dead letter. */
export const GIVE_UP: Millis = DAY;
/** Each pause is spread by so much, so that many houses do not come back to one receiver in step. */
export const SPREAD = 0.2;
export const RETRY_AFTER_MAX: Millis = HOUR;
/** A 404 may be a receiver that is just starting; three in a row are not. */
const NOT_FOUND_MAX = 3;

/** A 200 of Home Assistant proves nothing: `failing` is sent again this often until it is confirmed, at most so many times. */
export const REPEAT_EVERY: Millis = MINUTE;
export const REPEATS_MAX = 60;

/**
 * A receiver that has always confirmed and now answers 200 without confirming has lost the report: Home Assistant does so while it
 * starts (92 reports in about 2 s, measured in facts/home-assistant). It is sent again after these waits; what follows in its group
 * waits for it, so that the order stays (I19). When the last wait is over, it is shown as unconfirmed.
 */
export const CONFIRM_IN: readonly Millis[] = [10 * SECOND, 20 * SECOND, 30 * SECOND];
/** A confirmation is under way for so long: a birth message within it does not repeat what was just accepted. */
const JUST_ACCEPTED: Millis = 2 * SECOND;

/** The pause after so many tries; `chance` is within 0..1. Null when the event is too old to be tried again. */
export function pauseAfter(tries: number, age: Millis, retryAfter: Millis | null, chance: number): Millis | null {
  const base = PAUSES[tries] ?? HOUR;
  const spread = base * (1 - SPREAD + 2 * SPREAD * chance);
  const pause = Math.max(spread, Math.min(RETRY_AFTER_MAX, retryAfter ?? 0));
  return age + pause > GIVE_UP ? null : pause;
}

/** How a subscriber wants to be treated. */
export interface Manner {
  /** 2xx is `accepted` only; the blueprint's acknowledgement confirms it. */
  readonly confirms: boolean;
  /** It has confirmed what it got so far (SubscriberState). */
  readonly proven?: boolean;
}

/** Proof is due: nothing later of its group has gone out, so to send it again leaves the order as it is. */
function awaitsProof(delivery: Delivery): boolean {
  return delivery.state === "accepted" && delivery.awaits_proof === true;
}

/** How long proof may take after this many repeats. */
function proofIn({ awaits_proof, repeats }: Delivery): Millis {
  return (awaits_proof === true ? CONFIRM_IN[repeats] : undefined) ?? REPEAT_EVERY;
}

export interface Settled {
  readonly delivery: Delivery;
  readonly subscriber: SubscriberState;
  /** Whether the subscriber has just been disabled, which is told. */
  readonly disabledNow: boolean;
}

/** What one try means for its delivery and its subscriber. Only 2xx is success; a 3xx is not followed. */
export function settle(
  delivery: Delivery,
  subscriber: SubscriberState,
  attempt: Attempt,
  manner: Manner,
  now: Millis,
  at: string,
  chance: number,
): Settled {
  const tries = delivery.tries + 1;
  const status = attempt.kind === "answered" ? attempt.status : null;
  if (status !== null && status >= 200 && status < 300) {
    // A test asks about now, and is never repeated. What was already shown as unconfirmed holds nothing any more.
    const awaits_proof = manner.proven === true && delivery.kind !== "test" && delivery.state !== "unconfirmed";
    const known = { ...delivery, tries, awaits_proof, last_status: status, last_error: null };
    const done: Delivery = manner.confirms
      ? {
          ...known,
          state: delivery.state === "unconfirmed" ? "unconfirmed" : "accepted",
          due_mono: now + proofIn(known),
          done_at: delivery.done_at ?? at,
        }
      : { ...known, state: "delivered", done_at: at };
    return { delivery: done, subscriber: { ...subscriber, not_found: 0 }, disabledNow: false };
  }
  const error = attempt.kind === "failed" ? attempt.detail || "no answer" : `the receiver answered ${status}`;
  const notFound = status === 404 ? subscriber.not_found + 1 : status === null ? subscriber.not_found : 0;
  const why =
    status === 410
      ? "the receiver answered 410 Gone"
      : notFound >= NOT_FOUND_MAX
        ? "the receiver answered 404 three times"
        : null;
  const failed: Delivery = { ...delivery, tries, last_status: status, last_error: error.slice(0, 200) };
  if (why !== null) {
    const disabled = subscriber.disabled ?? why;
    return {
      delivery: { ...failed, state: "dead", done_at: at },
      subscriber: { ...subscriber, not_found: notFound, disabled },
      disabledNow: subscriber.disabled === null,
    };
  }
  const next: SubscriberState = { ...subscriber, not_found: notFound };
  if (delivery.state !== "queued") {
    // A repeat that failed: the first one was accepted, so the event is not lost, only still unconfirmed.
    return { delivery: { ...failed, due_mono: now + REPEAT_EVERY }, subscriber: next, disabledNow: false };
  }
  const retryAfter = attempt.kind === "answered" ? attempt.retryAfter : null;
  const pause = pauseAfter(tries, now - delivery.queued_mono, retryAfter, chance);
  const after: Delivery =
    pause === null ? { ...failed, state: "dead", done_at: at } : { ...failed, due_mono: now + pause };
  return { delivery: after, subscriber: next, disabledNow: false };
}

/**
 * The delivery to try now, or how long to wait. Within a group only the oldest queued one may go: events come in the order of
 * the states (I19), and one whose proof is due holds what follows. Across groups the one that is due first goes.
 */
export function nextDue(
  rows: readonly Delivery[],
  now: Millis,
): { readonly delivery: Delivery | null; readonly wait: Millis | null } {
  const heads = new Map<string, Delivery>();
  for (const row of rows) {
    if (row.state !== "queued" && !awaitsProof(row)) continue;
    const head = heads.get(row.group);
    if (head === undefined || row.event_seq < head.event_seq) heads.set(row.group, row);
  }
  // A repeat waits behind what is queued for its group: it is older news.
  const repeats = rows.filter((row) => row.state !== "queued" && !heads.has(row.group));
  let first: Delivery | null = null;
  for (const row of [...heads.values(), ...repeats]) if (first === null || row.due_mono < first.due_mono) first = row;
  if (first === null) return { delivery: null, wait: null };
  return first.due_mono <= now ? { delivery: first, wait: 0 } : { delivery: null, wait: first.due_mono - now };
}

/**
 * What is to be done with a delivery that is due, before it is sent. A `failing` whose incident is over is not sent: a late one
 * would reopen an alert that nothing closes. An accepted one that nobody confirmed is shown as unconfirmed, and repeated while it
 * still fails.
 */
export function beforeTry(
  delivery: Delivery,
  manner: Manner,
  incidentIsOpen: boolean,
  now: Millis,
  at: string,
): { readonly send: boolean; readonly delivery: Delivery } {
  // Only a receiver that keeps one alert per target is misled by a late one; the others get every event (I15).
  const isFailing = delivery.kind === "failing" && manner.confirms;
  if (delivery.state === "queued") {
    if (isFailing && !incidentIsOpen)
      return { send: false, delivery: { ...delivery, state: "superseded", done_at: at } };
    return { send: true, delivery };
  }
  if (awaitsProof(delivery) && delivery.repeats < CONFIRM_IN.length - 1 && (!isFailing || incidentIsOpen)) {
    const repeats = delivery.repeats + 1;
    const again = { ...delivery, repeats };
    return { send: true, delivery: { ...again, due_mono: now + proofIn(again) } };
  }
  const unconfirmed: Delivery = { ...delivery, state: "unconfirmed" };
  if (!isFailing || !incidentIsOpen || delivery.repeats >= REPEATS_MAX)
    return { send: false, delivery: { ...unconfirmed, due_mono: Number.MAX_SAFE_INTEGER } };
  return { send: true, delivery: { ...unconfirmed, repeats: delivery.repeats + 1, due_mono: now + REPEAT_EVERY } };
}

/**
 * A delivery once its receiver is known to be there again; null: nothing is to be done with it. What is queued starts its tries
 * anew. A `failing` whose incident is open is repeated at once: when it was never confirmed, or when the receiver has started
 * anew and forgotten it. So is what a receiver that confirms has answered and not confirmed.
 */
export function broughtForward(
  delivery: Delivery,
  incidentIsOpen: boolean,
  anew: boolean,
  now: Millis,
): Delivery | null {
  if (delivery.state === "queued") return { ...delivery, tries: 0, due_mono: now };
  if (awaitsProof(delivery)) {
    const acceptedAt = delivery.due_mono - proofIn(delivery);
    return now - acceptedAt < JUST_ACCEPTED ? null : { ...delivery, due_mono: now };
  }
  if (delivery.kind !== "failing" || !incidentIsOpen) return null;
  const isUnheard = delivery.state === "accepted" || delivery.state === "unconfirmed";
  if (!isUnheard && !(anew && delivery.state === "confirmed")) return null;
  return { ...delivery, state: "unconfirmed", repeats: 0, due_mono: now };
}

/** A delivery as it is queued anew by a person. */
export function replayed(delivery: Delivery, now: Millis): Delivery {
  return {
    ...delivery,
    state: "queued",
    tries: 0,
    repeats: 0,
    queued_mono: now,
    due_mono: now,
    done_at: null,
    last_error: null,
  };
}

/** FNV-1a, to shorten names that would make an id too long. */
function shortHash(text: string): string {
  let hash = 2_166_136_261;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 16_777_619);
  return (hash >>> 0).toString(16).padStart(8, "0");
}

/** The `webhook-id` of an event for a subscriber: [A-Za-z0-9_-]{1,64}, the same on every retry (I16). */
export function deliveryId(eventId: string, subscriber: string): string {
  const id = `${eventId}_${subscriber}`;
  return id.length <= 64 ? id : `${id.slice(0, 55)}_${shortHash(id)}`;
}
