import type { Cause } from "../cause.ts";
import type { Group, House } from "../config/house.ts";
import { adviceFor, findMachine } from "../diagnosis/advice.ts";
import { findCause } from "../diagnosis/causes.ts";
import type { Finding } from "../diagnosis/finding.ts";
import { isElsewhere } from "../diagnosis/neighbour-rows.ts";
import { type Scene, sceneOf } from "../diagnosis/scene.ts";
import { forwardingEvidence, speakerEvidence, whose } from "../diagnosis/sentences.ts";
import { summarise } from "../diagnosis/summary.ts";
import type { HostFacts } from "../facts.ts";
import { LAYER2_FAILURES } from "../failure.ts";
import { emptyView, recordFacts, recordObservation, type SiteView } from "../history.ts";
import type { CheckResult, Observation } from "../observation.ts";
import { SECOND } from "../units.ts";
import { ping } from "../what-to-type.ts";
import type { Examination, LinkSight } from "./examination.ts";
import { dropsEverything } from "./filter.ts";
import { list } from "./finding.ts";
import type { Named } from "./joining.ts";

/** The name of this machine in every sentence. */
export const HERE = "here";
/** One look stands for as many rounds as a verdict wants: each of its checks had three tries. */
const ROUNDS = 3;
/** One look at the host stands as if it had been so for this long: longer than any row of the table waits. */
const STOOD = 20 * SECOND;

/** The scene of one group as the hub's own table of causes wants it, with this machine for the only vantage. */
export function sceneHere(exam: Examination, group: Group): Scene {
  const sight = exam.links.find((known) => known.link === group.link?.name) ?? null;
  const facts = sight?.facts ?? factsFromAfar(exam, group);
  const host = group.host ?? (facts === null ? null : HOST);
  const asked: Group = { ...group, host };
  const house: House = {
    ...exam.house,
    groups: exam.house.groups.map((known) => (known.name === group.name ? asked : known)),
    hosts: host === null ? exam.house.hosts : { ...exam.house.hosts, [host.name]: host },
    vantages: [
      {
        name: HERE,
        where: exam.where === "host" ? "lan" : exam.where,
        key_file: "",
        optional: true,
        muted: false,
        heal: false,
      },
    ],
  };
  let view: SiteView = emptyView(house, 10 * SECOND);
  if (host !== null && facts !== null) {
    view = recordFacts(view, host.name, facts, 0);
    view = recordFacts(view, host.name, facts, STOOD);
  }
  for (let seq = 1; seq <= ROUNDS; seq++) {
    view = recordObservation(view, observationOf(exam, seq), STOOD - (ROUNDS - seq) * SECOND, 0);
  }
  return sceneOf(view, house, asked, STOOD, 0);
}

/** A host that is not declared, for its facts to have an owner. */
const HOST: NonNullable<Group["host"]> = {
  name: HERE,
  listen: "unix:/",
  armed: false,
  guard: false,
  journal: "/",
};

function observationOf(exam: Examination, seq: number): Observation {
  return {
    type: "hairpin.observation.v1",
    aud: exam.house.site,
    vantage: HERE,
    boot_id: HERE,
    seq,
    observed_at: "1970-01-01T00:00:00.000Z",
    mono_ms: seq * SECOND,
    control: exam.control,
    checks: exam.where === "host" ? exam.checks.flatMap(onHost) : [...exam.checks],
  };
}

/** The host's own packets are translated before they meet ARP, so what they run into says nothing of who answers (facts/l2). */
function onHost(check: CheckResult): CheckResult[] {
  if (check.check === "link" || check.check === "speaker" || check.check === "neighbour") return [];
  return [check.ok || !LAYER2_FAILURES.has(check.failure!) ? check : { ...check, failure: "no_reply" }];
}

/**
 * At a vantage the host says nothing itself; yet the MAC that it answers with for its own address is its parent's, and a MAC that this
 * machine holds while who-has is answered by the link is one that was right before.
 */
function factsFromAfar(exam: Examination, group: Group): HostFacts | null {
  const { link } = group;
  if (link === null) return null;
  const held = exam.checks.flatMap(({ evidence }) => {
    const mac = evidence?.mac ?? null;
    const isRight = evidence?.asked === true && (evidence.answers ?? []).every((answer) => answer.mac === link.mac);
    return mac !== null && mac !== link.mac && isRight && (evidence?.answers ?? []).length > 0 ? [mac] : [];
  });
  if (exam.neighbourOfHost === null && held.length === 0) return null;
  const mac = exam.neighbourOfHost?.mac ?? null;
  return { ...UNKNOWN, former_macs: [...new Set(held)], parent: { exists: null, up: null, mac } };
}

