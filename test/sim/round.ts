import type { CheckResult } from "../../src/core/observation.ts";
import type { PlanCheck } from "../../src/core/plan.ts";
import { askNeighbour } from "../../src/probes/neighbour.ts";
import type { Clock, NeighbourView } from "../../src/probes/port.ts";
import type { RoundRequest, RoundResult } from "../../src/probes/round.ts";
import type { Chance } from "./chance.ts";
import type { Life } from "./life.ts";
import type { Site } from "./site.ts";
import { reaches, whoAnswers } from "./truth.ts";
import type { VantageProcess } from "./vantage-process.ts";

/** What stands between a vantage and the addresses, and its neighbour table. */
export interface Eyes {
  /** Its own line is cut: nothing on the link answers. */
  blind: boolean;
  /** Only the guarded addresses are out of reach (a hairpin flag, a filter). */
  blocked: boolean;
  controlBad: boolean;
  loss: number;
  readonly table: Map<string, { readonly mac: string; readonly at: number }>;
}

/** Linux forgets an unconfirmed entry after 29 to 47 s (measured, facts/l2). */
const REMEMBERED = 40_000;

/** One round at one vantage: the real neighbour probe over a simulated wire, and the services as the truth has them. */
export async function lookAround(
  site: Site,
  vantage: VantageProcess,
  life: Life,
  clock: Clock,
  luck: Chance,
  request: RoundRequest,
): Promise<RoundResult> {
  if (!life.touch()) return new Promise(() => {});
  const { truth } = site.kernel;
  const { eyes } = vantage;
  const now = site.agenda.now();
  const cut = eyes.blind || eyes.blocked;
  const answers = cut ? [] : whoAnswers(truth);
  const controller = new AbortController();
  const checks: CheckResult[] = [];
  for (const target of request.plan.targets) {
    const [address = ""] = target.addresses;
    const entry = eyes.table.get(address);
    const known = entry !== undefined && now - entry.at < REMEMBERED ? entry.mac : null;
    const view: NeighbourView = {
      way: "on_link",
      device: "eth0",
      mac: known,
      state: known === null ? null : "REACHABLE",
    };
    const mac = known ?? answers[0] ?? null;
    const arrives = !cut && mac !== null && (reaches(truth, mac) || mac === truth.rogue);
    if (arrives && mac !== null) eyes.table.set(address, { mac, at: now });
    for (const check of target.checks) {
      if (!request.due(target.name, check)) continue;
      const tries = request.tries(target.name, check.id);
      const lost = eyes.loss > 0 && luck.flip(eyes.loss ** tries);
      if (check.kind === "neighbour") {
        const wire = {
          ask: async () => ({
            asked: true,
            answers: lost ? [] : answers.map((answer) => ({ mac: answer, ms: 1 })),
            detail: null,
          }),
        };
        const found = await askNeighbour(target, address, view, 1, { whoHas: wire, clock }, controller.signal);
        if (!lost && answers.length > 0) eyes.table.set(address, { mac: answers.at(-1)!, at: now });
        checks.push({
          target: target.name,
          check: "neighbour",
          id: check.id,
          ok: found.ok,
          failure: found.failure,
          detail: found.detail,
          ms: found.ok ? 1 : 500,
          tries: 1,
          evidence: found.evidence,
        });
      } else {
        const failure = lost ? "no_reply" : failureOf(site, check, mac, arrives);
        const evidence = check.kind === "dns" ? { upstream: check.upstream } : {};
        checks.push({
          target: target.name,
          check: check.kind,
          id: check.id,
          ok: failure === null,
          failure,
          ms: failure === null ? 3 : 1_000,
          tries,
          evidence,
        });
      }
    }
  }
  const bad = checks.some((check) => !check.ok);
  if (bad) site.heat(1_500);
  await life.exactly(bad ? luck.between(400, 1_600) : luck.between(2, 20));
  if (!life.touch()) return new Promise(() => {});
  const controlled = !eyes.blind && !eyes.controlBad;
  return { control: { ok: controlled, gateway_ms: controlled ? 0.5 : null }, checks };
}

function failureOf(site: Site, check: PlanCheck, mac: string | null, arrives: boolean): CheckResult["failure"] {
  const { truth } = site.kernel;
  if (mac === null) return "unreachable";
  if (!arrives) return "no_reply";
  if (mac === truth.rogue) return "refused";
  if (truth.serviceDown) return check.kind === "dns" ? "dns_servfail" : "http_status";
  return check.kind === "dns" && check.upstream && truth.upstreamDown ? "dns_servfail" : null;
}
