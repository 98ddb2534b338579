import { z } from "zod";
import { FAILURE_CODES } from "./failure.ts";
import { formerMac, macChange, NAME } from "./observation.ts";
import { repairReport, step } from "./repair.ts";
import { parseDuration } from "./units.ts";

/** The shapes of the hub's requests and answers, checked at the door and described in GET /openapi.json. */

const text = z.string().max(512);
const duration = z
  .string()
  .max(32)
  .refine((value) => parseDuration(value) !== null, "a duration with a unit, such as 30m or 1h");

/** The body of POST /heal. Nothing here reaches an argv: the host hook gets an id, a step and a time to live. */
export const healBody = z.strictObject({
  step: step.optional(),
  reason: text.optional(),
  dry_run: z.boolean().optional(),
  override: z.boolean().optional(),
  force: z.boolean().optional(),
  target: z.string().regex(NAME).optional(),
  incident: z.string().regex(NAME).optional(),
});
/**
 * The body of POST /heal when a vantage passes on what a person asked for at its page. Less than a token may say: no step, no
 * `override` and no `force`, so that a stolen key of a vantage opens no gate. `type`, `aud` and `vantage` stand in what is signed.
 */
export const relayedHealBody = z.strictObject({
  type: z.literal("hairpin.heal.v1"),
  aud: z.string().regex(NAME),
  vantage: z.string().regex(NAME),
  reason: text.optional(),
  dry_run: z.boolean().optional(),
  target: z.string().regex(NAME).optional(),
});
/** What POST /heal may be sent, by a token's owner or by a vantage. */
export const healRequest = z.union([healBody, relayedHealBody]);
export const pauseBody = z.strictObject({ for: duration.optional(), reason: text.optional() });
export const ackBody = z.strictObject({ delivery_id: z.string().regex(NAME) });
export const emptyBody = z.strictObject({});

export const problemSchema = z.object({
  type: z.string(),
  title: z.string(),
  status: z.number().int(),
  detail: z.string(),
  errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
});
export const healAnswer = z.object({
  id: z.string().nullable(),
  state: z.string(),
  url: z.string().nullable(),
  step: step.nullable(),
  detail: z.string(),
});
export const healRecord = z.object({
  id: z.string(),
  state: z.string(),
  steps: z.array(repairReport),
  verification: z.record(z.string(), z.enum(["good", "waiting"])),
});
const targetState = z.object({
  state: z.string(),
  vantages: z.record(
    z.string(),
    z.object({
      state: z.string(),
      rtt_ms: z.number().nullable(),
      mac: z.string().nullable(),
      failure: z.enum(FAILURE_CODES).nullable(),
      observed_at: z.string().nullable(),
      former_macs: z.array(formerMac.extend({ address: z.string() })),
      mac_changes: z.array(macChange.extend({ address: z.string() })).nullable(),
    }),
  ),
});
export const statusSchema = z.object({
  site: z.string(),
  state: z.enum(["ok", "suspect", "failing", "degraded", "healing", "unknown", "maintenance"]),
  cause: z.string().nullable(),
  summary: z.string(),
  since: z.string().nullable(),
  targets: z.record(z.string(), targetState),
});
const eventSchema = z.object({
  id: z.string(),
  seq: z.number().int(),
  type: z.string(),
  timestamp: z.string(),
  data: z.record(z.string(), z.unknown()),
});
export const roundsSchema = z.object({ rounds: z.number().int() });
export const unknownObject = z.record(z.string(), z.unknown());
export const eventList = z.object({ events: z.array(eventSchema), last: z.number().int() });

/** A schema of the contract, for those who only hold it. */
export type Schema = z.ZodType;

/** JSON Schema (draft 2020-12) of what a sender may write. */
export function jsonSchemaOf(schema: Schema): Readonly<Record<string, unknown>> {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as Record<
    string,
    unknown
  >;
  return rest;
}
