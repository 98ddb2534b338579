import type { LinkConfig } from "../core/config/schema.ts";
import type { CommandReport } from "../core/repair.ts";
import type { LinkRow, Links, Processes, Sysctl } from "./port.ts";
import { SYSCTLS } from "./port.ts";

/** What is wrong with a link, if anything. */
export type Judgement =
  | { readonly kind: "right" }
  | { readonly kind: "unknown" }
  | { readonly kind: "missing" }
  | { readonly kind: "down" }
  /** A macvlan of our name with another MAC, mode or parent: made anew, never changed in place. */
  | { readonly kind: "drifted"; readonly what: readonly string[]; readonly ifindex: number }
  /** The link itself is right, but a setting was changed under it: written back without touching the link. */
  | { readonly kind: "settings"; readonly what: readonly string[] }
  /** Something else bears the name. It is never deleted. */
  | { readonly kind: "foreign"; readonly what: string };

/** A link and what surrounds it, at one look. */
export interface Sight {
  readonly row: LinkRow | null;
  readonly parent: LinkRow | null;
  readonly sysctls: Readonly<Record<Sysctl, number | null>>;
}

/** Looks at the link in a table of all links. */
export function sightOf(link: LinkConfig, table: readonly LinkRow[], links: Links): Sight {
  const row = table.find((candidate) => candidate.name === link.name) ?? null;
  return {
    row,
    parent: table.find((candidate) => candidate.name === link.parent) ?? null,
    sysctls: row === null ? { rp_filter: null, arp_ignore: null } : sysctlsOf(link, links),
  };
}

export function sysctlsOf(link: LinkConfig, links: Links): Sight["sysctls"] {
  return { rp_filter: links.sysctl(link.name, "rp_filter"), arp_ignore: links.sysctl(link.name, "arp_ignore") };
}

/**
 * Compares the declared link with the one that is there. A wrong MAC in place would be answered with the old one for ever,
 * because the speaker caches it for each ifindex (facts/l2, F16), so MAC, mode and parent call for a new link. A sysctl does
 * not: systemd's udev rule rewrites rp_filter a moment after every creation, so making the link anew for it would never end.
 */
export function judge(link: LinkConfig, sight: Sight | null): Judgement {
  if (sight === null) return { kind: "unknown" };
  const { row } = sight;
  if (row === null) return { kind: "missing" };
  if (row.kind !== "macvlan")
    return {
      kind: "foreign",
      what: `${link.name} is ${row.kind === null ? "a device" : `a ${row.kind}`}, not a macvlan`,
    };
  const what: string[] = [];
  if (row.mac !== link.mac) what.push(`MAC ${row.mac ?? "unknown"} instead of ${link.mac}`);
  if (row.mode !== null && row.mode !== link.mode) what.push(`mode ${row.mode} instead of ${link.mode}`);
  if (row.parent !== link.parent) what.push(`parent ${row.parent ?? "unknown"} instead of ${link.parent}`);
  if (what.length > 0) return { kind: "drifted", what, ifindex: row.ifindex };
  if (!row.up) return { kind: "down" };
  const settings = SYSCTLS.flatMap((key) => {
    const value = sight.sysctls[key];
    return value === null || value === link.sysctl[key] ? [] : [`${key} ${value} instead of ${link.sysctl[key]}`];
  });
  return settings.length > 0 ? { kind: "settings", what: settings } : { kind: "right" };
}

export interface Ensured {
  readonly ok: boolean;
  readonly changed: boolean;
  readonly commands: readonly CommandReport[];
  readonly detail: string | null;
  /** What a person should type when it could not be done. */
  readonly advice: string | null;
}

/** Tries of a creation before a person is asked (fault 29). */
const CREATE_TRIES = 3;

export interface LinkTools {
  readonly processes: Processes;
  readonly links: Links;
  /** Resolves when the kernel announces the link: the settings are then written before `ip` has even returned. */
  readonly appeared: (name: string) => Promise<void>;
  readonly wait: (ms: number) => Promise<void>;
}

/** The one command that makes the link, MAC included: a MAC given later would meet udev's own (facts/l2). */
export function createCommand(link: LinkConfig): readonly string[] {
  return [
    "link",
    "add",
    link.name,
    "link",
    link.parent,
    "address",
    link.mac,
    "up",
    "type",
    "macvlan",
    "mode",
    link.mode,
  ];
}

/** What a person types to do the same by hand. */
export function adviceToCreate(link: LinkConfig): string {
  const sysctls = SYSCTLS.map(
    (key) => `sysctl -w net.ipv4.conf.${link.name.replaceAll(".", "/")}.${key}=${link.sysctl[key]}`,
  );
  return [`ip ${createCommand(link).join(" ")}`, ...sysctls].join(" && ");
}

