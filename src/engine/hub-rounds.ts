import type { House } from "../core/config/house.ts";
import type { Plan } from "../core/plan.ts";
import type { Millis } from "../core/units.ts";
import { etagOf, planOf } from "./hub-plan.ts";
import type { Clock } from "./hub-ports.ts";

/** More would be a schedule of its own. */
const ROUNDS_MAX = 10;
/** A vantage keeps one request open; a second and third may be a restart of it. */
const WAITERS_MAX = 4;

export type PlanAnswer =
  | { readonly kind: "changed"; readonly etag: string; readonly plan: Plan }
  | { readonly kind: "same"; readonly rounds: number };

/** Plans and the quick rounds that are wanted of each vantage: answered with its next observation, or through its open request. */
export function createRounds(house: House, clock: Clock) {
  const plans = new Map<string, Plan>();
  const etags = new Map<string, string>();
  let parents: Readonly<Record<string, string>> = {};
  const draw = (): void => {
    for (const vantage of house.vantages) {
      const plan = planOf(house, vantage, parents);
      plans.set(vantage.name, plan);
      etags.set(vantage.name, etagOf(plan));
    }
  };
  draw();
  const wanted = new Map<string, number>();
  const waiters = new Map<string, Set<() => void>>();

  const take = (vantage: string): number => {
    const rounds = wanted.get(vantage) ?? 0;
    wanted.delete(vantage);
    return rounds;
  };

  return {
    take,
    hurry(rounds: number): void {
      for (const name of plans.keys()) {
        wanted.set(name, Math.min(ROUNDS_MAX, Math.max(rounds, wanted.get(name) ?? 0)));
        for (const wake of [...(waiters.get(name) ?? [])]) wake();
      }
    },
    /** A host has told the MAC of its link's parent. Open requests end at their time: a plan that says more is no hurry. */
    parentSeen(host: string, mac: string | null): void {
      const link = house.groups.find((group) => group.host?.name === host)?.link ?? null;
      if (mac === null || link === null || mac === link.mac || parents[link.name] === mac) return;
      parents = { ...parents, [link.name]: mac };
      draw();
    },
    async plan(vantage: string, etag: string | null, waitMs: Millis, signal: AbortSignal): Promise<PlanAnswer> {
      const current = etags.get(vantage)!;
      if (etag !== current) return { kind: "changed", etag: current, plan: plans.get(vantage)! };
      const waiting = waiters.get(vantage) ?? new Set();
      if (waitMs > 0 && !wanted.has(vantage) && waiting.size < WAITERS_MAX) {
        waiters.set(vantage, waiting);
        await new Promise<void>((resolve) => {
          const done = () => {
            cancel();
            waiting.delete(done);
            signal.removeEventListener("abort", done);
            resolve();
          };
          const cancel = clock.after(waitMs, done);
          waiting.add(done);
          signal.addEventListener("abort", done, { once: true });
        });
      }
      return { kind: "same", rounds: signal.aborted ? 0 : take(vantage) };
    },
    /** Lets every open request end, so that the process can. */
    release(): void {
      for (const set of waiters.values()) for (const wake of [...set]) wake();
    },
  };
}