const UNKNOWN: HostFacts = {
  node: null,
  boot_id: HERE,
  revision: 0,
  armed: false,
  guard: true,
  paused_until: null,
  link: {
    exists: null,
    up: null,
    kind: null,
    mode: null,
    mac: null,
    parent: null,
    ifindex: null,
    rp_filter: null,
    arp_ignore: null,
  },
  parent: { exists: null, up: null, mac: null },
  ports: null,
  brnf: null,
  rp_filter_drops: null,
  neighbours: null,
  speaker: { listening: null, pods: null, announcing: null, announce_failed: null },
  endpoints: null,
  advertised: null,
  kubernetes: { reachable: null, detail: null },
  former_macs: [],
  guard_log: [],
  guard_stopped: false,
  in_flight: null,
  budget_left_hour: 0,
  breaker: "closed",
  journal: "ok",
};

const LINK_CAUSES: ReadonlySet<Cause> = new Set<Cause>([
  "parent_missing",
  "parent_down",
  "link_missing",
  "link_down",
  "link_drifted",
]);

/** The cause of one group as far as it can be named from here; null when nothing fails. */
export function nameCause(exam: Examination, group: Group): Named | null {
  const scene = sceneHere(exam, group);
  const found = findCause(scene);
  const sight = exam.links.find((known) => known.link === group.link?.name) ?? null;
  const own =
    found !== null && LINK_CAUSES.has(found.cause)
      ? null
      : sight === null
        ? null
        : onlyHost(scene, sight, strangersOf(exam, scene));
  const finding = own ?? found;
  if (finding === null || finding.cause === "announced_elsewhere") return null;
  const cut = finding.cause === "not_announced" ? cutOff(exam, scene, finding) : null;
  if (cut !== null) return { group: group.name, by: "here", ...cut };
  const said = sayHere(exam, scene, finding, own !== null);
  return { group: group.name, cause: finding.cause, evidence: finding.evidence, by: "here", ...said };
}

/** Where the host itself is not answered for either, its speaker is not what to look at. */
function cutOff({ where, hostHeard }: Examination, scene: Scene, finding: Finding): Omit<Named, "group" | "by"> | null {
  if (where === "host" || hostHeard == null || hostHeard.heard) return null;
  const parent = scene.group.link?.parent ?? "BRIDGE";
  const node = scene.group.speaker?.node ?? "the host";
  const addresses = list(scene.targets.flatMap((target) => target.addresses));
  return {
    cause: "lan_path",
    summary: `Neither ${addresses} nor the host itself (${hostHeard.address}) is answered for here: the way to ${node}, or ${node} is off.`,
    evidence: [...finding.evidence, `${HERE}: nobody answers who-has ${hostHeard.address}.`],
    advice: `${ping(hostHeard.address)}; ip -br link show master ${parent}   # the latter on ${node}; then the cable and the switch`,
  };
}

type Said = Pick<Named, "summary" | "advice">;

/** The sentence and the command; `isOwn`: what the host alone found, which concerns the finding's targets and no others. */
function sayHere(exam: Examination, scene: Scene, finding: Finding, isOwn: boolean): Said {
  const { cause, targets } = finding;
  if (exam.where === "host" && cause === "unclassified") return lostOnHost(scene, finding);
  if (cause === "site_network") return OWN_PATH;
  const concerned = isOwn ? scene.targets.filter((target) => targets.includes(target.name)) : scene.targets;
  const summary = summarise({ ...scene, targets: concerned }, "failing", cause);
  if (!isOwn || cause !== "mac_conflict") return { summary, advice: adviceFor(cause, scene, targets) };
  const macs = strangersOf(exam, scene).flatMap((stranger) => stranger.macs);
  return { summary, advice: findMachine([...new Set(macs)], scene.facts?.node ?? "this host") };
}

/** One machine cannot tell whether it is the site's network or its own cable. */
const OWN_PATH: Said = {
  summary: "This machine does not reach its own gateway or reference: nothing can be said of the addresses from here.",
  advice:
    "ip -br link; ip -br address; ip route   # cable, address, default route; then hairpin doctor on another machine",
};

