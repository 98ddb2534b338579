import type { EventData, EventKind } from "../event.ts";
import { sayDuration, type WallMillis } from "../units.ts";
import type { SiteState } from "./site.ts";
import type { OutsideObservation, StatusMirror } from "./wire.ts";

/** How many findings from outside an alert names; the page has them all. */
const OUTSIDE_NAMED = 3;

const utc = (at: WallMillis): string => new Date(at).toISOString();
const clock = (at: WallMillis): string => utc(at).slice(0, 19).replace("T", " ");

export function darkData(state: SiteState, now: WallMillis): EventData {
  const silent = now - (state.heard_at ?? state.registered_at);
  const message =
    state.heard_at === null
      ? `No heartbeat has ever come since the site was registered ${sayDuration(silent)} ago. Is the hub running, with this edge and its key in hairpin.yaml?`
      : `The house has been silent for ${sayDuration(silent)}, since ${clock(state.heard_at)} UTC: power, Internet or the hub itself. ${lastWords(state.status)}${fromOutside(state.observations)}`;
  return dataOf(state, "site_dark", `${state.site} is dark`, message, utc(state.heard_at ?? state.registered_at));
}

/** The last known diagnosis: it tells a power cut from a trouble that had already begun. */
function lastWords(last: StatusMirror | null): string {
  if (last === null) return "Nothing is known of its state.";
  const cause = last.cause === null ? "" : ` (${last.cause})`;
  return `The last it said: ${last.state}${cause}. ${last.summary}`;
}

/** A public name that still answers means that the house has its power and its line: then only the hub is gone. */
function fromOutside(outside: readonly OutsideObservation[]): string {
  if (outside.length === 0) return "";
  const failing = outside.filter((seen) => !seen.ok);
  if (failing.length === 0)
    return ` From outside its public names still answer (${outside.length} of ${outside.length}): it is the hub that is gone, or its way out.`;
  const named = failing.slice(0, OUTSIDE_NAMED).map((seen) => `${seen.id} ${seen.failure ?? "fails"}`);
  const more = failing.length > OUTSIDE_NAMED ? ` and ${failing.length - OUTSIDE_NAMED} more` : "";
  return ` From outside: ${named.join(", ")}${more}; ${outside.length - failing.length} of ${outside.length} answer.`;
}

export function backData(before: SiteState, now: WallMillis, status: StatusMirror): EventData {
  const from = before.heard_at ?? before.registered_at;
  const message =
    before.heard_at === null
      ? `The first heartbeat has come. It says ${status.state}: ${status.summary}`
      : `Heartbeats come again after ${sayDuration(now - from)} of silence, since ${clock(from)} UTC. It says ${status.state}: ${status.summary}`;
  return dataOf({ ...before, status }, "site_back", `${before.site} is back`, message, utc(from));
}

export function testData(state: SiteState): EventData {
  const message = "This is only a test: the edge's alerts arrive here.";
  return dataOf(state, "test", `A test from the edge of ${state.site}`, message, null);
}

function dataOf(state: SiteState, event: EventKind, title: string, message: string, since: string | null): EventData {
  const last = state.status;
  return {
    schema: "hairpin/alert/1",
    event,
    site: state.site,
    target: "all",
    // The house's word, and the edge only repeats it: it stands in the message.
    cause: null,
    title,
    message: message.slice(0, 2_000),
    since,
    vantages_failing: [],
    incident: null,
    heal_id: null,
    can_heal: false,
    status_url: state.origin === null ? null : `${state.origin}/v1/sites/${state.site}/status`,
    advice:
      event === "site_dark" && last !== null && last.state !== "ok" ? "It was not well before it fell silent." : null,
    held_by: null,
  };
}
