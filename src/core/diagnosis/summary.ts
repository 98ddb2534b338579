import { isIpv6 } from "../address.ts";
import type { Assessment } from "../assessment.ts";
import type { Cause } from "../cause.ts";
import { failingVantages } from "./finding.ts";
import type { Scene } from "./scene.ts";
import { systemNotes } from "./sentences.ts";

const list = (names: readonly string[]): string =>
  names.length <= 1 ? (names[0] ?? "") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;

/** One sentence for a person: what is broken, and from where it is seen. */
export function summarise(scene: Scene, state: Assessment["state"], cause: Cause | null): string {
  if (cause === null) return calm(scene, state);
  const link = scene.group.link?.name ?? "the link";
  const parent = scene.group.link?.parent ?? "its parent";
  const named = concerned(scene);
  const addresses = list(named);
  const asking = named.length > 0 && named.every(isIpv6) ? "neighbour discovery" : "ARP";
  const many = addresses.includes(" and ");
  const are = many ? "are" : "is";
  const where = list(failingVantages(scene));
  const from = where === "" ? "" : ` from ${where}`;
  const seen = where === "" ? "" : `, seen${from}`;
  switch (cause) {
    case "parent_missing":
      return `${parent} is gone, and ${link} with it: the addresses cannot be announced.`;
    case "parent_down":
      return `${parent} is down: the addresses cannot be reached.`;
    case "link_missing":
      return `${link} is gone: nobody can be asked for the addresses.`;
    case "link_down":
      return `${link} is down: nobody answers for the addresses.`;
    case "link_drifted":
      return `${link} is not as declared.`;
    case "announced_on_parent":
      return `${addresses} ${are} answered with the MAC of ${parent} itself: an L2Advertisement without interfaces${seen}.`;
    case "speaker_stale_mac":
      return `The speaker answers for ${addresses} with a former MAC of ${link}.`;
    case "announced_elsewhere":
      return `${addresses} ${are} announced by another node, which is fine.`;
    case "mac_conflict":
      return `Two machines answer for ${addresses}${seen}.`;
    case "mac_unexpected":
      return `A machine that nobody declared answers for ${addresses}${seen}.`;
    case "lan_path":
      return "The LAN is cut off from the host: the uplink or the switch.";
    case "site_network":
      return "The vantages do not reach their own gateway: the site's network, not the addresses.";
    case "not_advertised":
      return `Nobody answers ${asking} for ${addresses}${from}: no L2Advertisement covers it on ${link}.`;
    case "no_endpoints":
      return `Nobody answers ${asking} for ${addresses}${from}: its Service has no ready endpoint, so the speaker withdrew it.`;
    case "stale_neighbour":
      return `Neighbours still hold a former MAC of ${link} for ${addresses}.`;
    case "not_announced":
      return `Nobody answers ${asking} for ${addresses}${from}.${scene.facts?.link.exists && scene.facts.link.up ? ` ${link} is up.` : ""}`;
    case "vm_path":
      return `${addresses} ${many ? "fail" : "fails"}${from} only; the LAN is fine: how the VM is attached.`;
    case "not_forwarded":
      return `The right MAC answers for ${addresses}, and packets to it are lost${from}.`;
    case "service_down":
      return `The path to ${addresses} is fine, the service behind it is not.`;
    case "upstream_dns":
      return `${addresses} ${many ? "answer" : "answers"} local names, external names fail.`;
    case "answer_wrong":
      return `${addresses} ${many ? "answer" : "answers"}, and the answer is not the declared one.`;
    case "certificate":
      return `The certificate of ${addresses} is not good.`;
    case "outside_path":
      return "From inside all is fine, from outside it is not: the tunnel, the port forwarding or the public DNS.";
    case "vantage_silent":
      return `Nothing is heard from ${list(scene.silent.map((vantage) => vantage.name))}.`;
    case "disputed":
      return `The vantages disagree about ${addresses}: failing${from}.`;
    case "unclassified":
      return `${addresses} ${many ? "fail" : "fails"}${from}, in a way that has no name yet.`;
  }
}

/** The addresses that fail somewhere; all of them while none does. */
function concerned(scene: Scene): readonly string[] {
  const bad = scene.looks.filter((look) => look.verdict === "failed" || look.stale !== null);
  const all = scene.targets.flatMap((target) => target.addresses);
  return bad.length === 0 ? all : all.filter((address) => bad.some((look) => look.address === address));
}

function calm(scene: Scene, state: Assessment["state"]): string {
  if (scene.targets.length === 0) return "No target is declared: nothing is watched.";
  if (state === "ok") {
    const fine = `All ${scene.targets.flatMap((target) => target.addresses).length} addresses are fine from ${list(scene.eligible.map((vantage) => vantage.name))}.`;
    const note = systemNotes(scene)[0];
    return note === undefined ? fine : `${fine} Yet ${note}`;
  }
  if (state === "suspect") return "A sample failed; a verdict needs more rounds.";
  return scene.eligible.length === 0 ? "No vantage is heard." : "Not enough rounds have been heard yet.";
}
