import type { House } from "./config/house.ts";
import type { HostFacts } from "./facts.ts";
import { type EventDraft, quietDraft } from "./group.ts";
import type { SiteView } from "./history.ts";
import { type Instant, MINUTE, type Millis, sayDuration } from "./units.ts";

/** One vantage's silence is told after this long; all of them together sooner (faults.md, `vantage_silent`, row 37). */
const ONE_SILENT: Millis = 10 * MINUTE;
const ALL_SILENT: Millis = 3 * MINUTE - 10_000;

/** What was said of vantages, certificates and the guard, so that it is said once. Plain JSON, saved with the groups. */
export interface WatchState {
  readonly silent: readonly string[];
  readonly certificates: readonly string[];
  /** The last guard entry that was told, by host. */
  readonly guardSeen: Readonly<Record<string, string>>;
  readonly guardStopped: readonly string[];
}

export const initialWatch = (): WatchState => ({ silent: [], certificates: [], guardSeen: {}, guardStopped: [] });

export interface Watched {
  readonly state: WatchState;
  readonly drafts: readonly EventDraft[];
}

/** Tells silence and return of vantages, and certificates that will end. Silence is a finding of its own, never a vote. */
export function watchVantages(state: WatchState, view: SiteView, house: House, now: Instant): Watched {
  const watched = house.vantages.filter((vantage) => !vantage.optional);
  const quietFor = (name: string) => now.mono - (view.vantages[name]?.at ?? view.startedAt);
  const allSilent = watched.length > 0 && watched.every((vantage) => quietFor(vantage.name) > ALL_SILENT);
  const drafts: EventDraft[] = [];
  let silent = state.silent;
  for (const { name } of watched) {
    const isSilent = allSilent || quietFor(name) > ONE_SILENT;
    if (isSilent && !silent.includes(name)) {
      silent = [...silent, name];
      const message = `Nothing has been heard from ${name} for ${sayDuration(quietFor(name))}. It casts no vote.`;
      const advice = `systemctl status hairpin-vantage   # on ${name}; in Home Assistant: the app's log`;
      drafts.push(
        quietDraft("vantage_silent", "all", `Vantage ${name} is silent`, message, { cause: "vantage_silent", advice }),
      );
    } else if (silent.includes(name) && view.vantages[name]?.at != null && quietFor(name) < view.freshFor) {
      // Heard by this hub: that the hub has just started is no word of a vantage.
      silent = silent.filter((other) => other !== name);
      drafts.push(quietDraft("vantage_back", "all", `Vantage ${name} is back`, `${name} is heard again.`));
    }
  }
  const certificates = expiring(state.certificates, view, house);
  return { state: { ...state, silent, certificates: certificates.told }, drafts: [...drafts, ...certificates.drafts] };
}

/** A certificate is told once when fewer days are left than its check wants, by its fingerprint. */
function expiring(
  told: readonly string[],
  view: SiteView,
  house: House,
): { told: readonly string[]; drafts: readonly EventDraft[] } {
  const drafts: EventDraft[] = [];
  let known = told;
  for (const target of house.targets) {
    for (const check of target.checks) {
      if (check.kind !== "https") continue;
      const samples = Object.values(view.vantages).flatMap(
        (vantage) => vantage.checks[`${target.name}/${check.id}`]?.samples.at(-1) ?? [],
      );
      const seen = samples.map((sample) => sample.evidence.certificate).find((found) => found?.days_left != null);
      if (seen?.days_left == null || seen.days_left >= check.cert_days_min || seen.days_left < 0) continue;
      const key = `${target.name}/${check.id}/${seen.fingerprint ?? seen.valid_to ?? ""}`;
      if (known.includes(key)) continue;
      known = [...known, key].slice(-256);
      const title = `The certificate of ${check.host} ends in ${Math.floor(seen.days_left)} days`;
      drafts.push(
        quietDraft(
          "certificate_expiring",
          target.name,
          title,
          `Valid to ${seen.valid_to}, issued by ${seen.issuer ?? "?"}.`,
          { cause: "certificate" },
        ),
      );
    }
  }
  return { told: known, drafts };
}

/** Tells what the guard did since the last facts. An entry that is older than this hub is not told again. */
export function guardEvents(state: WatchState, host: string, facts: HostFacts): Watched {
  const last = state.guardSeen[host];
  const index = last === undefined ? -1 : facts.guard_log.findIndex((entry) => entry.id === last);
  const fresh = last === undefined ? facts.guard_log : facts.guard_log.slice(index + 1);
  const drafts = fresh
    .filter((entry) => entry.outcome === "done")
    .map((entry) => {
      const words = { link_missing: "was gone", link_down: "was down", link_drifted: "was not as declared" }[
        entry.cause
      ];
      const message = `${entry.link} ${words}; the guard made it right${entry.ms === null ? "" : ` in ${sayDuration(entry.ms)}`}.`;
      return quietDraft("guard_repaired", "all", `${entry.link} was repaired`, message, {
        cause: entry.cause,
        healId: entry.id,
      });
    });
  const wasStopped = state.guardStopped.includes(host);
  const stopped: EventDraft[] = [];
  if (facts.guard_stopped && !wasStopped) {
    const detail =
      facts.guard_log.findLast((entry) => entry.outcome !== "done")?.detail ?? "Something keeps undoing the link.";
    const advice =
      "ip -ts monitor link; journalctl -g 'metallb|networkd|NetworkManager' --since -15min   # who deletes or changes it";
    stopped.push(
      quietDraft("guard_stopped", "all", "The guard has stopped", detail, {
        cause: facts.guard_log.at(-1)?.cause ?? null,
        advice,
      }),
    );
  }
  const guardStopped = facts.guard_stopped
    ? [...new Set([...state.guardStopped, host])]
    : state.guardStopped.filter((name) => name !== host);
  const newest = facts.guard_log.at(-1)?.id ?? last ?? "";
  return {
    state: { ...state, guardSeen: { ...state.guardSeen, [host]: newest }, guardStopped },
    drafts: [...drafts, ...stopped],
  };
}
