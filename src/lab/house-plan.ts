import { isIP } from "node:net";
import type { House, Target } from "../core/config/house.ts";
import { homeAssistantAt, machinesOf } from "./machine-places.ts";
import { AddressBook, contains, freeNetwork, isIpv4, type Network, networkOf, spanOf, toAddress } from "./network.ts";
import { isIpv6, namedAfter, prefixOf } from "./network6.ts";
import { type Receiver, receiversOf } from "./receivers.ts";
import { portsOf, type ServicePort } from "./services.ts";

/** A machine of the simulated house that has a vantage, or Home Assistant, or the hub on it. */
export interface Machine {
  readonly ns: string;
  readonly address: string;
  /** What it is plugged into: a port of the bridge on the node, a port of the switch, or a router behind the switch. */
  readonly at: "bridge" | "switch" | "router";
  /** Its port's name on the node's bridge or on the switch. */
  readonly port: string;
  readonly vantages: readonly string[];
}

/** One target's workload: the pod behind its addresses. */
export interface Pod {
  readonly target: Target;
  /** Of both families, as the configuration names them. */
  readonly addresses: readonly string[];
  readonly ip: string;
  /** Null in a house without IPv6. */
  readonly ip6: string | null;
  readonly ports: readonly ServicePort[];
  /** The Service of the configuration, or one made up for the lab. */
  readonly service: string;
}

export interface BridgeLink {
  readonly name: string;
  readonly parent: string;
  readonly mac: string;
}

/** Everything about the simulated house that is inferred from a configuration, before anything is made. */
export interface HousePlan {
  readonly house: House;
  /** `guest`: the node is a virtual machine, and the link's parent is its card (topology.ts says how it is plugged in). */
  readonly shape: Shape;
  readonly lan: Network;
  /** The network of the IPv6 targets, 64 bits; null without any. */
  readonly lan6: readonly number[] | null;
  readonly gateway: string;
  readonly node: {
    readonly ns: string;
    readonly name: string;
    readonly address: string;
    readonly uplink: string;
    /** The parent of the link: a bridge, or the card of a guest. */
    readonly bridge: string;
    readonly bridgeMac: string;
  };
  readonly hub: { readonly ns: string; readonly address: string; readonly port: number };
  readonly machines: readonly Machine[];
  /** Where Home Assistant's webhook stand-in lives; null without such a subscriber. */
  readonly homeAssistant: Machine | null;
  readonly pods: readonly Pod[];
  readonly podNet: Network;
  readonly podGateway: string;
  readonly routedNet: Network;
  /** Addresses of the switch namespace on the LAN (gateway first), and those beyond the router. */
  readonly lanAddresses: readonly string[];
  readonly worldAddresses: readonly string[];
  /** ADDRESS:PORT on which the recursive DNS stand-in answers. */
  readonly resolvers: readonly { readonly address: string; readonly port: number }[];
  readonly receivers: readonly Receiver[];
  /** A LAN address that nobody has: for a machine that is no part of the configuration. */
  readonly spare: string;
  readonly ns: {
    readonly switch: string;
    readonly pods: string;
    readonly router: string;
    readonly hypervisor: string;
  };
}

export const SHAPES = ["bridge", "guest"] as const;
export type Shape = (typeof SHAPES)[number];

/** Cards as udev, Proxmox and cloud images name them, and their VLAN interfaces: a parent of such a name is no bridge. */
const CARD = /^(en[ospx]|eth|ens|em\d|p\d+p\d)/;

/** The shape that the name of the link's parent tells. */
export function shapeOf(house: House): Shape {
  return CARD.test(house.links[0]?.parent ?? "") ? "guest" : "bridge";
}

/** A VLAN interface by its name: CARD.ID. Null for any other. */
export function vlanOf(name: string): { readonly card: string; readonly id: number } | null {
  const match = /^(.+)\.(\d{1,4})$/.exec(name);
  return match === null ? null : { card: match[1]!, id: Number(match[2]) };
}

/** RFC 5737 documentation address: where every outgoing name of the lab leads. */
export const WORLD = "203.0.113.10";

/** Host and port of an `http(s)://`, `mqtt://` URL or of ADDRESS:PORT. */
export function hostPort(text: string, fallback: number): { host: string; port: number } {
  const match = /^(?:[a-z]+:\/\/)?(?:[^@/]*@)?(\[[^\]]+\]|[^/:]+)(?::(\d+))?/.exec(text);
  return { host: (match?.[1] ?? "").replace(/^\[|\]$/g, ""), port: Number(match?.[2] ?? fallback) };
}

function listens(house: House): readonly string[] {
  return Array.isArray(house.hub.listen) ? house.hub.listen : [house.hub.listen];
}

