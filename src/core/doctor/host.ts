import type { Group } from "../config/house.ts";
import type { LinkConfig } from "../config/schema.ts";
import { drift } from "../drift.ts";
import type { HostFacts } from "../facts.ts";
import type { LinkSight, ProcessSight } from "./examination.ts";
import { filterFinding } from "./filter.ts";
import { bad, type DoctorFinding, good, list, unknown, warning } from "./finding.ts";
import { needFinding } from "./need.ts";
import { portFindings } from "./ports.ts";

/** What the host knows of one link: from the parent up to the process that guards it. */
export function hostFindings(sight: LinkSight, group: Group): readonly DoctorFinding[] {
  const link = group.link;
  if (link === null) return [];
  return [
    ...parentFindings(sight, link),
    ...linkFindings(sight.facts, link),
    ...portFindings(sight, link),
    ...filterFinding(sight, link),
    ...speakerFindings(sight, group, link),
    ...kubernetesFindings(sight.facts, group),
    ...advertisementFindings(sight.facts, link),
    ...bgpFindings(sight.facts, group),
    ...endpointFindings(sight.facts),
    ...processFindings(sight.process, link),
    needFinding(sight, link),
  ];
}

function parentFindings({ facts, parentKind }: LinkSight, link: LinkConfig): DoctorFinding[] {
  const { parent } = facts;
  if (parent.exists === null)
    return [unknown("parent", "The links were not looked at: `ip` is not installed.", "apt install iproute2")];
  const show = `ip -d link show ${link.parent}`;
  if (!parent.exists) return [bad("parent", `${link.parent} is not there, and ${link.name} sits on it.`, [], show)];
  if (parent.up === false) return [bad("parent", `${link.parent} is down.`, [], `ip link set ${link.parent} up`)];
  const kind = parentKind === null ? "a network card" : `a ${parentKind}`;
  return [good("parent", `${link.parent} is there, up, ${kind}, and has the MAC ${parent.mac}.`)];
}

function linkFindings({ link: is }: HostFacts, link: LinkConfig): DoctorFinding[] {
  const ensure = "hairpin link show; hairpin link ensure";
  if (is.exists === null) return [unknown("link", `${link.name} was not looked at.`)];
  if (!is.exists) return [bad("link", `${link.name} is not there.`, [`ip link shows no ${link.name}.`], ensure)];
  if (is.up === false) return [bad("link", `${link.name} is down.`, ["The flag UP is missing."], ensure)];
  const differences = drift(is, link);
  if (differences.length > 0) return [bad("link", `${link.name} is not as declared.`, differences, ensure)];
  const text = `${link.name} is as declared: up, MAC ${is.mac}, mode ${is.mode} on ${is.parent}, rp_filter ${is.rp_filter}, arp_ignore ${is.arp_ignore}.`;
  return [good("link", text)];
}

