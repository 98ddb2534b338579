import { join } from "node:path";
import type { JoinToken } from "../../core/plan.ts";
import type { HealOutcome, HubStatus, VantageView, ViewedBroker } from "../../core/vantage-view.ts";
import { createSight, type Sight } from "../../engine/vantage-ingress.ts";
import { createHubAsks } from "../../engine/vantage-ingress-hub.ts";
import { createOutage } from "../../engine/vantage-ingress-outage.ts";
import { type HubWatch, watchHub } from "../../engine/vantage-ingress-watch.ts";
import type { VantageLog } from "../../engine/vantage-port.ts";
import type { Clock } from "../../probes/port.ts";
import { hmac } from "./hmac.ts";
import { packageVersion } from "./package-version.ts";
import { createSupervisor, followBroker, toldRecord } from "./supervisor.ts";
import { openHubLine } from "./vantage-line.ts";

export interface IngressChoice {
  /** ADDRESS:PORT of the page; null: no page, Home Assistant alone is told. */
  readonly listen: string | null;
  readonly from: readonly string[];
  readonly healButton: boolean;
  /** Null: not in Home Assistant. */
  readonly supervisor: { readonly url: string; readonly token: string } | null;
  /** Milliseconds; 0: Home Assistant is not told. */
  readonly hubGoneMs: number;
}

export interface IngressParts {
  readonly sight: Sight;
  readonly watch: HubWatch;
  /** Serves and tells until the signal aborts. Never rejects: a page that cannot be served must not stop the watching. */
  run(signal: AbortSignal): Promise<void>;
}

interface Ports {
  readonly clock: Clock;
  readonly log: VantageLog;
  readonly token: JoinToken;
  readonly bootId: string;
  readonly data: string;
}

/** What a vantage does in Home Assistant besides watching: its page, the notification when the hub is gone, the broker. */
export function createIngress(choice: IngressChoice, ports: Ports): IngressParts {
  const { clock, log, token } = ports;
  const sight = createSight();
  const watch = watchHub(clock, token);
  let broker: ViewedBroker | null = null;
  let isTold: () => boolean = () => false;
  const version = packageVersion();
  const view = (): VantageView => ({
    site: token.site,
    vantage: token.vantage,
    version,
    ...sight.seen(),
    hub: watch.shown(),
    broker,
    told: isTold(),
    heal_button: choice.healButton,
  });

  async function serve(listen: string, signal: AbortSignal): Promise<void> {
    // Of its own, since the other two are taken by a report and by the long poll. It is not watched: a hub that takes no heals from
    // here, or is slow to say its status, is not gone.
    const line = openHubLine(token.hub);
    const asks = createHubAsks({ ...ports, hub: line, hmac });
    // A browser that goes away must not cut off an answer that other pages wait for.
    const parts: { status: () => Promise<HubStatus | null>; heal: (reason: string) => Promise<HealOutcome> } = {
      status: () => asks.status(signal),
      heal: (reason) => asks.heal(reason, signal),
    };
    try {
      const { serveIngress } = await import("./ingress.ts");
      const listening = await serveIngress(listen, { view, ...parts, from: choice.from, log });
      log("info", { event: "ingress", listen: listening.where, from: choice.from }, "the page is served");
      await clock.sleep(2 ** 31 - 1, signal);
      await listening.close();
    } catch (error) {
      log("error", { listen, detail: (error as Error).message }, "the page cannot be served; the watching goes on");
    } finally {
      await line.close();
    }
  }

  async function tell(supervisor: NonNullable<IngressChoice["supervisor"]>, signal: AbortSignal): Promise<void> {
    const line = openHubLine(supervisor.url);
    const home = createSupervisor(line, supervisor.token);
    const found = (next: ViewedBroker | null) => {
      if (next !== null && broker === null)
        log("info", { event: "broker", ...next }, "Home Assistant has a broker: hairpin.yaml may name it under notify");
      broker = next;
    };
    const work = [followBroker(home, clock.sleep, found, signal)];
    if (choice.hubGoneMs > 0) {
      const record = toldRecord(join(ports.data, "hub-gone-told"));
      const outage = createOutage({ clock, log, hub: watch, bell: home.bell, record, token, after: choice.hubGoneMs });
      isTold = outage.isTold;
      work.push(outage.run(signal));
    }
    await Promise.all(work);
    await line.close();
  }

  return {
    sight,
    watch,
    async run(signal) {
      await Promise.all([
        choice.listen === null ? undefined : serve(choice.listen, signal),
        choice.supervisor === null ? undefined : tell(choice.supervisor, signal),
      ]);
    },
  };
}
