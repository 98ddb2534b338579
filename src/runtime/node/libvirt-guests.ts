import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { GuestFacts } from "../../core/facts.ts";
import { plain } from "../../core/text.ts";

/** Where libvirt keeps its machines and networks; what runs without a file here is not seen. */
const MACHINES = "etc/libvirt/qemu";
const NETWORKS = "etc/libvirt/qemu/networks";
const FILES_MAX = 64;
const FILE_MAX = 262_144;
const CARDS_MAX = 128;

/** A network of libvirt: the bridge of the house, or a card by macvtap. Null in `type`: its own bridge, behind NAT or routed. */
export interface GuestNetwork {
  readonly name: string;
  readonly type: "bridge" | "direct" | null;
  readonly source: string | null;
}

/** How libvirt's machines are attached, from its files below `root`. Null: they cannot be read, or libvirt is not here. */
export function readGuests(root = "/"): readonly GuestFacts[] | null {
  const machines = filesOf(join(root, MACHINES));
  if (machines === null) return null;
  const networks = (filesOf(join(root, NETWORKS)) ?? []).flatMap((text) => parseNetwork(text) ?? []);
  return machines.flatMap((text) => parseMachine(text, networks)).slice(0, CARDS_MAX);
}

function filesOf(directory: string): readonly string[] | null {
  try {
    const names = readdirSync(directory).filter((name) => name.endsWith(".xml"));
    return names
      .sort()
      .slice(0, FILES_MAX)
      .map((name) => join(directory, name))
      .filter((path) => statSync(path).size <= FILE_MAX)
      .map((path) => readFileSync(path, "utf8"));
  } catch {
    return null;
  }
}

/**
 * The cards of one machine. libvirt writes these files itself and always in the same way, so that elements are looked for by their
 * names, each from where the last one ended: no parser of XML is wanted for four attributes.
 */
export function parseMachine(xml: string, networks: readonly GuestNetwork[] = []): readonly GuestFacts[] {
  const text = withoutComments(xml.slice(0, FILE_MAX));
  const name = plain(content(text, "name") ?? "?", 128);
  return elements(text, "interface").map(({ opening, inner }) => {
    const type = plain(attribute(opening, "type") ?? "?", 32);
    const source = tag(inner, "source");
    const named = ["bridge", "dev", "network"].flatMap((key) => attribute(source, key) ?? [])[0] ?? null;
    const network = type === "network" ? networks.find((known) => known.name === named) : undefined;
    const filter = attribute(tag(inner, "filterref"), "filter");
    return {
      name,
      type: network?.type ?? type,
      source: short(network?.type == null ? named : network.source),
      mac: short(attribute(tag(inner, "mac"), "address")?.toLowerCase() ?? null, 32),
      filter: short(filter, 128),
    };
  });
}

/** `<forward mode="bridge"/>` with a bridge is the house's own; with a card, or in another mode of macvtap, it is macvtap. */
export function parseNetwork(xml: string): GuestNetwork | null {
  const text = withoutComments(xml.slice(0, FILE_MAX));
  const name = content(text, "name");
  if (name === null) return null;
  const mode = attribute(tag(text, "forward"), "mode");
  const bridge = attribute(tag(text, "bridge"), "name");
  if (mode === "bridge" && bridge !== null) return { name, type: "bridge", source: bridge };
  if (mode !== null && ["bridge", "private", "vepa", "passthrough"].includes(mode)) {
    const source = attribute(tag(text, "forward"), "dev") ?? attribute(tag(text, "interface"), "dev");
    return { name, type: "direct", source };
  }
  return { name, type: null, source: bridge };
}

const short = (text: string | null, max = 64): string | null => (text === null ? null : plain(text, max));

function withoutComments(text: string): string {
  const [first = "", ...rest] = text.split("<!--");
  return first + rest.map((part) => part.slice(end(part, "-->"))).join("");
}

/** The place after `what`; the whole length without it. */
function end(text: string, what: string): number {
  const at = text.indexOf(what);
  return at < 0 ? text.length : at + what.length;
}

function elements(text: string, name: string): { readonly opening: string; readonly inner: string }[] {
  const parts = text.split(`<${name}`).slice(1, 1 + CARDS_MAX);
  return parts
    .filter((part) => /^[\s>]/.test(part))
    .map((part) => {
      const body = part.split(`</${name}>`, 1)[0]!;
      const opened = end(body, ">");
      return { opening: body.slice(0, opened), inner: body.slice(opened) };
    });
}

/** The attributes of the first element of that name, as text. */
function tag(text: string, name: string): string {
  const part = text.split(`<${name}`).find((each, index) => index > 0 && /^[\s/>]/.test(each)) ?? "";
  return part.slice(0, end(part, ">"));
}

function attribute(opening: string, name: string): string | null {
  const found = new RegExp(`(?:^|\\s)${name}=(?:'([^']{1,256})'|"([^"]{1,256})")`).exec(opening);
  return found === null ? null : (found[1] ?? found[2] ?? null);
}

function content(text: string, name: string): string | null {
  const inner = elements(text, name)[0]?.inner;
  return inner === undefined || inner === "" ? null : inner.slice(0, 256);
}