function speakerFindings(sight: LinkSight, group: Group, link: LinkConfig): DoctorFinding[] {
  const { facts, otherListeners, gratuitousInterval } = sight;
  const { listening, pods, announcing, announce_failed } = facts.speaker;
  const namespace = group.speaker?.namespace ?? "metallb-system";
  const look = `kubectl -n ${namespace} get pods -o wide`;
  const findings: DoctorFinding[] = [];
  const here = pods?.filter((pod) => pod.node === group.speaker?.node) ?? null;
  if (facts.link.exists !== true)
    findings.push(unknown("speaker", `Nobody can listen on ${link.name}: it is not there.`));
  else if (listening === false) {
    const others = otherListeners.length > 0 ? [`ARP is listened to on ${list(otherListeners)}.`] : [];
    const known = [
      `/proc/net/packet has no ARP socket on ifindex ${facts.link.ifindex}; a link younger than 10 s has none yet.`,
      ...others,
    ];
    findings.push(bad("speaker", `No speaker listens on ${link.name}.`, known, `${look}; hairpin heal`));
  } else if (listening === null) findings.push(unknown("speaker", "The packet sockets could not be read."));
  else {
    const said = announcing === null || announcing.length === 0 ? "" : `, and announces ${list(announcing)}`;
    findings.push(good("speaker", `A speaker listens on ${link.name} (ifindex ${facts.link.ifindex})${said}.`));
  }
  if (announce_failed === true) {
    const known = ["Kubernetes has an announceFailed event that is newer than the speaker and any ServiceL2Status."];
    findings.push(
      bad(
        "speaker",
        "The speaker looked before the link was there, and does not try again.",
        known,
        "hairpin heal --step announce",
      ),
    );
  }
  if (here !== null && here.length === 0) {
    const text = `No pod of the speaker is on ${group.speaker!.node}.`;
    findings.push(bad("speaker", text, [`Pods in ${namespace} with ${group.speaker!.selector} were listed.`], look));
  }
  const unready = here?.filter((pod) => pod.ready === false) ?? [];
  if (unready.length > 0)
    findings.push(bad("speaker", `${list(unready.map((pod) => pod.name))} is not ready.`, [], look));
  if (gratuitousInterval === null) {
    const text = "The speaker repeats no gratuitous ARP: tables that have aged are not refreshed.";
    findings.push(
      warning(
        "speaker",
        text,
        ["Its arguments name no --gratuitous-arp-interval (MetalLB 0.16.2 has it)."],
        `kubectl -n ${namespace} edit daemonset speaker   # add --gratuitous-arp-interval=30s`,
      ),
    );
  }
  return findings;
}

function kubernetesFindings(facts: HostFacts, group: Group): DoctorFinding[] {
  const speaker = group.speaker;
  if (speaker === null) return [unknown("kubernetes", "Kubernetes was not asked: no `speaker:` is declared.")];
  const { reachable, detail } = facts.kubernetes;
  if (reachable !== true) {
    const text = "The Kubernetes API does not answer; a running speaker goes on, and is never restarted meanwhile.";
    return [
      bad(
        "kubernetes",
        text,
        detail === null ? [] : [detail],
        `kubectl --kubeconfig ${speaker.kubeconfig_file} get --raw /readyz`,
      ),
    ];
  }
  const missing = [
    facts.speaker.pods === null ? `pods in ${speaker.namespace}` : null,
    facts.speaker.announcing === null ? "servicel2statuses" : null,
    facts.advertised === null ? "l2advertisements and ipaddresspools" : null,
    facts.speaker.announce_failed === null && speaker.services.length > 0 ? "events" : null,
  ].filter((word) => word !== null);
  if (missing.length > 0) {
    const text = `The right to read ${list(missing)} is missing, so less can be told.`;
    return [
      warning("kubernetes", text, detail === null ? [] : [detail], "kubectl apply -f deploy/kubernetes/rbac.yaml"),
    ];
  }
  return [
    good("kubernetes", "The Kubernetes API answers, and all that hairpin reads may be read; writing was not tried."),
  ];
}

function advertisementFindings({ advertised }: HostFacts, link: LinkConfig): DoctorFinding[] {
  if (advertised === null) return [];
  const look = "kubectl -n metallb-system get l2advertisements,ipaddresspools -o yaml";
  const findings: DoctorFinding[] = [];
  for (const entry of advertised) {
    const others = entry.nodes ?? [];
    if (!entry.covered && others.length > 0)
      findings.push(good("advertisement", `${entry.service} is announced by ${list(others)}, which is declared.`));
    else if (!entry.covered)
      findings.push(
        bad(
          "advertisement",
          `${entry.service} is not advertised on ${link.name}.`,
          [`${entry.reason ?? "No L2Advertisement covers it"}.`],
          look,
        ),
      );
    else if (entry.interfaces === null || entry.interfaces.includes(link.parent))
      findings.push(
        bad(
          "advertisement",
          `${entry.service} is announced on ${link.parent} too, with its own MAC.`,
          [`${entry.reason ?? `interfaces: ${entry.interfaces?.join(", ")}`}.`],
          `kubectl -n metallb-system edit l2advertisement   # interfaces: [${link.name}]`,
        ),
      );
  }
  const fine = advertised.filter((entry) => entry.covered && entry.interfaces?.includes(link.parent) === false);
  if (fine.length > 0)
    findings.unshift(
      good(
        "advertisement",
        `${list(fine.map((entry) => entry.service))}: pool, node and interface of an L2Advertisement cover it on ${link.name}.`,
      ),
    );
  return findings;
}

