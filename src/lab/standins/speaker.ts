import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { isIpv6 } from "../network6.ts";
import { answerTo, gratuitous, parseArp } from "./arp.ts";
import type { KubeObject } from "./cluster.ts";
import type { SpeakerReport, SpeakerView } from "./kubernetes.ts";
import { advertisementFor, ETHERTYPE_IPV6, parseSolicitation, solicitedMac, unsolicited } from "./ndp.ts";
import { openPacketSocket, type PacketSocket } from "./packet-socket.ts";

/**
 * The stand-in for MetalLB's speaker v0.16 in L2 mode. Its habits, the bad ones too, are those that were measured on the real one:
 * it looks for links every 10 s and keys its responders by ifindex, keeps a responder's MAC for ever, sends no gratuitous ARP when it
 * picks a link up, sends it for 5 s on every update of a Service, and never tries again when the link is missing as it first looks.
 */
interface Responder {
  readonly name: string;
  /** As it was when the responder was made: a MAC changed in place is never noticed. */
  readonly mac: string;
  readonly socket: PacketSocket;
  /** For IPv6; null in a house without. */
  readonly ndp: PacketSocket | null;
}

interface Announcement {
  readonly addresses: readonly string[];
  /** Null: every interface, since an advertisement names none. */
  readonly interfaces: readonly string[] | null;
}

/** internal/layer2/announcer.go: doSpam, at once and then every 1.1 s for 5 s. */
const SPAM_EVERY_MS = 1_100;
const SPAM_FOR_MS = 5_000;
/** The default of excludel2.yaml, as far as names of the lab can match it. */
const EXCLUDED = /^(docker|cbr|dummy|virbr|lxcbr|veth|lo$|cali|tunl|flannel|kube-ipvs|cni|nodelocaldns|lxc)/;
const [IFF_UP, IFF_NOARP] = [0x1, 0x80];

const responders = new Map<number, Responder>();
const announcements = new Map<string, Announcement>();
const spam = new Map<string, number>();
let view: SpeakerView | null = null;

function report(message: SpeakerReport): void {
  if (process.connected) process.send?.(message);
}

function sysfs(name: string, file: string): string {
  try {
    return readFileSync(`/sys/class/net/${name}/${file}`, "utf8").trim();
  } catch {
    return ""; // The link went away while it was looked at.
  }
}

/** Links on which the real speaker would have a responder: up, with ARP, not a port of a bridge, not excluded by name. */
function usableLinks(): readonly { name: string; ifindex: number; mac: string }[] {
  return readdirSync("/sys/class/net").flatMap((name) => {
    const flags = Number.parseInt(sysfs(name, "flags") || "0", 16);
    if (
      EXCLUDED.test(name) ||
      (flags & IFF_UP) === 0 ||
      (flags & IFF_NOARP) !== 0 ||
      existsSync(`/sys/class/net/${name}/master`)
    )
      return [];
    const ifindex = Number(sysfs(name, "ifindex"));
    return ifindex > 0 ? [{ name, ifindex, mac: sysfs(name, "address") }] : [];
  });
}

async function rescan(): Promise<void> {
  const links = usableLinks();
  for (const [ifindex, responder] of responders) {
    if (links.some((link) => link.ifindex === ifindex)) continue;
    responder.socket.close();
    responder.ndp?.close();
    responders.delete(ifindex);
    report({ kind: "log", text: `deleteARPResponder interface=${responder.name}` });
  }
  for (const link of links) {
    if (responders.has(link.ifindex)) continue;
    const socket = await openPacketSocket(link.ifindex, (frame) => onFrame(link.ifindex, frame));
    const ndp = isDualStack()
      ? await openPacketSocket(link.ifindex, (frame) => onSolicitation(link.ifindex, frame), ETHERTYPE_IPV6)
      : null;
    responders.set(link.ifindex, { name: link.name, mac: link.mac, socket, ndp });
    report({ kind: "log", text: `createARPResponder interface=${link.name}` });
  }
}

function announces(name: string, address: string): boolean {
  for (const { addresses, interfaces } of announcements.values()) {
    if (addresses.includes(address) && (interfaces === null || interfaces.includes(name))) return true;
  }
  return false;
}

function onFrame(ifindex: number, frame: Buffer): void {
  const arp = parseArp(frame);
  const responder = responders.get(ifindex);
  if (arp === null || arp.operation !== "request" || responder === undefined) return;
  // Only broadcasts and what is meant for this very responder: another interface may answer for itself.
  const to = frame.subarray(0, 6).toString("hex");
  if (to !== "ffffffffffff" && to !== responder.mac.replaceAll(":", "")) return;
  if (announces(responder.name, arp.targetIp)) responder.socket.send(answerTo(arp, responder.mac));
}

function onSolicitation(ifindex: number, frame: Buffer): void {
  const asked = parseSolicitation(frame);
  const responder = responders.get(ifindex);
  if (asked === null || responder === undefined || !announces(responder.name, asked.target)) return;
  responder.ndp?.send(advertisementFor(asked, responder.mac));
}

const addressesOf = (service: KubeObject): readonly string[] =>
  (service["status"].loadBalancer.ingress as { ip: string }[]).map(({ ip }) => ip);

const isDualStack = (): boolean => (view?.services ?? []).some((service) => addressesOf(service).some(isIpv6));

