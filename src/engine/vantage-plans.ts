import type { Plan } from "../core/plan.ts";
import { sign } from "../core/standard-webhooks.ts";
import type { Millis } from "../core/units.ts";
import { parsePlan } from "./vantage-plan.ts";
import { backOff, type HubReply, refusedKey, type VantagePorts } from "./vantage-port.ts";

/** How long the hub may hold the request: less than what firewalls and proxies allow a silent connection. */
const HOLD: Millis = 25_000;
const ANSWER_TIMEOUT: Millis = 10_000;
/** A hub that answers at once instead of holding the request must not be asked in a busy loop. */
const PACE: Millis = 1_000;

type PlanPorts = Pick<VantagePorts, "clock" | "log" | "plans" | "disk" | "hmac" | "token" | "bootId">;

/**
 * Keeps the plan up to date, and one request open at the hub, so that the hub can hurry a vantage which it could not reach by
 * itself. The last plan is kept on disk: a vantage that starts while the hub is away goes on watching.
 */
export async function followPlans(
  ports: PlanPorts,
  follow: (plan: Plan) => void,
  hurry: (rounds: number) => void,
  signal: AbortSignal,
): Promise<void> {
  let etag = await followStored(ports, follow);
  let failures = 0;
  for (let count = 1; !signal.aborted; count++) {
    const began = ports.clock.mono();
    const reply = await fetchPlan(ports, etag, count, signal);
    if (signal.aborted) return;
    const took = await take(reply);
    failures = took ? 0 : failures + 1;
    const wait = took ? PACE - (ports.clock.mono() - began) : backOff(failures);
    if (wait > 0) await ports.clock.sleep(wait, signal);
  }

  async function take(reply: HubReply): Promise<boolean> {
    if (reply.status === 304) {
      const rounds = Number(reply.headers["hairpin-rounds"] ?? 0);
      if (rounds > 0) hurry(rounds);
      return true;
    }
    if (reply.status === 200) {
      const plan = readPlan(ports, reply.body);
      if (typeof plan === "string") {
        ports.log("error", { detail: plan }, "the hub's plan cannot be followed");
        return false;
      }
      etag = reply.headers["etag"] ?? null;
      ports.log("info", { event: "plan", etag, targets: plan.targets.length, schedule: plan.schedule }, "plan");
      await ports.disk
        .writePlan(JSON.stringify({ etag, plan }))
        .catch((error) => ports.log("warn", { detail: String(error) }, "the plan could not be stored"));
      follow(plan);
      return true;
    }
    sayFailure(reply);
    return false;
  }

  function sayFailure(reply: HubReply): void {
    const retry_ms = backOff(failures + 1);
    if (reply.status === 401) {
      ports.log("error", { status: 401, retry_ms }, refusedKey(ports.token));
      return;
    }
    const detail = reply.status === null ? (reply.detail ?? "no answer") : `HTTP ${reply.status}`;
    const without = etag === null ? "no plan yet, nothing is watched" : "the stored plan is followed";
    ports.log(
      etag === null || failures === 0 ? "warn" : "debug",
      { detail, retry_ms },
      `no plan from the hub at ${ports.token.hub}: ${without}`,
    );
  }
}

async function followStored(ports: PlanPorts, follow: (plan: Plan) => void): Promise<string | null> {
  const text = await ports.disk.readPlan();
  if (text === null) return null;
  try {
    const stored = JSON.parse(text) as { etag?: unknown; plan?: unknown };
    const plan = readPlan(ports, JSON.stringify(stored.plan));
    if (typeof plan === "string" || typeof stored.etag !== "string") return null;
    ports.log("info", { event: "plan", etag: stored.etag, stored: true }, "the stored plan is followed");
    follow(plan);
    return stored.etag;
  } catch {
    ports.log("warn", {}, "the stored plan cannot be read: the hub is asked for a new one");
    return null;
  }
}

function readPlan(ports: PlanPorts, text: string): Plan | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return "not JSON";
  }
  const plan = parsePlan(value);
  if (typeof plan === "string") return plan;
  const { site, vantage } = ports.token;
  if (plan.site !== site || plan.vantage !== vantage)
    return `it is for vantage ${plan.vantage} of site ${plan.site}, not for ${vantage} of ${site}`;
  return plan;
}

async function fetchPlan(ports: PlanPorts, etag: string | null, count: number, signal: AbortSignal): Promise<HubReply> {
  const id = `${ports.bootId}_plan${count}`;
  const signed = await sign([ports.token.key], id, Math.floor(ports.clock.wall() / 1_000), "", ports.hmac);
  return ports.plans.send(
    {
      method: "GET",
      path: etag === null ? "/v1/plan" : `/v1/plan?wait_ms=${HOLD}`,
      headers: { ...signed, ...(etag === null ? {} : { "if-none-match": etag }) },
      body: null,
      timeout: (etag === null ? 0 : HOLD) + ANSWER_TIMEOUT,
    },
    signal,
  );
}