/** BGP beside layer 2: mostly left over from a router that is gone, and a second way to the same addresses where it is not. */
function bgpFindings({ bgp }: HostFacts, group: Group): DoctorFinding[] {
  if (bgp == null || bgp.peers.length + bgp.advertisements.length === 0) return [];
  const say = (names: readonly string[], word: string) =>
    names.length === 0 ? [] : [`${word} ${list(names.slice(0, 4))}`];
  const found = [...say(bgp.peers, "BGPPeer"), ...say(bgp.advertisements, "BGPAdvertisement")];
  const text = `MetalLB also has ${list(found)}: left over, or a second way to the same addresses.`;
  const namespace = group.speaker?.namespace ?? "metallb-system";
  return [warning("advertisement", text, [], `kubectl -n ${namespace} get bgppeers,bgpadvertisements`)];
}

function endpointFindings({ endpoints }: HostFacts): DoctorFinding[] {
  if (endpoints === null || endpoints.length === 0) return [];
  const empty = endpoints.filter((entry) => entry.ready === 0);
  if (empty.length === 0)
    return [
      good("endpoints", `Ready endpoints: ${endpoints.map((entry) => `${entry.service} ${entry.ready}`).join(", ")}.`),
    ];
  return empty.map((entry) => {
    const [namespace] = entry.service.split("/");
    const text = `${entry.service} has no ready endpoint, so the speaker withdraws its address.`;
    return bad(
      "endpoints",
      text,
      ["Its EndpointSlices were read."],
      `kubectl -n ${namespace} get endpointslices,pods -o wide`,
    );
  });
}

function processFindings(process: ProcessSight | null, link: LinkConfig): DoctorFinding[] {
  if (process === null)
    return [warning("host_process", `No \`host:\` is declared: nothing makes ${link.name} again when it is gone.`)];
  if (!process.running) {
    if (process.isAsked === false)
      return [unknown("host_process", `hairpin host was not asked: ${process.detail}`, "sudo hairpin doctor")];
    const text = `hairpin host does not answer: nothing makes ${link.name} again when it is gone, and nothing is repaired.`;
    return [
      bad("host_process", text, [process.detail], "systemctl status hairpin-host; journalctl -u hairpin-host -n 20"),
    ];
  }
  const findings: DoctorFinding[] = [];
  if (process.guardStopped)
    findings.push(
      bad(
        "host_process",
        `The guard has given ${link.name} up: something keeps undoing it.`,
        ["hairpin host says so."],
        "hairpin link show; journalctl -u hairpin-host",
      ),
    );
  if (process.breakerOpen)
    findings.push(
      warning(
        "host_process",
        "The host's breaker is open: it refuses every remedy.",
        [],
        "hairpin explain; hairpin reset-breaker",
      ),
    );
  if (process.journal !== "ok")
    findings.push(
      warning(
        "host_process",
        `The host's journal is ${process.journal}: it refuses every remedy.`,
        [],
        "df -h; journalctl -u hairpin-host",
      ),
    );
  if (process.pausedUntil !== null)
    findings.push(
      warning(
        "host_process",
        `hairpin is paused until ${process.pausedUntil}: nothing is repaired.`,
        [],
        "hairpin resume",
      ),
    );
  if (!process.guard)
    findings.push(
      warning("host_process", `The guard is off: nothing makes ${link.name} again when it is gone.`, [
        "host.guard is false.",
      ]),
    );
  const text = `hairpin host runs: guard ${process.guard ? "on" : "off"}, ${process.armed ? "armed" : "not armed (it repairs nothing by inference)"}.`;
  return findings.length > 0 ? findings : [good("host_process", text)];
}
