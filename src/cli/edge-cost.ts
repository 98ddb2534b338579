import { DAY, MINUTE, type Millis } from "../core/units.ts";

/** What Cloudflare gives for nothing in a day, per account (docs/edge.md, "What it costs"; its pricing page is worth a look). */
export const FREE_A_DAY = { requests: 100_000, object_requests: 100_000, rows_written: 100_000 } as const;

type Sums = Readonly<Record<keyof typeof FREE_A_DAY, number>>;

/** How a site is configured, as far as it costs. */
export interface Pace {
  readonly every: Millis;
  readonly silence: Millis;
  /** Whether the edge looks at public names: each minute's result is a row. */
  readonly probes: boolean;
}

const MINUTES = DAY / MINUTE;
/** Alarms beyond one in each silence: what a heartbeat that came later left behind (measured by edge:scale). */
const ALARMS_MORE = 40;

/** What one site takes in a day: its heartbeats, alarms, cron's visits and rows, as edge:scale measured them. */
export function costOf({ every, silence, probes }: Pace): Sums {
  const beats = Math.ceil(DAY / every);
  const alarms = Math.ceil(DAY / silence) + ALARMS_MORE;
  return {
    requests: beats,
    object_requests: beats + alarms + MINUTES,
    rows_written: beats + alarms + (probes ? MINUTES : 0),
  };
}

/** The sums in sentences, to be read before anything is deployed. */
export function sayCost(pace: Pace): string {
  const cost = costOf(pace);
  const names: Readonly<Record<keyof Sums, string>> = {
    requests: "requests of the Worker",
    object_requests: "requests of its object",
    rows_written: "rows written",
  };
  const keys = Object.keys(names) as (keyof Sums)[];
  const lines = keys.map((key) => {
    const share = Math.ceil((100 * cost[key]) / FREE_A_DAY[key]);
    return `  ${names[key].padEnd(24)} ${String(cost[key]).padStart(7)} a day and site, of ${FREE_A_DAY[key]} that are free: ${share} %`;
  });
  const sites = Math.min(...keys.map((key) => Math.floor(FREE_A_DAY[key] / cost[key])));
  return [
    `One Worker with one Durable Object for each site, on the account that wrangler is logged in to. A heartbeat every ${pace.every / 1_000} s takes about:`,
    ...lines,
    `The free plan carries ${sites} ${sites === 1 ? "site" : "sites"} of this pace; beyond it Cloudflare refuses until midnight UTC and costs nothing. docs/edge.md has the sums for fleets.`,
  ].join("\n");
}