/**
 * Joins the groups in which IPv6 asks for the addresses, on the links that are there now. The real one does so only as a Service is
 * announced for the first time: a link that is made anew hears no solicitation until the speaker is restarted (measured, facts/l2).
 */
function joinGroups(addresses: readonly string[], interfaces: readonly string[] | null): void {
  for (const { name } of responders.values()) {
    if (interfaces !== null && !interfaces.includes(name)) continue;
    for (const address of addresses.filter(isIpv6))
      spawnSync("ip", ["maddr", "add", solicitedMac(address), "dev", name], { stdio: "ignore" });
  }
}

function keyOf(object: KubeObject): string {
  return `${object.metadata.namespace}/${object.metadata.name}`;
}

/** The interfaces by which this node is to announce a Service; undefined when no advertisement covers it here. */
function wantedInterfaces(service: KubeObject, seen: SpeakerView): readonly string[] | null | undefined {
  const pool = service.metadata.annotations["metallb.io/ip-allocated-from-pool"];
  const covering = seen.advertisements.filter(({ spec }) => {
    const pools = (spec.ipAddressPools ?? []) as string[];
    const selectors = (spec.nodeSelectors ?? []) as { matchLabels?: Record<string, string> }[];
    const here =
      selectors.length === 0 ||
      selectors.some(({ matchLabels = {} }) =>
        Object.entries(matchLabels).every(([key, value]) => seen.nodeLabels[key] === value),
      );
    return here && (pools.length === 0 || (pool !== undefined && pools.includes(pool)));
  });
  if (covering.length === 0) return undefined;
  if (covering.some(({ spec }) => (spec.interfaces ?? []).length === 0)) return null;
  return [...new Set(covering.flatMap(({ spec }) => spec.interfaces as string[]))];
}

function hasEndpoint(service: KubeObject, seen: SpeakerView): boolean {
  return seen.slices.some(
    (slice) =>
      slice.metadata.namespace === service.metadata.namespace &&
      slice.metadata.labels["kubernetes.io/service-name"] === service.metadata.name &&
      (slice["endpoints"] as { conditions: { ready: boolean } }[]).some((endpoint) => endpoint.conditions.ready),
  );
}

/** SetBalancer or DeleteBalancer of one Service: what every update of it leads to. */
function reconcile(service: KubeObject, seen: SpeakerView): void {
  const key = keyOf(service);
  const interfaces = wantedInterfaces(service, seen);
  if (interfaces === undefined || !hasEndpoint(service, seen)) {
    if (announcements.delete(key)) report({ kind: "log", text: `serviceWithdrawn ${key}` });
    spam.delete(key);
    report({ kind: "status", service: key, interfaces: null });
    return;
  }
  const present = readdirSync("/sys/class/net");
  if (interfaces !== null && !interfaces.some((name) => present.includes(name))) {
    const message = `the interfaces specified by LB IP doesn't exist in assigned node "${seen.node}" with protocol "layer2"`;
    report({ kind: "event", service: key, reason: "announceFailed", type: "Warning", message });
    if (!announcements.has(key)) report({ kind: "status", service: key, interfaces: null });
    return; // And never tried again, until the Service is updated or the speaker restarted.
  }
  const addresses = addressesOf(service);
  const isNew = !announcements.has(key);
  if (isNew) joinGroups(addresses, interfaces);
  announcements.set(key, { addresses, interfaces });
  const names = interfaces ?? [...responders.values()].map((responder) => responder.name);
  report({ kind: "status", service: key, interfaces: names });
  if (isNew)
    report({
      kind: "event",
      service: key,
      reason: "nodeAssigned",
      type: "Normal",
      message: `announcing from node "${seen.node}" with protocol "layer2"`,
    });
  spam.set(key, performance.now() + SPAM_FOR_MS);
  sendGratuitous(key);
}

function sendGratuitous(key: string): void {
  const announcement = announcements.get(key);
  if (announcement === undefined) return;
  for (const responder of responders.values()) {
    if (announcement.interfaces !== null && !announcement.interfaces.includes(responder.name)) continue;
    for (const address of announcement.addresses) {
      if (isIpv6(address)) responder.ndp?.send(unsolicited(address, responder.mac));
      else for (const frame of gratuitous(address, responder.mac)) responder.socket.send(frame);
    }
  }
}

function spamAgain(): void {
  for (const [key, until] of spam) {
    if (performance.now() > until) spam.delete(key);
    else sendGratuitous(key);
  }
}

async function begin(first: SpeakerView | null, rescanMs: number): Promise<void> {
  if (first === null) {
    report({ kind: "log", text: "unable to start manager: the Kubernetes API does not answer" });
    process.exit(1);
  }
  view = first;
  await rescan();
  for (const service of first.services) reconcile(service, first);
  report({ kind: "ready" });
  setInterval(spamAgain, SPAM_EVERY_MS);
  // One scan after the other, as the real one's loop does: sleep, then look.
  const again = () => void rescan().then(() => setTimeout(again, rescanMs));
  setTimeout(again, rescanMs);
}

process.on("SIGTERM", () => process.exit(0));
process.on("disconnect", () => process.exit(0));
process.on("message", (message: { view: SpeakerView | null; rescanMs?: number; changed?: readonly string[] }) => {
  if (message.rescanMs !== undefined) return void begin(message.view, message.rescanMs);
  if (message.view === null) return;
  view = message.view;
  for (const service of view.services) if ((message.changed ?? []).includes(keyOf(service))) reconcile(service, view);
});
