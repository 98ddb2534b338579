import { isIpv6 } from "../address.ts";
import type { Cause } from "../cause.ts";
import { failures, type Look, type Scene } from "./scene.ts";

/** Evidence in words: what a person reads at three in the morning. Pure text, one sentence each. */

export function hostEvidence(scene: Scene, cause: Cause): readonly string[] {
  const link = scene.group.link;
  const [name, parent] = [link?.name ?? "the link", link?.parent ?? "its parent"];
  switch (cause) {
    case "parent_missing":
      return [`The host has no interface ${parent}, which ${name} sits on.`];
    case "parent_down":
      return [`${parent} is down on the host, and ${name} with it.`];
    case "link_missing":
      return [`The host has no interface ${name}.`];
    case "link_down":
      return [`${name} is there and down.`];
    default:
      return [];
  }
}

/** Whose MAC it is, as far as anyone knows. */
export function whose(mac: string, scene: Scene): string {
  if (mac === scene.linkMac) return `${mac} (${scene.group.link?.name})`;
  if (mac === scene.facts?.parent.mac) return `${mac} (${scene.group.link?.parent}, the parent)`;
  const node = Object.entries(scene.group.link?.also ?? {}).find(([, other]) => other === mac);
  if (node !== undefined) return `${mac} (node ${node[0]})`;
  if (scene.facts?.former_macs.includes(mac)) return `${mac} (a former MAC of ${scene.group.link?.name})`;
  return `${mac} (unknown)`;
}

export function answered(look: Look, scene: Scene): string {
  const macs = look.answers ?? (look.tableMac === null ? [] : [look.tableMac]);
  return `${look.vantage.name}: who-has ${look.address} is answered by ${macs.map((mac) => whose(mac, scene)).join(" and ")}${before(look, scene)}.`;
}

/** What the vantage remembers of the address: what was announced to it unasked; where nothing was, which MAC it had before. */
function before(look: Look, scene: Scene): string {
  const { former_macs, mac_changes } = look.neighbour?.evidence ?? {};
  const current = [...(look.answers ?? []), ...(look.tableMac === null ? [] : [look.tableMac])];
  const at = (instant: string) => timeOfDay(instant, look.view.observedAt);
  const change = mac_changes?.find(({ to }) => current.includes(to));
  if (change !== undefined) {
    const kind = isIpv6(look.address) ? "an unsolicited advertisement" : "a gratuitous ARP";
    return `; ${kind} changed the entry from ${whose(change.from, scene)} to ${change.to} at ${at(change.at)}`;
  }
  const former = former_macs?.[0];
  return former === undefined ? "" : `; until ${at(former.seen_at)} it was ${whose(former.mac, scene)}`;
}

/** In UTC, as everything that a vantage writes; with the day where it is not that of the observation. */
function timeOfDay(instant: string, observedAt: string | null): string {
  const [day, time] = [instant.slice(0, 10), instant.slice(11, 19)];
  return observedAt?.slice(0, 10) === day ? `${time} UTC` : `${day} ${time} UTC`;
}

export function nobody(look: Look): string {
  return look.answers !== null
    ? `${look.vantage.name}: nobody answers who-has ${look.address}.`
    : `${look.vantage.name}: the kernel finds no neighbour for ${look.address}.`;
}

export function stale(look: Look, scene: Scene): string {
  const held = look.stale ?? look.tableMac ?? "another MAC";
  return `${look.vantage.name}: held ${whose(held, scene)} for ${look.address}, while who-has is answered by ${(look.answers ?? []).map((mac) => whose(mac, scene)).join(" and ") || "nobody else"}${before(look, scene)}.`;
}

export function failed(look: Look): string {
  const parts = failures(look).map(
    ({ check, sample }) => `${check.id}: ${sample.failure}${sample.detail ? ` (${sample.detail})` : ""}`,
  );
  return `${look.vantage.name}: ${look.address} fails; ${parts.join("; ")}.`;
}

export function fine(look: Look): string {
  return `${look.vantage.name}: ${look.address} is fine.`;
}

/** Of every vantage together. */
const NOTES_MAX = 4;

/** Where a vantage's own resolver leads elsewhere than the address that is fine: told beside whatever else is found. */
export function systemNotes(scene: Scene): readonly string[] {
  const notes = scene.looks.flatMap((look) =>
    look.checks.flatMap((check) => {
      const last = check.samples.at(-1);
      const note = last?.ok === true ? last.evidence.system?.note : null;
      return note == null ? [] : [`${look.vantage.name}: ${note}.`];
    }),
  );
  return [...new Set(notes)].slice(0, NOTES_MAX);
}

export function speakerEvidence(scene: Scene): readonly string[] {
  const { facts, group } = scene;
  if (facts === null || group.link === null) return [];
  const said: string[] = [];
  if (facts.link.exists && facts.link.up) said.push(`${group.link.name} is there, up, and has its MAC.`);
  if (facts.speaker.listening === false)
    said.push(
      `No speaker listens on ${group.link.name} (no ARP packet socket on ifindex ${facts.link.ifindex ?? "?"}).`,
    );
  if (facts.speaker.listening === true) said.push(`A speaker listens on ${group.link.name} and does not answer.`);
  if (facts.speaker.announce_failed)
    said.push("Kubernetes has an announceFailed event: the speaker looked before the link was there.");
  if (facts.kubernetes.reachable === false) said.push("The Kubernetes API does not answer the host.");
  return said;
}

export function lanEvidence(scene: Scene, bad: readonly string[], cut: boolean): readonly string[] {
  const ports = (scene.facts?.ports ?? [])
    .filter((port) => port.uplink && port.carrier === false)
    .map((port) => port.name);
  const said = cut ? [`The uplink ${ports.join(", ")} has no carrier.`] : [];
  const unheard = bad.filter((name) => scene.silent.some((vantage) => vantage.name === name));
  if (unheard.length > 0) said.push(`Nothing fresh is heard from ${unheard.join(", ")}.`);
  const seen = scene.looks.filter((look) => look.verdict === "failed" && bad.includes(look.vantage.name)).map(failed);
  return [...said, ...seen, ...scene.looks.filter((look) => look.vantage.where === "vm" && look.good).map(fine)];
}

export function controlEvidence(scene: Scene, bad: readonly string[]): readonly string[] {
  return bad.map(
    (name) =>
      `${name}: its own path is bad (${scene.view.vantages[name]?.controlDetail ?? "gateway or reference do not answer"}).`,
  );
}

export function forwardingEvidence(scene: Scene): readonly string[] {
  const { facts } = scene;
  if (facts === null) return [];
  const said: string[] = [];
  if (facts.brnf !== null) said.push(`bridge-nf-call-iptables is ${facts.brnf}.`);
  if (facts.rp_filter_drops !== null && facts.rp_filter_drops > 0) {
    said.push(
      `The host's reverse-path filter has dropped ${facts.rp_filter_drops} packets (TcpExtIPReversePathFilter).`,
    );
  }
  if (facts.link.rp_filter !== null) said.push(`${scene.group.link?.name} has rp_filter ${facts.link.rp_filter}.`);
  return said;
}
