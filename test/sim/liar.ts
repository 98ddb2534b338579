import { FAILURE_CODES } from "../../src/core/failure.ts";
import type { CheckResult, Observation } from "../../src/core/observation.ts";
import { sign } from "../../src/core/standard-webhooks.ts";
import type { Chance } from "./chance.ts";
import type { Life } from "./life.ts";
import type { Site } from "./site.ts";
import { BRIDGE_MAC, MAC, OTHER_MAC, ROGUE_MAC } from "./truth.ts";
import { hmac, keyOf, takeReport } from "./vantage-process.ts";

/** Reports with a stolen key: any content, any age, any number, again and with another body. Only the form is right. */
export function lie(site: Site, vantage: string, life: Life, luck: Chance): void {
  let boot = `liar${luck.int(0, 9)}`;
  let seq = luck.int(1, 5);
  let last: { id: string; body: string } | null = null;
  // Half of the liars are single-minded: everything is down, always.
  const plain = luck.flip(0.5);

  const check = (target: string, kind: CheckResult["check"], id: string): CheckResult => {
    const ok = plain ? false : luck.flip(0.3);
    const mac = plain ? null : luck.pick([null, MAC, OTHER_MAC, ROGUE_MAC, BRIDGE_MAC]);
    const answers = plain ? [] : luck.pick([[], [MAC], [OTHER_MAC], [MAC, ROGUE_MAC]]);
    return {
      target,
      check: kind,
      id,
      ok,
      failure: ok ? null : plain ? (kind === "neighbour" ? "no_neighbour" : "unreachable") : luck.pick(FAILURE_CODES),
      evidence: { mac, asked: plain || luck.flip(0.8), answers: answers.map((answer) => ({ mac: answer, ms: 1 })) },
    };
  };
  const body = (): string => {
    const observation: Observation = {
      type: "hairpin.observation.v1",
      aud: site.house.site,
      vantage,
      boot_id: boot,
      seq,
      observed_at: new Date(
        life.wall() + (plain ? 0 : luck.pick([0, 0, 0, 60_000, -60_000, -3_600_000, 86_400_000])),
      ).toISOString(),
      mono_ms: life.mono(),
      control: { ok: plain ? true : luck.pick([true, true, null, false]) },
      checks: site.house.targets.flatMap((target) => target.checks.map(({ kind, id }) => check(target.name, kind, id))),
    };
    return JSON.stringify(observation);
  };
  const send = async () => {
    if (!life.alive) return;
    site.agenda.in(luck.flip(0.1) ? luck.between(1, 50) : luck.between(900, 9_000), () => void send());
    if (luck.flip(0.02)) boot = `liar${luck.int(0, 9)}`;
    seq += luck.flip(0.9) ? 1 : -luck.int(0, 3);
    if (seq < 1) seq = 1;
    const repeats = last !== null && luck.flip(0.05);
    const message = repeats ? last! : { id: `${boot}_${seq}`, body: body() };
    if (last !== null && luck.flip(0.03)) message.id = last.id;
    last = { ...message };
    site.witness.count("lies told");
    for (const hub of site.hubs) {
      const seconds = Math.floor(life.wall() / 1_000) + (plain ? 0 : luck.pick([0, 0, 0, 200, -200]));
      const headers = await sign([keyOf(vantage)], message.id, seconds, message.body, hmac);
      await site.net.call(`liar-${hub.name}`, life, 5_000, () => {
        const there = hub.current();
        return there === null
          ? null
          : { life: there.life, answer: takeReport(site, hub, { ...headers }, message.body, true) };
      });
    }
  };
  void send();
}
