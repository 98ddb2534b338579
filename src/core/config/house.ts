import { DNS_PORT, DOT_PORT } from "../address.ts";
import { outsideChecks } from "../outside.ts";
import type { DnsCheck, PlanCheck } from "../plan.ts";
import { edgeChecksProblem } from "./edge-checks.ts";
import { withPlaces } from "./oidc-places.ts";
import type { CheckConfig, Config, HostConfig, LinkConfig, SpeakerConfig, VantageConfig } from "./schema.ts";

/** A target with its checks in the form in which a vantage gets them. */
export interface Target {
  readonly name: string;
  readonly addresses: readonly string[];
  /** Kubernetes Service, "namespace/name"; null when none was declared. */
  readonly service: string | null;
  readonly checks: readonly PlanCheck[];
  /** The name of its group. */
  readonly group: string;
}

/** All addresses announced over one link: they fail together, and are healed together (fault 9). */
export interface Group {
  readonly name: string;
  readonly link: LinkConfig | null;
  readonly speaker: SpeakerConfig | null;
  readonly host: (HostConfig & { readonly name: string }) | null;
  readonly targets: readonly string[];
}

export type Vantage = VantageConfig & { readonly name: string };

/** The configuration with its shorthands resolved. What the rest of hairpin reads. */
export interface House
  extends Omit<Config, "targets" | "vantages" | "link" | "links" | "speaker" | "speakers" | "host" | "hosts"> {
  readonly targets: readonly Target[];
  readonly groups: readonly Group[];
  readonly links: readonly LinkConfig[];
  readonly speakers: Readonly<Record<string, SpeakerConfig>>;
  readonly hosts: Readonly<Record<string, HostConfig>>;
  readonly vantages: readonly Vantage[];
}

