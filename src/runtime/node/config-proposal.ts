/** What `ip -j -d link` prints of one link; only what is read here. */
interface IpLink {
  readonly ifname: string;
  readonly address?: string;
  readonly link?: string;
  readonly master?: string;
  readonly linkinfo?: { readonly info_kind?: string; readonly info_data?: { readonly mode?: string } };
}
interface IpAddress {
  readonly ifname: string;
  readonly addr_info?: readonly { readonly family: string; readonly local: string; readonly scope: string }[];
}
interface IpRoute {
  readonly dst: string;
  readonly gateway?: string;
  readonly dev?: string;
}

/** What this machine looks like to hairpin. */
export interface Found {
  readonly hostname: string;
  readonly bridges: readonly string[];
  readonly macvlans: readonly {
    readonly name: string;
    readonly parent: string;
    readonly mac: string;
    readonly mode: string;
  }[];
  /** IPv4 addresses by interface. */
  readonly addresses: Readonly<Record<string, string>>;
  readonly gateway: string | null;
  /** The interface of the default route. */
  readonly uplink: string | null;
}

/** Reads the three documents of iproute2. Whatever is not as expected counts as not there. */
export function foundFrom(links: unknown, addresses: unknown, routes: unknown, hostname: string): Found {
  const all = list<IpLink>(links).filter((link) => typeof link.ifname === "string");
  const route = list<IpRoute>(routes).find((entry) => entry.dst === "default" && entry.gateway !== undefined);
  const byInterface = list<IpAddress>(addresses).flatMap((entry) => {
    const address = entry.addr_info?.find((info) => info.family === "inet" && info.scope === "global")?.local;
    return address === undefined ? [] : [[entry.ifname, address] as const];
  });
  return {
    hostname: nodeName(hostname),
    bridges: all.filter((link) => link.linkinfo?.info_kind === "bridge").map((link) => link.ifname),
    macvlans: all
      .filter((link) => link.linkinfo?.info_kind === "macvlan" && link.link !== undefined && link.address !== undefined)
      .map((link) => ({
        name: link.ifname,
        parent: link.link!,
        mac: link.address!,
        mode: link.linkinfo?.info_data?.mode ?? "bridge",
      })),
    addresses: Object.fromEntries(byInterface),
    gateway: route?.gateway ?? null,
    uplink: route?.dev ?? null,
  };
}

/** The short name, as Kubernetes has it; never the name of another vantage of the written configuration. */
function nodeName(hostname: string): string {
  const short =
    hostname
      .split(".")[0]!
      .replace(/[^A-Za-z0-9_-]/g, "-")
      .slice(0, 60) || "host";
  return ["ha-vm", "lan", "ha-token"].includes(short) ? `${short}-node` : short;
}

function list<T>(value: unknown): readonly T[] {
  return Array.isArray(value) ? (value as T[]) : [];
}

/** The answers from which hairpin.yaml is written. */
export interface Proposal {
  readonly site: string;
  readonly hostname: string;
  readonly link: { readonly name: string; readonly parent: string; readonly mac: string; readonly mode: string } | null;
  readonly address: string | null;
  readonly gateway: string | null;
  readonly dns: string | null;
  readonly https: { readonly address: string; readonly host: string } | null;
  readonly data: string;
  /** The hub's unix socket: an absolute path. */
  readonly socket: string;
}

/** A macvlan on a bridge is most likely the one that MetalLB announces on; one named after it surely is. */
export function propose(found: Found, data: string, socket: string): Proposal {
  const ranked = [...found.macvlans].sort((a, b) => rank(b.name, b.parent, found) - rank(a.name, a.parent, found));
  const link = ranked[0] ?? null;
  const own = link?.parent ?? found.bridges.find((name) => found.addresses[name] !== undefined) ?? found.uplink;
  return {
    site: "home",
    hostname: found.hostname,
    link,
    address: own === null ? null : (found.addresses[own] ?? null),
    gateway: found.gateway,
    dns: null,
    https: null,
    data,
    socket,
  };
}

function rank(name: string, parent: string, found: Found): number {
  return (name.includes("metallb") ? 2 : 0) + (found.bridges.includes(parent) ? 1 : 0);
}

/** The keys that the written configuration refers to, as paths beside it. */
export function keysOf(proposal: Proposal): readonly string[] {
  return ["keys/ha-vm", "keys/lan", ...(proposal.link ? [`keys/${proposal.hostname}`] : []), "keys/ha-token"];
}

