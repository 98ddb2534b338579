import { observation } from "../core/observation.ts";
import {
  ackBody,
  emptyBody,
  eventList,
  healAnswer,
  healRecord,
  healRequest,
  pauseBody,
  roundsSchema,
  type Schema,
  statusSchema,
  unknownObject,
} from "../core/wire.ts";

export interface Route {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly summary: string;
  /** `vantage`: signed by a vantage's key. `read`: anyone, unless hub.private. */
  readonly auth: "none" | "vantage" | "read" | "heal" | "ack" | "pause";
  readonly body?: Schema;
  /** Parameters of the query; none of them is required. */
  readonly query?: Readonly<Record<string, { readonly type: "integer" | "string"; readonly what: string }>>;
  readonly answers: Readonly<
    Record<number, { readonly what: string; readonly schema?: Schema; readonly type?: string }>
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
    query: {
      wait_ms: { type: "integer", what: "With If-None-Match: held so long, at most 30 s, until something is new" },
    },
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
    body: healRequest,
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
    query: { incident: { type: "string", what: "An incident; without one, how every group is now" } },
    answers: {
      404: { what: "No incident with this id is known" },
      200: { what: "Gates, assessment and steps", schema: unknownObject },
    },
  },
  {
    method: "GET",
    path: "/v1/events",
    summary: "History",
    auth: "read",
    query: {
      after: { type: "integer", what: "A sequence number; without one, the latest" },
      limit: { type: "integer", what: "At most so many, 100 without it, 500 at most" },
    },
    answers: {
      422: { what: "after or limit is no whole number" },
      200: {
        what: "Events after a sequence number",
        schema: eventList,
      },
    },
  },
  {
    method: "GET",
    path: "/v1/events/stream",
    summary: "Events as they happen",
    auth: "read",
    query: { after: { type: "integer", what: "Replays what came after; Last-Event-ID does the same" } },
    answers: { 503: { what: "Too many streams" }, 200: { what: "Server-Sent Events", type: "text/event-stream" } },
  },
  {
    method: "GET",
    path: "/v1/deliveries",
    summary: "The outbox",
    auth: "read",
    query: { dead: { type: "string", what: "1 or true: dead letters alone" } },
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
    answers: { 200: { what: "Confirmed", schema: unknownObject }, 404: { what: "No delivery with this id is known" } },
  },
  {
    method: "POST",
    path: "/v1/births",
    summary: "Home Assistant has started anew: what is open is told again",
    auth: "ack",
    body: emptyBody,
    answers: { 202: { what: "Told again", schema: unknownObject } },
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