/** Something that the schema cannot say. `path` leads to the offending key. */
export interface Problem {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

/** The group of targets that no link announces. */
export const UNLINKED = "addresses";

/**
 * Resolves shorthands and checks what crosses keys. `files` gives the text of a `ca_file` by its path as written.
 * All problems are returned at once.
 */
export function resolveHouse(
  config: Config,
  files: (path: string) => string | null,
): { house: House; problems: readonly Problem[] } {
  const problems: Problem[] = [];
  const links: LinkConfig[] = [
    ...(config.link ? [config.link] : []),
    ...Object.entries(config.links ?? {}).map(([name, link]) => ({ name, ...link })),
  ];
  const speakers: Record<string, SpeakerConfig> = {
    ...(config.speaker ? { default: config.speaker } : {}),
    ...(config.speakers ?? {}),
  };
  const hosts: Record<string, HostConfig> = {
    ...(config.host ? { default: config.host } : {}),
    ...(config.hosts ?? {}),
  };
  const targets = Object.entries(config.targets).map(([name, target]): Target => {
    const link = target.link ?? (links.length === 1 ? links[0]!.name : null);
    if (target.link !== undefined && !links.some((known) => known.name === target.link)) {
      problems.push({ path: ["targets", name, "link"], message: `no link named ${target.link} is declared` });
    }
    if (target.link === undefined && links.length > 1) {
      problems.push({
        path: ["targets", name],
        message: `say which link announces it: link: ${links.map((known) => known.name).join(" | ")}`,
      });
    }
    return {
      name,
      addresses: Array.isArray(target.address) ? target.address : [target.address],
      service: target.service ?? null,
      checks: [...planChecks(target.checks, files), { kind: "neighbour", id: "neighbour" }],
      group: link ?? UNLINKED,
    };
  });
  const names = [...new Set([...links.map((link) => link.name), ...targets.map((target) => target.group)])];
  const groups = names.map((name): Group => {
    const link = links.find((known) => known.name === name) ?? null;
    return {
      name,
      link,
      speaker: link === null ? null : (speakers[link.speaker ?? "default"] ?? only(speakers)),
      host: link === null ? null : namedHost(hosts, link.host),
      targets: targets.filter((target) => target.group === name).map((target) => target.name),
    };
  });
  const { link: _l, links: _ls, speaker: _s, speakers: _ss, host: _h, hosts: _hs, ...rest } = config;
  const house: House = {
    ...rest,
    targets: targets.map((target) => withPlaces(target, targets)),
    groups,
    links,
    speakers,
    hosts,
    vantages: Object.entries(config.vantages).map(([name, vantage]) => ({ name, ...vantage })),
  };
  return { house, problems: [...problems, ...crossChecks(house)] };
}

function only<T>(table: Readonly<Record<string, T>>): T | null {
  const values = Object.values(table);
  return values.length === 1 ? values[0]! : null;
}

function namedHost(hosts: Readonly<Record<string, HostConfig>>, wanted: string | undefined): Group["host"] {
  const name =
    wanted ?? (hosts["default"] ? "default" : Object.keys(hosts).length === 1 ? Object.keys(hosts)[0]! : null);
  const host = name === null ? undefined : hosts[name];
  return host === undefined || name === null ? null : { name, ...host };
}

function planChecks(checks: readonly CheckConfig[], files: (path: string) => string | null): PlanCheck[] {
  const seen = new Map<string, number>();
  const unique = (id: string): string => {
    const count = (seen.get(id) ?? 0) + 1;
    seen.set(id, count);
    return count === 1 ? id : `${id}#${count}`;
  };
  return checks.map((check): PlanCheck => {
    if ("dns" in check) {
      return { kind: "dns", id: unique(`dns:${check.dns.name}`), ...dnsPlan(check.dns, files) };
    }
    if ("https" in check) {
      const { schedule, ca_file, ...https } = check.https;
      return {
        kind: "https",
        id: unique(`https:${https.host}`),
        ...https,
        ca_pem: pem(ca_file, files),
        ...own(schedule),
      };
    }
    if ("oidc" in check) {
      const { schedule, ca_file, issuer, port, algorithm } = check.oidc;
      const caFile = ca_file ?? siblingCa(checks, issuer);
      return {
        kind: "oidc",
        id: unique("oidc"),
        issuer,
        port: port ?? portOf(issuer),
        ca_pem: pem(caFile, files),
        ...(algorithm === undefined ? {} : { algorithm }),
        ...own(schedule),
      };
    }
    return { kind: "tcp", id: unique(`tcp:${check.tcp.port}`), port: check.tcp.port, ...own(check.tcp.schedule) };
  });
}

function dnsPlan(
  check: Extract<CheckConfig, { dns: unknown }>["dns"],
  files: (path: string) => string | null,
): Omit<DnsCheck, "kind" | "id"> {
  const { schedule, expect, ca_file, ...dns } = check;
  return {
    ...dns,
    // Unless the port of plain DNS was changed by hand.
    port: dns.transport === "tls" && dns.port === DNS_PORT ? DOT_PORT : dns.port,
    expect: expect ?? null,
    ...(ca_file === undefined ? {} : { ca_pem: pem(ca_file, files) }),
    ...own(schedule),
  };
}

const own = (schedule: string | undefined) => (schedule === undefined ? {} : { schedule });

/** The https check of the same name already says which authority to trust; saying it twice would be a trap. */
function siblingCa(checks: readonly CheckConfig[], issuer: string): string | undefined {
  const name = /^https:\/\/([^/:]+)/.exec(issuer)?.[1];
  for (const check of checks) if ("https" in check && check.https.host === name) return check.https.ca_file;
  return undefined;
}

function portOf(issuer: string): number {
  return Number(/^https:\/\/[^/]*?:(\d+)(\/|$)/.exec(issuer)?.[1] ?? 443);
}

function pem(path: string | undefined, files: (path: string) => string | null): string | null {
  return path === undefined ? null : files(path);
}

/** The host of a URL, without brackets. */
export function hostOfUrl(url: string): string {
  const host = /^[a-z]+:\/\/(?:[^@/]*@)?(\[[^\]]*\]|[^:/]*)/i.exec(url)?.[1] ?? "";
  return host.replace(/^\[|\]$/g, "").toLowerCase();
}

