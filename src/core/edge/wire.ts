import * as z from "zod/mini";
import en from "zod/v4/locales/en.js";
import { FAILURE_CODES } from "../failure.ts";

/**
 * What the house and the edge say to each other (shared by both, so that one cannot drift from the other). zod/mini, because the
 * Worker carries these schemas in its bundle.
 */

// The small edition has no words of its own: without these every mistake is called "Invalid input".
z.config(en());

/** Sites, names, ids: what may stand in a URL, a header and a page without a second thought. */
const NAME = /^[A-Za-z0-9_-]{1,64}$/;
const text = (max: number) => z.string().check(z.maxLength(max));
const name = z.string().check(z.regex(NAME));
const millis = (least: number, most: number) => z.int().check(z.minimum(least), z.maximum(most));
const time = z.iso.datetime();
const secret = z.string().check(z.regex(/^whsec_[A-Za-z0-9+/=]{32,90}$/));

/** The largest body the edge reads: a heartbeat of a house with 64 targets at 8 vantages is some 60 KiB. */
export const EDGE_BODY_MAX = 131_072;
export const OUTSIDE_CHECKS_MAX = 16;
/** Requests to heal that wait at once, and for how long: a person stands before the page and waits for it. */
export const HEALS_WAITING_MAX = 4;
export const HEAL_LIVES_MS = 60_000;

const texts = z.array(text(1_024)).check(z.maxLength(16));
/** What a text must be or hold, letter by letter. */
const textRule = z.object({
  equals: z.optional(text(4_096)),
  contains: z.optional(texts),
  lacks: z.optional(texts),
});

/** One question that the edge asks of the outside: the public names, since it cannot see the house's own addresses. */
export const outsideCheck = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("dns"),
    id: text(128),
    name: text(253),
    type: z.string().check(z.regex(/^[A-Z0-9]{1,10}$/)),
    expect: z.nullable(z.array(text(512)).check(z.maxLength(16))),
    /** Where to ask: ADDRESS or ADDRESS:PORT; null: DNS over HTTPS at the edge's own resolver. */
    server: z.nullable(text(64)),
    /** How, at `server`; over TCP unless said otherwise. TLS wants the name in the certificate. */
    transport: z.optional(z.enum(["tcp", "tls"])),
    server_name: z.optional(text(253)),
    /** The resolver must vouch for the answer; a signature must come with it (DNSSEC). */
    ad: z.optional(z.boolean()),
    rrsig: z.optional(z.boolean()),
  }),
  z.object({
    kind: z.literal("https"),
    id: text(128),
    host: text(253),
    path: z.string().check(z.startsWith("/"), z.maxLength(2_048)),
    port: millis(1, 65_535),
    status: z.array(millis(100, 599)).check(z.minLength(1), z.maxLength(16)),
    body: z.optional(textRule),
    headers: z.optional(z.record(text(128), textRule).check(z.refine((found) => Object.keys(found).length <= 16))),
    /** A fixed address, with the name in SNI; null: what the public DNS says. */
    address: z.nullable(text(64)),
  }),
  z.object({
    kind: z.literal("oidc"),
    id: text(128),
    issuer: z.url({ protocol: /^https$/ }),
    /** How id tokens must be signed. */
    algorithm: z.optional(text(16)),
    port: millis(1, 65_535),
    address: z.nullable(text(64)),
  }),
  z.object({ kind: z.literal("tcp"), id: text(128), host: text(253), port: millis(1, 65_535) }),
]);

const vantageMirror = z.object({
  state: text(32),
  failure: z.nullable(text(64)),
  rtt_ms: z.nullable(z.number()),
  observed_at: z.nullable(text(40)),
});
/** The house's own status, shortened: what stands in an alert when the house can say nothing more. */
export const statusMirror = z.object({
  state: text(32),
  cause: z.nullable(text(64)),
  summary: text(1_024),
  since: z.nullable(text(40)),
  targets: z.record(name, z.object({ state: text(32), vantages: z.record(name, vantageMirror) })),
  heal: z.object({ mode: text(16), state: text(32), breaker: text(16) }),
});

/** What became of a request that an earlier answer carried. The edge shows it; it decides nothing. */
export const healResult = z.object({
  id: name,
  status: millis(100, 599),
  state: text(64),
  detail: text(512),
});

/**
 * `POST /v1/sites/{site}/heartbeats`, signed with the site's key. `(boot_id, seq)` grows strictly. Unknown keys are dropped rather
 * than refused: a newer hub that speaks to an older edge must not look dark.
 */