/** hairpin.yaml as a person would have written it, with what is still to be filled in as comments. */
export function writeConfig(proposal: Proposal): string {
  const { site, hostname, link, address, gateway } = proposal;
  const own = address ?? "127.0.0.1";
  const lines = [
    "# Written by `hairpin init`. `hairpin config check` finds mistakes by line; the shipped example explains every key.",
    `site: ${site}`,
    'schedule: "*/10 * * * * *"      # cron, seconds first, UTC: every 10 s',
    "",
    "# The MetalLB addresses to watch.",
    ...targetLines(proposal),
    "",
    ...(link === null ? linkTemplate() : linkLines(link, hostname)),
    "",
    "# Who looks, and from where: vm, lan, routed, host. `hairpin token vantage NAME` prints what to paste there.",
    "vantages:",
    "  ha-vm: { where: vm, key_file: keys/ha-vm }",
    "  lan: { where: lan, key_file: keys/lan }",
    ...(link === null
      ? []
      : [`  ${quoted(hostname)}: { where: host, key_file: ${quoted(`keys/${hostname}`)} }   # facts, no votes`]),
    "",
    '# Each vantage\'s own path; add `reference: "ADDRESS:53"`, a resolver that MetalLB does not serve.',
    "control: { gateway: auto }",
    "",
    "hub:",
    "  # The socket is for this machine's own commands (status, pause, heal): its file mode is the permission.",
    `  listen: [${quoted(`${own}:8787`)}, ${quoted(`unix:${proposal.socket}`)}]`,
    ...(address === null
      ? ["  # url: http://ADDRESS:8787      # what vantages dial: an address, never a name"]
      : [`  url: ${quoted(`http://${own}:8787`)}`]),
    `  data: ${quoted(proposal.data)}`,
    "  tokens:",
    "    # scopes: heal, ack (confirms deliveries), read, pause (pause, resume, reset-breaker, test, replay)",
    "    - { name: home-assistant, scopes: [heal, ack, read], token_file: keys/ha-token }",
    ...(gateway === null
      ? ["  # resolvers: [ADDRESS]      # for outgoing names; never a guarded address"]
      : [`  resolvers: [${quoted(gateway)}]      # for outgoing names; never a guarded address`]),
    "",
    "# observe: only says what it would do. Arm it with `mode: auto` here and `armed: true` under host, once it has been right for a while.",
    "heal: { mode: observe }",
    "",
    "notify: []",
    '  # - home_assistant: { url: "http://ADDRESS:8123", webhook_id_file: keys/ha-webhook }',
    "",
  ];
  return lines.join("\n");
}

function targetLines({ dns, https }: Proposal): readonly string[] {
  if (dns === null && https === null) {
    return [
      "targets: {}",
      "#  dns:",
      "#    address: 192.0.2.53",
      "#    service: NAMESPACE/NAME        # its Kubernetes Service",
      "#    checks:",
      "#      - dns: { name: example.com }",
    ];
  }
  return [
    "targets:",
    ...(dns === null
      ? []
      : [
          "  dns:",
          `    address: ${dns}`,
          "    # service: NAMESPACE/NAME",
          "    checks:",
          "      - dns: { name: example.com, upstream: true }",
        ]),
    ...(https === null
      ? []
      : [
          "  https:",
          `    address: ${https.address}`,
          "    # service: NAMESPACE/NAME",
          "    checks:",
          `      - https: { host: ${quoted(https.host)}, status: [200, 302, 401] }`,
        ]),
  ];
}

function linkLines(link: NonNullable<Proposal["link"]>, hostname: string): readonly string[] {
  return [
    "# The interface that MetalLB announces on, as it was found here. Without link, speaker and host, hairpin only watches.",
    "link:",
    `  name: ${quoted(link.name)}`,
    `  parent: ${quoted(link.parent)}`,
    `  mac: "${link.mac}"`,
    `  mode: ${link.mode}`,
    "speaker:",
    `  node: ${quoted(hostname)}`,
    "  kubeconfig_file: /etc/hairpin/kubeconfig",
    "  # services: [NAMESPACE/NAME]      # what `announce` may annotate, where that right was given",
    "host: { armed: false, guard: true }",
  ];
}

function linkTemplate(): readonly string[] {
  return [
    "# No macvlan was found here. On the Kubernetes host, name the interface that MetalLB announces on; without it hairpin only watches.",
    '# link: { name: metallb0, parent: BRIDGE, mac: "MAC" }',
    "# speaker: { node: NODE, kubeconfig_file: /etc/hairpin/kubeconfig }",
    "# host: { armed: false, guard: true }",
  ];
}

/** Quoted where plain YAML would read something else than text. */
function quoted(text: string): string {
  return /^[A-Za-z/][A-Za-z0-9_./-]*$/.test(text) && !/^(true|false|null|yes|no|on|off)$/i.test(text)
    ? text
    : JSON.stringify(text);
}