/** Creates the link and applies what is lost with one: sysctls first, since without them it drops every packet. */
export async function createLink(link: LinkConfig, tools: LinkTools, tries = CREATE_TRIES): Promise<Ensured> {
  const commands: CommandReport[] = [];
  for (let attempt = 1; ; attempt++) {
    const running = tools.processes.run("ip", createCommand(link));
    await Promise.race([running, tools.appeared(link.name)]);
    applySysctls(link, tools.links);
    const made = await running;
    commands.push(made);
    if (made.exit === 0) break;
    if (/File exists/.test(made.output)) {
      return { ok: false, changed: false, commands, detail: `${link.name} is there already`, advice: null };
    }
    if (attempt >= tries || /Cannot find device/.test(made.output)) {
      const detail = made.output.trim() || `ip ended with ${made.exit ?? "no exit status"}`;
      return { ok: false, changed: false, commands, detail, advice: adviceToCreate(link) };
    }
    await tools.wait(attempt * 200);
  }
  const settings = await applySettings(link, tools, []);
  return { ...settings, changed: true, commands: [...commands, ...settings.commands] };
}

/** Sysctls, addresses and the FDB entry of a link that exists. */
export async function applySettings(link: LinkConfig, tools: LinkTools, present: readonly string[]): Promise<Ensured> {
  const commands: CommandReport[] = [];
  const notes: string[] = [];
  const refused = applySysctls(link, tools.links);
  for (const address of link.addresses) {
    if (present.includes(address)) continue;
    const report = await tools.processes.run("ip", ["address", "replace", address, "dev", link.name]);
    commands.push(report);
    if (report.exit !== 0) notes.push(`address ${address}: ${report.output.trim()}`);
  }
  if (link.fdb_local) {
    const report = await tools.processes.run("bridge", [
      "fdb",
      "replace",
      link.mac,
      "dev",
      link.parent,
      "self",
      "local",
    ]);
    commands.push(report);
    // Without the entry the bridge floods; traffic still arrives (facts/l2), so this is a note and not a failure.
    if (report.exit !== 0) notes.push(`FDB entry: ${report.output.trim() || "bridge failed"}`);
  }
  const detail = [...refused, ...notes].join("; ") || null;
  const advice =
    refused.length === 0
      ? null
      : SYSCTLS.map(
          (key) => `sysctl -w net.ipv4.conf.${link.name.replaceAll(".", "/")}.${key}=${link.sysctl[key]}`,
        ).join(" && ");
  return { ok: refused.length === 0, changed: true, commands, detail, advice };
}

function applySysctls(link: LinkConfig, links: Links): string[] {
  return SYSCTLS.flatMap((key) => {
    if (links.sysctl(link.name, key) === link.sysctl[key]) return [];
    const why = links.setSysctl(link.name, key, link.sysctl[key]);
    return why === null ? [] : [`${key}: ${why}`];
  });
}

/**
 * Deletes a macvlan that was looked at under the same lock, by its index (iproute2 reads `ifN` so): a foreign link that took
 * the name meanwhile is left alone.
 */
export async function deleteLink(ifindex: number, tools: LinkTools): Promise<CommandReport> {
  return await tools.processes.run("ip", ["link", "delete", "dev", `if${ifindex}`]);
}

/** Makes the link true: creates, sets up, makes anew or writes settings back, whichever is wanted. Never touches a right link. */
export async function ensureLink(
  link: LinkConfig,
  judgement: Judgement,
  tools: LinkTools,
  mayDelete: boolean,
): Promise<Ensured> {
  switch (judgement.kind) {
    case "right":
      return { ok: true, changed: false, commands: [], detail: `${link.name} is as declared`, advice: null };
    case "unknown":
      return {
        ok: false,
        changed: false,
        commands: [],
        detail: "the kernel could not be asked",
        advice: "ip -d link show",
      };
    case "foreign":
      return {
        ok: false,
        changed: false,
        commands: [],
        detail: `${judgement.what}: it is left alone`,
        advice: `ip -d link show ${link.name}`,
      };
    case "missing":
      return await createLink(link, tools);
    case "settings":
      return await applySettings(link, tools, (await tools.links.addresses(link.name)) ?? []);
    case "down": {
      const report = await tools.processes.run("ip", ["link", "set", "dev", link.name, "up"]);
      const settings = await applySettings(link, tools, (await tools.links.addresses(link.name)) ?? []);
      const ok = report.exit === 0 && settings.ok;
      const detail = report.exit === 0 ? settings.detail : report.output.trim();
      return {
        ok,
        changed: true,
        commands: [report, ...settings.commands],
        detail,
        advice: ok ? null : `ip link set ${link.name} up`,
      };
    }
    case "drifted": {
      if (!mayDelete)
        return { ok: false, changed: false, commands: [], detail: judgement.what.join(", "), advice: null };
      const deleted = await deleteLink(judgement.ifindex, tools);
      if (deleted.exit !== 0 && !/Cannot find device/.test(deleted.output)) {
        return {
          ok: false,
          changed: false,
          commands: [deleted],
          detail: deleted.output.trim(),
          advice: `ip link delete ${link.name}`,
        };
      }
      const made = await createLink(link, tools);
      return { ...made, changed: true, commands: [deleted, ...made.commands] };
    }
  }
}
