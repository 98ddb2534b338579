import { DurableObject } from "cloudflare:workers";
import type {
  AskOutcome,
  FleetPort,
  HeartbeatOutcome,
  RelayedHeal,
  SignedText,
  SitePort,
  SiteStatus,
} from "../../core/edge/port.ts";
import type { HealEnvelope, SiteSettings } from "../../core/edge/wire.ts";
import { createEdgeSite } from "../../engine/edge-site.ts";
import { openEdgeSite } from "../../engine/edge-store.ts";
import { readJson } from "../../hooks/json.ts";
import { digest, hmac } from "./crypto.ts";
import type { EdgeEnv } from "./env.ts";
import { log } from "./log.ts";
import { outsidePorts } from "./probes.ts";
import { send } from "./send.ts";
import { durableSql } from "./store.ts";

/** An alarm in the past would fire at once, and again while the work that it is for is still under way. */
const ALARM_SOONEST = 1_000;
/** When a tick threw: soon, but not in a loop. */
const ALARM_AFTER_ERROR = 30_000;

/** One site: its keys, its dead-man's switch, its alerts. The object is named after the site. */
export class Site extends DurableObject<EdgeEnv> implements SitePort {
  readonly #site: SitePort;

  constructor(ctx: DurableObjectState, env: EdgeEnv) {
    super(ctx, env);
    const store = openEdgeSite(this.sql());
    this.#site = createEdgeSite({
      store,
      fleet: env.FLEET.getByName("fleet") as unknown as FleetPort,
      hmac,
      digest,
      wall: () => Date.now(),
      chance: () => Math.random(),
      send,
      probes: outsidePorts(env.DOH_URL),
      readJson,
      arm: (at) => this.#arm(at),
      background: (work) => ctx.waitUntil(work),
      wipe: async () => {
        await ctx.storage.deleteAlarm();
        await ctx.storage.deleteAll();
        store.forget();
      },
      log: (fields, message) => log("error", { site: ctx.id.name, ...fields }, message),
    });
  }

  /** Apart, so that a measurement can count the rows. */
  protected sql() {
    return durableSql(this.ctx.storage);
  }

  /** The alarm is one, and fires at the earliest time that was asked for; each costs a row, so a later one is not set. */
  async #arm(at: number): Promise<void> {
    const wanted = Math.max(at, Date.now() + ALARM_SOONEST);
    const armed = await this.ctx.storage.getAlarm();
    if (armed === null || armed > wanted) await this.ctx.storage.setAlarm(wanted);
  }

  /**
   * Never throws: the platform would try six times, and then there would be no alarm any more. The next cron finds the site in any
   * case.
   */
  override async alarm(): Promise<void> {
    try {
      await this.#site.tick();
    } catch (error) {
      log(
        "error",
        { site: this.ctx.id.name, error: error instanceof Error ? error.stack : String(error) },
        "a tick failed",
      );
      try {
        await this.#arm(Date.now() + ALARM_AFTER_ERROR);
      } catch {
        // Then cron is what is left.
      }
    }
  }

  tick(): Promise<void> {
    return this.#site.tick();
  }
  heartbeat(signed: SignedText): Promise<HeartbeatOutcome> {
    return this.#site.heartbeat(signed);
  }
  askHeal(envelope: HealEnvelope): Promise<AskOutcome> {
    return this.#site.askHeal(envelope);
  }
  heal(id: string): Promise<RelayedHeal | null> {
    return this.#site.heal(id);
  }
  status(): Promise<SiteStatus | null> {
    return this.#site.status();
  }
  isToken(token: string): Promise<boolean> {
    return this.#site.isToken(token);
  }
  put(site: string, settings: SiteSettings): Promise<"added" | "changed"> {
    return this.#site.put(site, settings);
  }
  remove(): Promise<boolean> {
    return this.#site.remove();
  }
  test(): Promise<number | null> {
    return this.#site.test();
  }
}
