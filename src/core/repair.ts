import { z } from "zod";
import { NAME } from "./observation.ts";
import { DAY, parseDuration, SECOND } from "./units.ts";

/** The steps of the ladder, in order. A person is the fifth. */
export const STEPS = ["ensure-link", "announce", "restart-speaker", "recreate-link"] as const;
export type Step = (typeof STEPS)[number];
export const step = z.enum(STEPS);

/** Who asks: the identity of a hub's store, a dot, and the process that runs on it. */
export const hubInstance = z.string().regex(/^[a-z0-9]{1,24}\.[a-z0-9]{1,24}$/, "a hub's id, a dot, and its process's");
export type HubInstance = z.infer<typeof hubInstance>;

/** The body of `POST /v1/repairs`: an id, a step, an epoch, a time to live. Everything else comes from the host's own file. */
export const repairRequest = z.strictObject({
  id: z.string().regex(NAME),
  step,
  /** Fences an older hub: the host refuses a smaller epoch than the greatest it has obeyed. */
  epoch: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER),
  /** Time left to start, from receipt, in milliseconds. */
  ttl_ms: z.number().int().min(1).max(60_000),
  /** A person asked: the host's manual cap (4 an hour) applies instead of the automatic budget. */
  manual: z.boolean().default(false),
  /** A person with the scope asked to pass maintenance and an open breaker. */
  override: z.boolean().default(false),
  /** The host obeys one hub at a time; without a name the sender is taken for the one that it obeys. */
  hub: hubInstance.optional(),
  /** The group's link, where the host has several. */
  link: z
    .string()
    .regex(/^[A-Za-z0-9_.-]{1,15}$/)
    .optional(),
});

/** The body of `POST /v1/pause` at the host, in the words of the hub's own. Without `for`: an hour. */
export const pauseOrder = z.strictObject({
  for: z
    .string()
    .max(32)
    .refine((text) => {
      const millis = parseDuration(text);
      return millis !== null && millis >= SECOND && millis <= DAY;
    }, "a duration between 1s and 24h")
    .optional(),
  reason: z.string().max(512).optional(),
});
/** The body of an order that says nothing more: empty, or `{}`. */
export const noOrder = z.strictObject({});

export const REFUSALS = [
  "host_not_armed",
  "maintenance",
  "budget",
  "breaker_open",
  "in_flight",
  "expired",
  "old_epoch",
  "other_hub",
  "parent_missing",
  "parent_down",
  "foreign_link",
  "journal",
  "kubernetes_unreachable",
  "no_endpoints",
  "no_rights",
  "not_configured",
] as const;
export type Refusal = (typeof REFUSALS)[number];

/** One command that a repair ran: fixed argv, never anything from the network. */
export const commandReport = z.object({
  argv: z.array(z.string()),
  ms: z.number(),
  exit: z.number().int().nullable(),
  output: z.string().max(4_096),
});

export const repairReport = z.object({
  id: z.string(),
  step,
  state: z.enum(["accepted", "running", "done", "failed", "refused", "interrupted"]),
  refusal: z.enum(REFUSALS).nullable(),
  detail: z.string().nullable(),
  started_at: z.string().nullable(),
  ms: z.number().nullable(),
  commands: z.array(commandReport),
  /** What a person should type when the step could not do it. */
  advice: z.string().nullable(),
});

export type RepairRequest = z.infer<typeof repairRequest>;
export type CommandReport = z.infer<typeof commandReport>;
export type RepairReport = z.infer<typeof repairReport>;
