import { z } from "zod";
import { FAILURE_CODES } from "../core/failure.ts";
import { NAME, observation } from "../core/observation.ts";
import { repairReport, step } from "../core/repair.ts";
import { parseDuration } from "../core/units.ts";

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
const healAnswer = z.object({
  id: z.string().nullable(),
  state: z.string(),
  url: z.string().nullable(),
  step: step.nullable(),
  detail: z.string(),
});
const healRecord = z.object({
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
    }),
  ),
});
const statusSchema = z.object({
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
const roundsSchema = z.object({ rounds: z.number().int() });
const unknownObject = z.record(z.string(), z.unknown());

export interface Route {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly summary: string;
  /** `vantage`: signed by a vantage's key. `read`: anyone, unless hub.private. */
  readonly auth: "none" | "vantage" | "read" | "heal" | "ack" | "pause";
  readonly body?: z.ZodType;
  readonly answers: Readonly<
    Record<number, { readonly what: string; readonly schema?: z.ZodType; readonly type?: string }>
  >;
}

/** Every route of the hub: what is registered, what is documented and what a 405 is told apart from a 404 by. */
export const ROUTES: readonly Route[] = [
  {
    method: "POST",
    path: "/v1/observations",
    summary: "What one vantage saw in one round",
    auth: "vantage",
    body: observation,
    answers: {
      202: { what: "Stored", schema: roundsSchema },
      200: { what: "A duplicate, stored before", schema: roundsSchema },
      409: { what: "An old sequence number, or an id with another body" },
    },
  },
  {
    method: "GET",
    path: "/v1/plan",
    summary: "What a vantage has to do",
    auth: "vantage",
    answers: {
      200: { what: "The plan", schema: unknownObject },
      304: { what: "Unchanged; header hairpin-rounds asks for quick rounds" },
    },
  },
  {
    method: "POST",
    path: "/heal",
    summary: "Ask for a repair",
    auth: "heal",
    body: healBody,
    answers: {
      202: { what: "Accepted", schema: healAnswer },
      200: { what: "Nothing to do, or a dry run", schema: healAnswer },
      409: { what: "In flight, or the same key with another body" },
      423: { what: "Paused, or the breaker is open" },
      429: { what: "Budget spent, or too many requests" },
    },
  },
  {
    method: "GET",
    path: "/v1/heals/{id}",
    summary: "What became of a repair",
    auth: "read",
    answers: { 200: { what: "The repair", schema: healRecord } },
  },
  {
    method: "GET",
    path: "/v1/status",
    summary: "How the house is",
    auth: "read",
    answers: { 200: { what: "The status", schema: statusSchema } },
  },
  {
    method: "GET",
    path: "/v1/explain",
    summary: "Why it did or did not heal",
    auth: "read",
    answers: { 200: { what: "Gates, assessment and steps", schema: unknownObject } },
  },
  {
    method: "GET",
    path: "/v1/events",
    summary: "History",
    auth: "read",
    answers: {
      200: {
        what: "Events after a sequence number",
        schema: z.object({ events: z.array(eventSchema), last: z.number().int() }),
      },
    },
  },
  {
    method: "GET",
    path: "/v1/events/stream",
    summary: "Events as they happen",
    auth: "read",
    answers: { 200: { what: "Server-Sent Events", type: "text/event-stream" } },
  },
  {
    method: "GET",
    path: "/v1/deliveries",
    summary: "The outbox",
    auth: "read",
    answers: { 200: { what: "Deliveries and subscribers", schema: unknownObject } },
  },
  {
    method: "POST",
    path: "/v1/deliveries/{id}/replay",
    summary: "Send a delivery again",
    auth: "pause",
    body: emptyBody,
    answers: { 202: { what: "Queued" }, 409: { what: "It is still queued" } },
  },
  {
    method: "POST",
    path: "/v1/pause",
    summary: "Begin maintenance",
    auth: "pause",
    body: pauseBody,
    answers: { 200: { what: "Paused", schema: unknownObject } },
  },
  {
    method: "POST",
    path: "/v1/resume",
    summary: "End maintenance",
    auth: "pause",
    body: emptyBody,
    answers: { 200: { what: "Resumed", schema: unknownObject } },
  },
  {
    method: "POST",
    path: "/v1/breaker/reset",
    summary: "Close the breaker",
    auth: "pause",
    body: emptyBody,
    answers: { 200: { what: "Closed", schema: unknownObject } },
  },
  {
    method: "POST",
    path: "/v1/acks",
    summary: "Confirm a delivery",
    auth: "ack",
    body: ackBody,
    answers: { 200: { what: "Confirmed", schema: unknownObject } },
  },
  {
    method: "POST",
    path: "/v1/test-notifications",
    summary: "Send `test` to every subscriber",
    auth: "pause",
    body: emptyBody,
    answers: { 202: { what: "Queued", schema: unknownObject } },
  },
  {
    method: "GET",
    path: "/metrics",
    summary: "For Prometheus",
    auth: "read",
    answers: { 200: { what: "Metrics", type: "text/plain" } },
  },
  {
    method: "GET",
    path: "/healthz",
    summary: "Liveness",
    auth: "none",
    answers: { 200: { what: "Alive", schema: unknownObject } },
  },
  {
    method: "GET",
    path: "/readyz",
    summary: "Readiness",
    auth: "none",
    answers: { 200: { what: "Ready", schema: unknownObject }, 503: { what: "Not ready" } },
  },
  {
    method: "GET",
    path: "/openapi.json",
    summary: "This document",
    auth: "none",
    answers: { 200: { what: "OpenAPI 3.1", schema: unknownObject } },
  },
  {
    method: "GET",
    path: "/",
    summary: "The status page",
    auth: "read",
    answers: { 200: { what: "A page", type: "text/html" } },
  },
];
