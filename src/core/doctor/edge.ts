import type { SiteStatus } from "../edge/port.ts";
import { type Millis, SECOND, sayDuration } from "../units.ts";
import { bad, type DoctorFinding, good, unknown, warning } from "./finding.ts";

/** The edge, asked from here. No heartbeat is sent for it: another start of a hub would be taken for the real one. */
export interface EdgeSight {
  /** Scheme and host. */
  readonly origin: string;
  /** `key_good`: it took the signature of what it then refused for its form. */
  readonly state: "key_good" | "key_refused" | "no_key" | "no_edge" | "unreachable";
  readonly detail: string | null;
  /** Its clock minus this one's, in milliseconds; null when it does not say. */
  readonly skew: Millis | null;
  readonly every: Millis | null;
  readonly silence: Millis | null;
  /** What it knows of the site, with the status of its answer; null: no token was at hand. */
  readonly known: { readonly status: number; readonly site: SiteStatus | null } | null;
}

const SKEW_WARNS: Millis = 30 * SECOND;
const SKEW_REFUSED: Millis = 300 * SECOND;

/** Heartbeats: whether they can be accepted, and whether they are. Pure and total. */
export function edgeFindings(sight: EdgeSight, isHub: boolean | null = null): readonly DoctorFinding[] {
  if (sight.state === "unreachable" || sight.state === "no_edge") return [away(sight, isHub)];
  return [...clock(sight), ...key(sight), ...pace(sight), ...heard(sight)];
}

function away({ origin, state, detail }: EdgeSight, isHub: boolean | null): DoctorFinding {
  const text =
    state === "no_edge"
      ? `What answers at ${origin} is not an edge of hairpin.`
      : `The edge at ${origin} does not answer: when this house goes dark nobody outside notices.`;
  const advice =
    state === "no_edge" ? "hairpin edge deploy   # and edge.url in hairpin.yaml" : `curl -sv ${origin}/healthz`;
  const known = detail === null ? [] : [detail];
  return isHub === false
    ? warning("edge", `${text} From here; what counts is the hub's machine.`, known, advice)
    : bad("edge", text, known, advice);
}

function clock({ skew, origin }: EdgeSight): DoctorFinding[] {
  if (skew === null) return [];
  const apart = Math.abs(skew);
  const words = `The clock of ${origin} is ${sayDuration(apart)} ${skew > 0 ? "ahead of" : "behind"} this machine's`;
  const advice = "timedatectl status   # is the time synchronised?";
  if (apart > SKEW_REFUSED) return [bad("edge", `${words}: signatures are refused beyond 5 min.`, [], advice)];
  if (apart > SKEW_WARNS)
    return [warning("edge", `${words}: a request to heal lives for 60 s, by the clocks of both ends.`, [], advice)];
  return [];
}

function key({ state, origin, detail }: EdgeSight): DoctorFinding[] {
  const evidence = detail === null ? [] : [detail];
  if (state === "key_good") return [good("edge", `The edge at ${origin} answers, and takes this house's key.`)];
  if (state === "no_key")
    return [unknown("edge", "The site's key is not on this machine: whether the edge takes it was not asked.")];
  return [
    bad(
      "edge",
      `The edge at ${origin} refuses this house's key, or does not know the site.`,
      evidence,
      "hairpin edge add-site",
    ),
  ];
}

function pace({ every, silence }: EdgeSight): DoctorFinding[] {
  if (every === null || silence === null) return [];
  if (silence < every) return [bad("edge", "edge.silence is shorter than edge.every: the site is dark all the time.")];
  if (silence < 2 * every)
    return [
      warning("edge", "edge.silence is less than twice edge.every: one heartbeat that is lost, and the site is dark."),
    ];
  return [];
}

function heard({ known }: EdgeSight): DoctorFinding[] {
  if (known === null)
    return [unknown("edge", "What the edge has heard was not asked: no token of it is at hand here.")];
  if (known.site === null) {
    const why = known.status === 404 ? "does not know this site" : `answered ${known.status} to the token at hand`;
    return [
      warning(
        "edge",
        `The edge ${why}.`,
        [],
        known.status === 404 ? "hairpin edge add-site" : "hairpin edge status --token-file FILE",
      ),
    ];
  }
  const { site } = known;
  const findings: DoctorFinding[] = [];
  if (site.state === "dark")
    findings.push(
      bad(
        "edge",
        `The edge holds ${site.site} for dark since ${site.since}.`,
        [site.summary],
        "systemctl status hairpin-hub",
      ),
    );
  else if (site.last_seen === null)
    findings.push(
      bad("edge", `No heartbeat of ${site.site} has come yet.`, [], "restart the hub: systemctl restart hairpin-hub"),
    );
  else
    findings.push(
      good(
        "edge",
        `The last heartbeat came at ${site.last_seen}; without another the site is dark at ${site.dark_at}.`,
      ),
    );
  if (site.receivers.length === 0)
    findings.push(
      warning(
        "edge",
        "The edge has nobody to tell when the house is dark.",
        [],
        "edge.notify in hairpin.yaml, then hairpin edge add-site",
      ),
    );
  for (const receiver of site.receivers.filter((one) => one.disabled !== null))
    findings.push(
      bad(
        "edge",
        `A receiver of the edge (${receiver.kind}) is disabled: ${receiver.disabled}.`,
        [],
        "hairpin edge add-site   # with a receiver that works",
      ),
    );
  for (const lost of site.deliveries.filter((delivery) => delivery.state === "dead").slice(0, 3))
    findings.push(
      warning("edge", `${lost.event} did not reach ${lost.receiver}: ${lost.last_error ?? lost.last_status}.`),
    );
  return findings;
}