/** Addresses of the configuration that are plainly machines of the LAN, if they are anywhere near the targets. */
export function lanHints(house: House): {
  hub: string | null;
  host: string | null;
  homeAssistant: string | null;
  from: readonly string[];
  gateway: string | null;
} {
  const literal = (host: string) => (isIpv4(host) && !host.startsWith("127.0.0.") && host !== "0.0.0.0" ? host : null);
  const hubListen = listens(house)
    .filter((entry) => !entry.startsWith("unix:"))
    .map((entry) => literal(hostPort(entry, 8787).host))
    .find((host) => host !== null);
  const hubUrl = house.hub.url === undefined ? null : literal(hostPort(house.hub.url, 8787).host);
  const hostListen = Object.values(house.hosts)
    .map((host) => (host.listen.startsWith("unix:") ? null : literal(hostPort(host.listen, 8788).host)))
    .find((host) => host !== null);
  const assistant = house.notify
    .flatMap((entry) => ("home_assistant" in entry ? [literal(hostPort(entry.home_assistant.url, 8123).host)] : []))
    .find((host) => host !== null);
  const from = house.hub.tokens
    .flatMap((token) => token.from)
    .filter((net) => !net.includes("/") || net.endsWith("/32"))
    .map((net) => net.replace("/32", ""))
    .filter(isIpv4);
  const reference = house.control.reference === undefined ? null : literal(hostPort(house.control.reference, 53).host);
  const gateway =
    house.control.gateway !== null && house.control.gateway !== "auto" ? literal(house.control.gateway) : null;
  return {
    hub: hubListen ?? hubUrl,
    host: hostListen ?? null,
    homeAssistant: assistant ?? null,
    from,
    gateway: gateway ?? reference ?? house.hub.resolvers.find(isIpv4) ?? null,
  };
}

function lanOf(house: House, hints: ReturnType<typeof lanHints>): Network {
  const targets = house.targets.flatMap((target) => target.addresses).filter(isIpv4);
  if (targets.length === 0) return spanOf([hints.hub ?? hints.homeAssistant ?? "192.168.8.1"]);
  const span = spanOf(targets);
  // Machines near by widen the network: a house with 10.1.0.0/22 names its host in another /24 than its addresses.
  const near = [hints.hub, hints.host, hints.homeAssistant].filter(
    (address) => address !== null && contains(networkOf(targets[0]!, 16), address),
  ) as string[];
  return near.every((address) => contains(span, address)) ? span : spanOf([...targets, ...near]);
}

/** A name for a namespace that is no machine of the configuration. */
function own(wanted: string, taken: ReadonlySet<string>): string {
  return taken.has(wanted) ? own(`lab-${wanted}`, taken) : wanted;
}

/** Infers the whole house. Pure: nothing is asked of the machine. */
export function planHouse(house: House, shape: Shape = shapeOf(house)): HousePlan {
  const hints = lanHints(house);
  const lan = lanOf(house, hints);
  const inLan = (address: string | null): string | null =>
    address !== null && contains(lan, address) ? address : null;
  const targets = house.targets.flatMap((target) => target.addresses);
  const known = [
    hints.hub,
    hints.host,
    hints.homeAssistant,
    hints.gateway,
    ...hints.from,
    ...house.hub.resolvers,
    ...receiversOf(house).map((receiver) => receiver.host),
  ];
  const book = new AddressBook(lan, [
    ...targets,
    ...(known.filter((address) => address !== null && isIpv4(address)) as string[]),
  ]);
  const gateway = inLan(hints.gateway) ?? book.take(1);
  const nodeAddress = inLan(hints.host) ?? inLan(hints.hub) ?? book.take(246);
  const hubAddress = inLan(hints.hub) ?? nodeAddress;
  const link = house.links[0];
  const nodeName =
    Object.values(house.speakers)[0]?.node ?? house.vantages.find((vantage) => vantage.where === "host")?.name ?? "n5";
  const nodeNs = nodeName.replace(/[^A-Za-z0-9_-]/g, "-");
  const reserved = new Set([
    ...house.vantages.filter((vantage) => vantage.where !== "host").map((vantage) => vantage.name),
    nodeNs,
  ]);
  const ifaces = new Set(house.links.flatMap((each) => [each.name, each.parent]));
  const node = {
    ns: nodeNs,
    name: nodeName,
    address: nodeAddress,
    // A guest's other card leads to a network of its own.
    uplink: (shape === "guest" ? ["ens19", "eth9"] : ["eno1", "enp1s0", "eth9"]).find((each) => !ifaces.has(each))!,
    bridge: link?.parent ?? "bridge0",
    bridgeMac: bridgeMac(house),
  };
  const routedNet = freeNetwork(["10.77.0.0", "172.29.77.0", "192.168.177.0"], 24, [lan]);
  const podNet = freeNetwork(["10.244.0.0", "10.42.0.0", "172.30.0.0"], 24, [lan, routedNet]);
  const machines = portsIn(shape, machinesOf(house, { hints, inLan, book, routedNet, nodeAddress, hubAddress }));
  const homeAssistant = homeAssistantAt(machines, hints.homeAssistant, book, house, inLan);
  const all = homeAssistant !== null && !machines.includes(homeAssistant) ? [...machines, homeAssistant] : machines;
  const hubMachine = all.find((machine) => machine.address === hubAddress);
  const withHub =
    hubAddress === nodeAddress || hubMachine !== undefined
      ? all
      : [...all, { ns: own("hub", reserved), address: hubAddress, at: "switch" as const, port: "p-hub", vantages: [] }];
  const hubNs =
    hubAddress === nodeAddress ? node.ns : (withHub.find((machine) => machine.address === hubAddress)?.ns ?? node.ns);
  const machineAddresses = new Set([nodeAddress, ...withHub.map((machine) => machine.address)]);
  const elsewhere = [...resolversOf(house, gateway), ...receiversOf(house)].map((entry) =>
    "address" in entry ? entry.address : isIP(entry.host) ? entry.host : WORLD,
  );
  const outside = [...new Set([gateway, ...elsewhere, WORLD])].filter(
    (address) => isIpv4(address) && !machineAddresses.has(address),
  );
  const six = targets.find(isIpv6);
  return {
    house,
    shape,
    lan,
    lan6: six === undefined ? null : prefixOf(six),
    gateway,
    node,
    hub: { ns: hubNs, address: hubAddress, port: hubPort(house) },
    machines: withHub,
    homeAssistant,
    pods: podsOf(house, podNet, six !== undefined),
    podNet,
    podGateway: toAddress(podNet.base + 1),
    routedNet,
    lanAddresses: outside.filter((address) => contains(lan, address)),
    worldAddresses: outside.filter((address) => !contains(lan, address)),
    resolvers: resolversOf(house, gateway),
    receivers: receiversOf(house),
    spare: book.take(247),
    ns: {
      switch: own("switch", reserved),
      pods: own("pods", reserved),
      router: own("router", reserved),
      hypervisor: own("hypervisor", reserved),
    },
  };
}