export const heartbeat = z.object({
  type: z.literal("hairpin.heartbeat.v1"),
  aud: z.literal("edge"),
  site: name,
  boot_id: name,
  seq: millis(1, Number.MAX_SAFE_INTEGER),
  sent_at: time,
  /** Silence after which the site is dark, and how often it means to speak. */
  silence_ms: millis(1_000, 86_400_000),
  every_ms: millis(1_000, 3_600_000),
  status: statusMirror,
  checks: z.array(outsideCheck).check(z.maxLength(OUTSIDE_CHECKS_MAX)),
  heal_results: z.array(healResult).check(z.maxLength(HEALS_WAITING_MAX)),
});

/** What the edge saw of one outside check. */
export const outsideObservation = z.object({
  id: text(128),
  kind: z.enum(["dns", "https", "oidc", "tcp"]),
  ok: z.boolean(),
  failure: z.nullable(z.enum(FAILURE_CODES)),
  detail: z.nullable(text(512)),
  ms: z.nullable(z.number().check(z.nonnegative())),
  observed_at: time,
});

/** A request exactly as a person's key signed it; the edge can hold it back, and can neither read intent into it nor forge one. */
export const healEnvelope = z.strictObject({
  id: name,
  timestamp: z.string().check(z.regex(/^\d{1,12}$/)),
  signature: text(2_048),
  body: text(4_096),
});

/** The answer to a heartbeat: nothing reaches into the house, everything for it waits here. */
export const heartbeatAnswer = z.object({
  site: name,
  /** By the edge's clock. */
  now: time,
  observations: z.array(outsideObservation).check(z.maxLength(OUTSIDE_CHECKS_MAX)),
  heals: z.array(healEnvelope).check(z.maxLength(HEALS_WAITING_MAX)),
});

/** The body of a request to heal from outside, which the user's own key signs (`POST /v1/sites/{site}/heal`). */
export const outsideHeal = z.strictObject({
  type: z.literal("hairpin.heal_request.v1"),
  /** The site; a request for another house is void here. */
  aud: name,
  step: z.optional(z.enum(["ensure-link", "announce", "restart-speaker", "recreate-link"])),
  reason: z.optional(text(512)),
  override: z.optional(z.boolean()),
  force: z.optional(z.boolean()),
});

const url = z.url({ protocol: /^https?$/ }).check(z.maxLength(2_048));
/** Where the edge tells of a house that is dark. It knows these by heart: the house cannot be asked any more. */
export const edgeNotify = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("ntfy"), url, token: z.optional(text(512)) }),
  z.strictObject({
    kind: z.literal("webhook"),
    url,
    secret: z.optional(secret),
    /** JSON with placeholders, for Telegram, Slack, Discord, Gotify. */
    template: z.optional(text(8_192)),
  }),
]);

/** `PUT /v1/sites/{site}` with the administrator's token: a site as it is to be from now on. */
export const siteSettings = z.strictObject({
  /** The newest first; the others are still accepted while a key is being changed. */
  keys: z.array(secret).check(z.minLength(1), z.maxLength(3)),
  /** Tokens that may read this site and ask for a heal, besides the fleet's. */
  tokens: z._default(z.array(z.string().check(z.minLength(16), z.maxLength(512))).check(z.maxLength(8)), []),
  notify: z._default(z.array(edgeNotify).check(z.maxLength(8)), []),
  /** Until the first heartbeat says otherwise. */
  silence_ms: z._default(millis(1_000, 86_400_000), 180_000),
});

export type OutsideCheck = z.infer<typeof outsideCheck>;
export type StatusMirror = z.infer<typeof statusMirror>;
export type HealResult = z.infer<typeof healResult>;
export type Heartbeat = z.infer<typeof heartbeat>;
export type OutsideObservation = z.infer<typeof outsideObservation>;
export type HealEnvelope = z.infer<typeof healEnvelope>;
export type HeartbeatAnswer = z.infer<typeof heartbeatAnswer>;
export type OutsideHeal = z.infer<typeof outsideHeal>;
export type EdgeNotify = z.infer<typeof edgeNotify>;
export type SiteSettings = z.infer<typeof siteSettings>;
export type SiteSettingsInput = z.input<typeof siteSettings>;

export const isSiteName = (candidate: string): boolean => NAME.test(candidate);
