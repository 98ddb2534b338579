import type { PlanCheck } from "../plan.ts";
import { type House, hostOfUrl, type Problem } from "./house.ts";

/** What is allowed and probably not meant. hairpin runs with these, and says them at its start. */
export function warningsOf(house: House): readonly Problem[] {
  return [
    ...addressWarnings(house),
    ...voteWarnings(house),
    ...healWarnings(house),
    ...deliveryWarnings(house),
    ...edgeWarnings(house),
  ];
}

/** A request from outside lives for a minute: it has to be fetched within it, and a heartbeat may be lost. */
const FETCHED_EVERY_MAX = 30_000;

function edgeWarnings({ edge, hub, targets }: House): Problem[] {
  if (edge === undefined) return [];
  const warnings: Problem[] = [];
  const warn = (key: string, message: string) => warnings.push({ path: ["edge", key], message });
  if (edge.silence < 2 * edge.every)
    warn("silence", "less than twice `every`: one lost heartbeat and the site is dark");
  if (edge.heal_keys.length > 0 && edge.every > FETCHED_EVERY_MAX)
    warn("every", "more than 30s: a request to heal from outside lives for 60 s and may die before it is fetched");
  if (/^http:\/\/(?!127\.|\[::1\])/.test(edge.url))
    warn("url", "http: heartbeats are signed, and everybody on the way can read the status in them");
  if (edge.notify.length === 0) warn("notify", "none: the edge notices that the house is dark and tells nobody");
  if (hub.resolvers.length === 0 && isNamed(edge.url))
    warn(
      "url",
      "a name, and no hub.resolvers: it is resolved by this machine's resolver, perhaps the one that is guarded",
    );
  const served = targets.find((target) => target.checks.some((check) => nameOf(check) === hostOfUrl(edge.url)));
  if (served !== undefined)
    warn("url", `its name is served by ${served.name}, which is guarded: heartbeats would end when they are needed`);
  return warnings;
}

function addressWarnings(house: House): Problem[] {
  const warnings: Problem[] = [];
  if (house.targets.length === 0)
    warnings.push({ path: ["targets"], message: "none: nothing is watched, nothing is healed" });
  const owners = new Map<string, string>();
  for (const target of house.targets) {
    for (const address of target.addresses) {
      const owner = owners.get(address);
      if (owner !== undefined && owner !== target.name) {
        warnings.push({
          path: ["targets", target.name, "address"],
          message: `${address} is also the address of ${owner}`,
        });
      }
      owners.set(address, target.name);
    }
    if (
      target.service === null &&
      house.groups.some((group) => group.name === target.group && group.speaker !== null)
    ) {
      const message =
        "no service: that its endpoints are not ready, or that it is not advertised, cannot be told from a dead link";
      warnings.push({ path: ["targets", target.name], message });
    }
  }
  for (const [name, speaker] of Object.entries(house.speakers)) {
    if (speaker.selector.trim() === "") {
      const path = name === "default" ? ["speaker", "selector"] : ["speakers", name, "selector"];
      warnings.push({ path, message: "empty: it would mean every pod, so the speaker is never restarted" });
    }
  }
  return warnings;
}

function voteWarnings(house: House): Problem[] {
  const warnings: Problem[] = [];
  const voters = house.vantages.filter((vantage) => vantage.where !== "host" && !vantage.muted);
  if (house.vantages.length === 0)
    warnings.push({ path: ["vantages"], message: "none: nobody reports, nothing is healed" });
  else if (voters.length === 0) {
    warnings.push({
      path: ["vantages"],
      message: "none of them votes (host vantages and muted ones do not): nothing is healed",
    });
  }
  const keys = new Map<string, string>();
  for (const vantage of house.vantages) {
    const owner = keys.get(vantage.key_file);
    if (owner !== undefined) {
      const message = `the same key as ${owner}: votes count by key, so the two count once`;
      warnings.push({ path: ["vantages", vantage.name, "key_file"], message });
    }
    keys.set(vantage.key_file, vantage.name);
  }
  const hostFact = Object.keys(house.hosts).length > 0 ? 1 : 0;
  if (house.heal.mode === "auto" && voters.length > 0 && voters.length + hostFact < house.heal.quorum) {
    const message = `${house.heal.quorum} votes are wanted and at most ${voters.length + hostFact} can come: nothing is healed`;
    warnings.push({ path: ["heal", "quorum"], message });
  }
  if (house.heal.quorum === 1) warnings.push({ path: ["heal", "quorum"], message: "1: at most 2 remedies a day" });
  return warnings;
}

function healWarnings(house: House): Problem[] {
  if (house.heal.mode !== "auto") return [];
  const warnings: Problem[] = [];
  const hosts = Object.entries(house.hosts);
  if (house.links.length === 0)
    warnings.push({ path: ["heal", "mode"], message: "auto without a link: there is nothing to repair" });
  if (hosts.length === 0)
    warnings.push({ path: ["heal", "mode"], message: "auto without a host: nobody could repair" });
  for (const [name, host] of hosts) {
    if (host.armed) continue;
    const path = name === "default" ? ["host"] : ["hosts", name];
    warnings.push({
      path: [...path, "armed"],
      message: "false, while heal.mode is auto: this host refuses every remedy",
    });
  }
  return warnings;
}

function deliveryWarnings(house: House): Problem[] {
  const warnings: Problem[] = [];
  if (house.notify.length === 0) warnings.push({ path: ["notify"], message: "none: nobody is told" });
  if (house.hub.url === undefined && house.vantages.length > 0) {
    warnings.push({
      path: ["hub", "url"],
      message: "missing: no join token can be made, since vantages would not know what to dial",
    });
  }
  if (house.hub.resolvers.length === 0 && house.notify.some((entry) => isNamed(urlOf(entry)))) {
    const message =
      "none, while notify uses names: they would be resolved by this machine's resolver, perhaps the one that is guarded";
    warnings.push({ path: ["hub", "resolvers"], message });
  }
  house.notify.forEach((entry, index) => {
    if (!("mqtt" in entry)) return;
    const host = hostOfUrl(entry.mqtt.url);
    const target = house.targets.find((known) => known.checks.some((check) => nameOf(check) === host));
    if (target === undefined) return;
    const message = `${host} is served by ${target.name}, which is guarded: the broker would fall silent when it is needed`;
    warnings.push({ path: ["notify", index, "mqtt", "url"], message });
  });
  return warnings;
}

function nameOf(check: PlanCheck): string | null {
  if (check.kind === "https") return check.host.toLowerCase();
  return check.kind === "oidc" ? hostOfUrl(check.issuer) : null;
}

function urlOf(entry: House["notify"][number]): string {
  return Object.values(entry)[0]?.url ?? "";
}

function isNamed(url: string): boolean {
  const host = /^[a-z]+:\/\/(?:[^@/]*@)?(\[[^\]]*\]|[^:/]*)/.exec(url)?.[1] ?? "";
  return host !== "" && !/^(\d{1,3}(\.\d{1,3}){3}|\[.*\])$/.test(host);
}