/** A fixed MAC for the bridge: without one it takes its lowest port's and may change when a machine is plugged in. */
function bridgeMac(house: House): string {
  const taken = new Set(house.links.map((link) => link.mac));
  return ["02:6c:61:62:00:01", "02:6c:61:62:00:02", "02:6c:61:62:00:03"].find((mac) => !taken.has(mac))!;
}

function hubPort(house: House): number {
  const entry = listens(house).find((each) => !each.startsWith("unix:")) ?? house.hub.url ?? "";
  return hostPort(entry, 8787).port;
}

function resolversOf(house: House, gateway: string): readonly { address: string; port: number }[] {
  const reference =
    house.control.reference === undefined
      ? []
      : [hostPort(house.control.reference, 53)].map(({ host, port }) => ({ address: host, port }));
  const named = house.hub.resolvers.filter(isIpv4).map((address) => ({ address, port: 53 }));
  const all = [...reference, ...named, { address: gateway, port: 53 }];
  return all.filter(
    (entry, index) =>
      isIpv4(entry.address) &&
      all.findIndex((other) => other.address === entry.address && other.port === entry.port) === index,
  );
}

/** The number that Proxmox gives the node; the guests beside it have the next ones. */
export const NODE_GUEST = 100;

/** On a hypervisor a guest's port is a tap behind a bridge of its own, named after its number. */
function portsIn(shape: Shape, machines: readonly Machine[]): readonly Machine[] {
  if (shape === "bridge") return machines;
  let guest = NODE_GUEST;
  return machines.map((machine) => (machine.at === "bridge" ? { ...machine, port: `tap${++guest}i0` } : machine));
}

/** Where the pods of a dual-stack house are: a unique local network (RFC 4193), clear of what a house would choose. */
export const POD_NET6: readonly number[] = [0xfd00, 0x10, 0x244, 0];
export const ROUTED_NET6: readonly number[] = [0xfd00, 0x10, 0x77, 0];

/** The IPv6 address of a machine on the LAN, after its IPv4 one. */
export function address6In(plan: HousePlan, address: string): string {
  return namedAfter(plan.lan6 ?? [], plan.lan, address);
}

function podsOf(house: House, podNet: Network, isDual: boolean): readonly Pod[] {
  return house.targets.map((target, index) => ({
    target,
    addresses: target.addresses,
    ip: toAddress(podNet.base + 10 + index),
    ip6: isDual ? namedAfter(POD_NET6, podNet, toAddress(podNet.base + 10 + index)) : null,
    ports: portsOf(target),
    service: target.service ?? `default/${target.name.toLowerCase().replace(/[^a-z0-9-]/g, "-")}`,
  }));
}
