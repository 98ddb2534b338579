import type { JoinToken } from "../core/plan.ts";
import type { Millis } from "../core/units.ts";
import type { Clock } from "../probes/port.ts";
import type { HubWatch } from "./vantage-ingress-watch.ts";
import type { VantageLog } from "./vantage-port.ts";

/** How often it is looked at, at most; a tenth of the time that an outage must last, so that it is told in time. */
const LOOK_MAX: Millis = 5_000;
const LOOK_MIN: Millis = 250;
/** Home Assistant may be restarting itself: twelve tries are 40 minutes, and then it is left at that. */
const TRIES_MAX = 12;
const RETRY_MAX: Millis = 300_000;

/** Home Assistant's notifications, through the supervisor. Each says whether it was taken; none rejects. */
export interface Bell {
  create(id: string, title: string, message: string, signal: AbortSignal): Promise<boolean>;
  dismiss(id: string, signal: AbortSignal): Promise<boolean>;
}

/** Whether an outage has been told: kept over a restart, so that it is told once and taken back. Neither rejects. */
export interface ToldRecord {
  read(): Promise<boolean>;
  write(told: boolean): Promise<void>;
}

export interface OutagePorts {
  readonly clock: Clock;
  readonly log: VantageLog;
  readonly hub: HubWatch;
  readonly bell: Bell;
  readonly record: ToldRecord;
  readonly token: Pick<JoinToken, "hub" | "site" | "vantage">;
  /** How long the hub must be gone. */
  readonly after: Millis;
}

export interface Outage {
  isTold(): boolean;
  run(signal: AbortSignal): Promise<void>;
}

/**
 * Tells Home Assistant when the hub is gone, since then nobody else does: once per outage, and takes it back when the hub answers.
 * A hub that comes and goes within the time is not told.
 */
export function createOutage(ports: OutagePorts): Outage {
  const { clock, log, hub, bell, token } = ports;
  const id = `hairpin_hub_${token.site}`;
  const lookEvery = Math.max(LOOK_MIN, Math.min(LOOK_MAX, ports.after / 10));
  let told = false;
  let wanted = false;
  let tries = 0;
  let nextAt: Millis = 0;

  async function look(signal: AbortSignal): Promise<void> {
    const badFor = hub.badFor();
    // Between the two nothing changes: a hub that has just fallen silent is not told, and one that was told stays so.
    const now = badFor === null ? false : badFor >= ports.after ? true : told;
    if (now !== wanted) {
      wanted = now;
      tries = 0;
      nextAt = 0;
    }
    if (wanted === told || tries >= TRIES_MAX || clock.mono() < nextAt) return;
    tries++;
    const { title, message } = wordsOf(hub, token);
    const isTaken = wanted ? await bell.create(id, title, message, signal) : await bell.dismiss(id, signal);
    if (signal.aborted && !isTaken) return;
    if (isTaken) {
      told = wanted;
      await ports.record.write(told);
      log(
        told ? "warn" : "info",
        { event: told ? "hub_gone_told" : "hub_back_told" },
        told ? title : "Home Assistant's notification is gone: the hub answers again",
      );
      return;
    }
    nextAt = clock.mono() + Math.min(RETRY_MAX, lookEvery * 2 ** (tries - 1));
    if (tries === 1 || tries === TRIES_MAX)
      log(
        "warn",
        { tries },
        `Home Assistant does not take a notification${tries === TRIES_MAX ? ": left at that" : ""}`,
      );
  }

  return {
    isTold: () => told,
    async run(signal) {
      told = await ports.record.read();
      wanted = told;
      while (!signal.aborted) {
        await look(signal);
        if (!signal.aborted) await clock.sleep(lookEvery, signal);
      }
    },
  };
}

function wordsOf(hub: HubWatch, token: OutagePorts["token"]): { readonly title: string; readonly message: string } {
  const { state, detail, answered_at } = hub.shown();
  const since = answered_at === null ? "since this app started" : `since ${answered_at.replace(/\.\d+Z$/, "Z")}`;
  if (state === "refuses")
    return {
      title: `hairpin: the hub refuses ${token.vantage}`,
      message: `The hub at ${token.hub} does not know this app's key ${since}: it was revoked, or the clocks differ by more than 5 minutes. A new token: \`hairpin token vantage ${token.vantage}\` where the hub runs; then paste it into the app's options.`,
    };
  return {
    title: "hairpin: the hub is gone",
    message: `The hub at ${token.hub} has not answered ${token.vantage} ${since} (${detail ?? "no answer"}). Until it is back nothing is diagnosed and nothing is repaired, except what the host's guard does by itself. This app goes on watching and keeps what it sees. Where the hub runs: \`systemctl status hairpin-hub\`.`,
  };
}
