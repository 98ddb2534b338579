import type { Plan } from "../core/plan.ts";
import type { VantageView, ViewedCheck } from "../core/vantage-view.ts";
import { checkKey } from "./vantage-record.ts";
import type { DoneRound } from "./vantage-rounds.ts";

/** What this vantage has seen last of each check of its plan. */
export interface Sight {
  see(round: DoneRound): void;
  seen(): Pick<VantageView, "schedule" | "control_ok" | "targets">;
}

export function createSight(): Sight {
  let plan: Plan | null = null;
  let isControlGood: boolean | null = null;
  let latest = new Map<string, ViewedCheck>();
  return {
    see(round) {
      if (plan !== round.plan) {
        plan = round.plan;
        // What a new plan does not have any more is forgotten, which also bounds this.
        const known = new Set([...plan.targets, ...plan.links].map(({ name }) => name));
        latest = new Map([...latest].filter(([key]) => known.has(key.slice(0, key.indexOf("/")))));
      }
      isControlGood = round.control.ok;
      const observed_at = new Date(round.startedWall).toISOString();
      const seenNow = new Set<string>();
      for (const { target, check, id, ok, failure, detail, ms, evidence } of round.checks) {
        const key = checkKey(target, id ?? check);
        // A target with several addresses is asked at each of them: the one that fails is shown.
        if (seenNow.has(key) && ok) continue;
        seenNow.add(key);
        const mac = evidence?.answers?.[0]?.mac ?? evidence?.mac ?? null;
        const shown = { id: id ?? check, ok, failure: failure ?? null, detail: detail ?? null, ms: ms ?? null };
        latest.set(key, { ...shown, mac, observed_at });
      }
    },
    seen() {
      const names = [...new Set([...latest.keys()].map((key) => key.slice(0, key.indexOf("/"))))];
      const targets = names.map((name) => ({
        name,
        checks: [...latest].filter(([key]) => key.startsWith(`${name}/`)).map(([, check]) => check),
      }));
      return { schedule: plan?.schedule ?? null, control_ok: isControlGood, targets };
    },
  };
}
