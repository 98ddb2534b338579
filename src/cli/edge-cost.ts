import type { Millis } from "../core/units.ts";

/** What Cloudflare gives for nothing in a day, per account (facts/toolchain-and-edge.md; a look at its pricing page is worth it). */
export const FREE_A_DAY = { requests: 100_000, object_requests: 100_000, rows_written: 100_000 } as const;

const DAY_S = 86_400;
/** One alarm and one visit by cron a minute, for each site; cron itself is a request of the Worker. */
const MINUTES = 1_440;
/** Rows: the site's one row and its alarm with each heartbeat, and with each minute's probe (measured: docs/edge.md). */
const ROWS_A_BEAT = 2;
const ROWS_A_MINUTE = 2;

/** What one site takes of each, in a day, at this pace. */
export function costOf(every: Millis): Readonly<Record<keyof typeof FREE_A_DAY, number>> {
  const beats = Math.ceil((DAY_S * 1_000) / every);
  return {
    requests: beats + MINUTES,
    object_requests: beats + 2 * MINUTES,
    rows_written: ROWS_A_BEAT * beats + ROWS_A_MINUTE * MINUTES,
  };
}

/** The sums in sentences, to be read before anything is deployed. */
export function sayCost(every: Millis): string {
  const cost = costOf(every);
  const names = {
    requests: "requests of the Worker",
    object_requests: "requests of Durable Objects",
    rows_written: "rows written",
  };
  const lines = Object.entries(names).map(([key, name]) => {
    const used = cost[key as keyof typeof cost];
    const free = FREE_A_DAY[key as keyof typeof FREE_A_DAY];
    return `  ${name.padEnd(28)} ${String(used).padStart(7)} a day and site, of ${free} that are free: ${Math.floor((100 * used) / free)} %`;
  });
  const sites = Math.min(
    ...Object.entries(cost).map(([key, used]) => Math.floor(FREE_A_DAY[key as keyof typeof FREE_A_DAY] / used)),
  );
  return [
    `One Worker with one Durable Object for each site, on the account that wrangler is logged in to. A heartbeat every ${every / 1_000} s takes about:`,
    ...lines,
    `That fits the free plan for up to ${sites} ${sites === 1 ? "site" : "sites"}; beyond it Cloudflare refuses until midnight UTC and costs nothing. docs/edge.md has the sums for fleets.`,
  ].join("\n");
}