/**
 * The host's own packets run into time-outs: kube-proxy, the filter or the pod. An address that is fine beside it leaves the pod as
 * the likelier one.
 */
function lostOnHost(scene: Scene, finding: Finding): Said {
  const lost = scene.targets.filter((target) => finding.targets.includes(target.name));
  const addresses = list(lost.flatMap((target) => target.addresses));
  const others = scene.looks.some((look) => look.good);
  const pods = adviceFor("service_down", scene, finding.targets);
  return others
    ? {
        summary: `This host does not reach ${addresses} itself, and others are fine: rather the pods behind it than kube-proxy.`,
        advice: pods,
      }
    : {
        summary: `This host does not reach ${addresses} itself: kube-proxy's rules or the pods behind them, not ARP.`,
        advice: [pods, adviceFor("not_forwarded", scene, finding.targets)].filter((each) => each !== null).join("; "),
      };
}

/** MACs that answer on the parent and are neither the link's nor another declared node's. */
export function strangersOf(exam: Examination, scene: Scene): readonly { address: string; macs: readonly string[] }[] {
  const known = new Set([scene.linkMac, ...scene.alsoMacs]);
  const own = new Set(scene.targets.flatMap((target) => target.addresses));
  return (exam.strangers ?? [])
    .filter(({ address }) => own.has(address))
    .map(({ address, macs }) => ({ address, macs: macs.filter((mac) => !known.has(mac)) }))
    .filter(({ macs }) => macs.length > 0);
}

/** What the host knows without any vantage: a who-has is not answered to the host itself, but what keeps it silent can be read here. */
function onlyHost(scene: Scene, sight: LinkSight, strangers: ReturnType<typeof strangersOf>): Finding | null {
  const { facts } = sight;
  const parent = scene.group.link?.parent ?? "";
  const give = (cause: Cause, services: readonly string[] | null, evidence: readonly string[]): Finding => ({
    cause,
    evidence,
    vantages: [],
    targets: scene.targets
      .filter((target) => services === null || (target.service !== null && services.includes(target.service)))
      .map((target) => target.name),
  });
  const advertised = facts.advertised ?? [];
  const onParent = advertised.filter(
    (entry) => entry.covered && (entry.interfaces === null || entry.interfaces.includes(parent)),
  );
  const reasons = (entries: typeof advertised) =>
    entries.map((entry) => `${entry.service}: ${entry.reason ?? `announced on ${entry.interfaces?.join(", ")}`}.`);
  const names = (entries: readonly { service: string }[]) => entries.map((entry) => entry.service);
  if (onParent.length > 0) return give("announced_on_parent", names(onParent), reasons(onParent));
  if (strangers.length > 0)
    return {
      cause: "mac_conflict",
      evidence: strangers.map(
        ({ address, macs }) =>
          `who-has ${address} on ${parent} is answered by ${macs.map((mac) => whose(mac, scene)).join(" and ")}.`,
      ),
      vantages: [],
      targets: scene.targets
        .filter((target) => strangers.some(({ address }) => target.addresses.includes(address)))
        .map((target) => target.name),
    };
  const uplinks = (facts.ports ?? []).filter((port) => port.uplink === true);
  if (uplinks.length > 0 && uplinks.every((port) => port.carrier === false))
    return give("lan_path", null, [`No uplink has a carrier: ${uplinks.map((port) => port.name).join(", ")}.`]);
  const elsewhere = advertised.filter(isElsewhere);
  if (elsewhere.length > 0) return give("not_announced", names(elsewhere), reasons(elsewhere));
  // What another declared node announces is seen from a vantage: here it is no finding.
  const uncovered = advertised.filter((entry) => !entry.covered && (entry.nodes ?? []).length === 0);
  if (uncovered.length > 0) return give("not_advertised", names(uncovered), reasons(uncovered));
  const empty = (facts.endpoints ?? []).filter((entry) => entry.ready === 0);
  if (empty.length > 0)
    return give(
      "no_endpoints",
      names(empty),
      empty.map((entry) => `${entry.service}: no endpoint is ready.`),
    );
  if (facts.speaker.listening === false || facts.speaker.announce_failed === true)
    return give("not_announced", null, speakerEvidence(scene));
  if (dropsEverything(sight)) return give("not_forwarded", null, forwardingEvidence(scene));
  return null;
}
