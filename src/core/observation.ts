import { z } from "zod";
import { FORMER_MACS_MAX, MAC_CHANGES_MAX } from "./evidence.ts";
import { FAILURE_CODES } from "./failure.ts";
import { LINE_MAX, plain } from "./text.ts";

/** A MAC address in lower case with colons. */
export const MAC = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/;
/** Names that hairpin gives to things on the wire: sites, vantages, targets, ids. */
export const NAME = /^[A-Za-z0-9_-]{1,64}$/;

const name = z.string().regex(NAME);
const mac = z.string().regex(MAC);
const millis = z.number().min(0).max(86_400_000);
/** What a vantage heard may be shown as it stands: it is made fit for that here too, since a vantage may lie (fault 17). */
const text = (max: number) =>
  z
    .string()
    .max(max)
    .transform((value) => plain(value, max));
const line = text(LINE_MAX);

export const CHECK_KINDS = ["dns", "https", "oidc", "tcp", "neighbour", "link", "speaker"] as const;

/** One MAC that answered a who-has, and after how long. */
export const whoHasAnswer = z.object({ mac, ms: millis.nullable() });

const instant = z.string().max(32).pipe(z.iso.datetime());
/** A MAC that answered for the address or stood in the neighbour table, and no longer does; `seen_at`: when it last did. */
export const formerMac = z.object({ mac, seen_at: instant });
/** The table's MAC changed without having been asked for: gratuitous ARP, or an unsolicited neighbour advertisement. */
export const macChange = z.object({ at: instant, from: mac, to: mac });

export const certificateFacts = z.object({
  subject: line.nullable(),
  issuer: line.nullable(),
  valid_from: line.nullable(),
  valid_to: line.nullable(),
  days_left: z.number().nullable(),
  names: z.array(line).max(64),
  fingerprint: line.nullable(),
  trusted: z.boolean(),
});

const systemAnswer = z.object({ records: z.array(text(64)).max(64).nullable(), failure: text(32).nullable() });

/** What a check saw besides its result. Unknown is null or absent, never false. */
export const evidence = z.object({
  /** The MAC in this machine's neighbour table before the question was asked. */
  mac: mac.nullish(),
  /** The kernel's word for the entry: REACHABLE, STALE, DELAY, PROBE, INCOMPLETE, FAILED, PERMANENT, NOARP. */
  neighbour_state: text(16).nullish(),
  /** Whether who-has was really asked; without the right to ask, `answers` says nothing. */
  asked: z.boolean().nullish(),
  answers: z.array(whoHasAnswer).max(16).nullish(),
  on_link: z.boolean().nullish(),
  /** Newest first, since the vantage was started. */
  former_macs: z.array(formerMac).max(FORMER_MACS_MAX).nullish(),
  /** Newest first; null where the kernel's table cannot be followed. */
  mac_changes: z.array(macChange).max(MAC_CHANGES_MAX).nullish(),
  records: z.array(line).max(64).nullish(),
  rcode: text(32).nullish(),
  upstream: z.boolean().nullish(),
  status: z.number().int().nullish(),
  protocol: text(16).nullish(),
  certificate: certificateFacts.nullish(),
  /** The service's own result when the certificate failed: two facts, not one. */
  service_ok: z.boolean().nullish(),
  errno: text(32).nullish(),
  /** DNSSEC, where it was asked for: the resolver's word, and whether a signature came. */
  authenticated: z.boolean().nullish(),
  signed: z.boolean().nullish(),
  /** What the vantage's own resolver says of the same name; `note` is the difference in words. It votes for nothing. */
  system: z
    .object({
      cares: systemAnswer.extend({ servers: z.array(text(64)).max(8) }),
      libc: systemAnswer,
      note: line.nullish(),
    })
    .nullish(),
  /** How the hosts of an OIDC document's endpoints resolve at the guarded resolver. */
  names: z
    .array(
      z.object({
        host: text(253),
        resolver: text(64),
        records: z.array(text(64)).max(8).nullable(),
        failure: z.enum(FAILURE_CODES).nullable(),
      }),
    )
    .max(10)
    .nullish(),
  /** How far the server's Date is ahead of this machine's clock, in seconds. */
  skew_s: z.number().nullish(),
});

export const checkResult = z.object({
  target: name,
  check: z.enum(CHECK_KINDS),
  /** Tells two checks of one kind apart, e.g. "dns:auth.example.lan". Unique within the target; the kind when absent. */
  id: z.string().min(1).max(128).optional(),
  ok: z.boolean(),
  failure: z.enum(FAILURE_CODES).nullish(),
  detail: line.nullish(),
  ms: millis.nullish(),
  tries: z.number().int().min(1).max(10).optional(),
  phases: z.record(z.string().max(16), millis.nullable()).optional(),
  evidence: evidence.optional(),
});

export const observation = z.object({
  type: z.literal("hairpin.observation.v1"),
  aud: name,
  vantage: name,
  /** New at each start of the vantage process; `seq` grows strictly within it. */
  boot_id: name,
  seq: z.number().int().min(1).max(Number.MAX_SAFE_INTEGER),
  observed_at: z.iso.datetime(),
  mono_ms: z.number().min(0),
  /** The vantage's own path, on-link only. `ok` null: nothing to measure it by. */
  control: z.object({
    ok: z.boolean().nullable(),
    gateway_ms: millis.nullish(),
    reference_ms: millis.nullish(),
    detail: line.nullish(),
  }),
  checks: z.array(checkResult).max(256),
});

export type WhoHasAnswer = z.infer<typeof whoHasAnswer>;
export type FormerMac = z.infer<typeof formerMac>;
export type MacChange = z.infer<typeof macChange>;
export type CertificateFacts = z.infer<typeof certificateFacts>;
export type Evidence = z.infer<typeof evidence>;
export type CheckKind = (typeof CHECK_KINDS)[number];
export type CheckResult = z.infer<typeof checkResult>;
export type Observation = z.infer<typeof observation>;