function crossChecks(house: House): Problem[] {
  const problems: Problem[] = [];
  const guarded = new Map(
    house.targets.flatMap((target) => target.addresses.map((address) => [address, target.name] as const)),
  );
  house.hub.resolvers.forEach((resolver, index) => {
    const target = guarded.get(resolver);
    if (target !== undefined) {
      const message = `${resolver} is the guarded address of target ${target}: outgoing names must not depend on it`;
      problems.push({ path: ["hub", "resolvers", index], message });
    }
  });
  const reference = house.control.reference?.replace(/:\d+$/, "");
  if (reference !== undefined && guarded.has(reference)) {
    problems.push({
      path: ["control", "reference"],
      message: `${reference} is guarded: the reference must be served by something else`,
    });
  }
  if (house.hub.url !== undefined) {
    const host = /^https?:\/\/(\[[^\]]+\]|[^/:]+)/.exec(house.hub.url)?.[1] ?? "";
    if (!/^(\d{1,3}(\.\d{1,3}){3}|\[[0-9a-fA-F:]+\])$/.test(host)) {
      problems.push({
        path: ["hub", "url"],
        message: "an IP literal is wanted: a name may stop resolving with the very DNS that is guarded",
      });
    } else if (guarded.has(host.replace(/^\[|\]$/g, ""))) {
      problems.push({ path: ["hub", "url"], message: "the hub must not be reached through an address that it guards" });
    }
  }
  for (const host of Object.values(house.hosts)) {
    if (!host.listen.startsWith("unix:") && host.key_file === undefined) {
      problems.push({
        path: ["host", "key_file"],
        message: "wanted when the host listens on an address: requests are then signed",
      });
    }
  }
  house.notify.forEach((entry, index) => {
    if (!("mqtt" in entry)) return;
    const target = guarded.get(hostOfUrl(entry.mqtt.url));
    if (target === undefined) return;
    const message = `the guarded address of target ${target}: the broker would fall silent when it is needed. Say another address of it`;
    problems.push({ path: ["notify", index, "mqtt", "url"], message });
  });
  problems.push(...edgeProblems(house, guarded));
  const macs = new Map<string, string>();
  for (const link of house.links) {
    const other = macs.get(link.mac);
    if (other !== undefined)
      problems.push({
        path: ["links", link.name, "mac"],
        message: `the same MAC as ${other}: it could never be set up`,
      });
    macs.set(link.mac, link.name);
  }
  return problems;
}

/** An edge that is reached through what is guarded goes dark together with it; a shared key lets one speak for another. */
function edgeProblems({ edge, vantages }: House, guarded: ReadonlyMap<string, string>): Problem[] {
  if (edge === undefined) return [];
  const problems: Problem[] = [];
  const target = guarded.get(hostOfUrl(edge.url));
  if (target !== undefined)
    problems.push({ path: ["edge", "url"], message: `the guarded address of target ${target}: the edge is elsewhere` });
  if (edge.silence < edge.every)
    problems.push({ path: ["edge", "silence"], message: "shorter than `every`: the site would be dark all the time" });
  if (vantages.some((vantage) => vantage.name === "edge"))
    problems.push({ path: ["vantages", "edge"], message: "the edge verifier goes by this name: call it another" });
  const owners = new Map([
    ...vantages.map((vantage) => [vantage.key_file, `vantage ${vantage.name}`] as const),
    [edge.key_file, "the edge"],
  ]);
  const tooLong = edgeChecksProblem(edge.checks, outsideChecks(edge.checks));
  if (tooLong !== null) problems.push({ path: ["edge", "checks"], message: tooLong });
  const names = new Set<string>();
  edge.heal_keys.forEach(({ name, key_file }, index) => {
    const owner = owners.get(key_file);
    if (owner !== undefined)
      problems.push({
        path: ["edge", "heal_keys", index, "key_file"],
        message: `the key of ${owner}: each person needs one of their own, which nobody else holds`,
      });
    owners.set(key_file, name);
    if (names.has(name))
      problems.push({ path: ["edge", "heal_keys", index, "name"], message: `${name} is there already` });
    names.add(name);
  });
  return problems;
}
