import { type Millis, parseDuration } from "../../core/units.ts";
import type { LoadedConfig } from "./config-file.ts";
import { DURATION_KEYS } from "./config-findings.ts";

type Tree = Record<string, unknown>;

/**
 * The effective configuration as it would be written, every default filled in, without secrets: what came from the environment
 * is shown as it was written, and addresses that are secrets in themselves (ntfy topics, webhook and heartbeat paths) are masked.
 */
export function effective(loaded: LoadedConfig): Tree {
  const tree = written(loaded.config) as Tree;
  for (const { path, written: text } of loaded.interpolated) put(tree, path, text);
  const shown = new Set(loaded.interpolated.map(({ path }) => path.join("\0")));
  maskUrls(tree, [], shown);
  return tree;
}

/** What the host process reads when the hub is elsewhere: its link, its speaker, itself, and which addresses they carry. */
export function forHost(loaded: LoadedConfig): Tree {
  const tree = effective(loaded);
  const targets = Object.entries(tree["targets"] as Record<string, Tree>).map(([name, target]) => {
    const { address, service, link } = target;
    return [name, { address, ...(service === undefined ? {} : { service }), ...(link === undefined ? {} : { link }) }];
  });
  const wanted = ["link", "links", "speaker", "speakers", "host", "hosts"].filter((key) => tree[key] !== undefined);
  return {
    site: tree["site"],
    targets: Object.fromEntries(targets),
    ...Object.fromEntries(wanted.map((key) => [key, tree[key]])),
  };
}

/** Writes milliseconds exactly, in the largest unit that divides them. */
export function writeDuration(millis: Millis): string {
  for (const unit of ["d", "h", "m", "s"]) {
    const size = parseDuration(`1${unit}`)!;
    if (millis >= size && millis % size === 0) return `${millis / size}${unit}`;
  }
  return `${millis}ms`;
}

/** A copy with durations in words. Keys that are undefined are left out. */
function written(value: unknown, key = ""): unknown {
  if (Array.isArray(value)) return value.map((item) => written(item));
  if (value !== null && typeof value === "object") {
    const entries = Object.entries(value).filter(([, item]) => item !== undefined);
    return Object.fromEntries(entries.map(([name, item]) => [name, written(item, name)]));
  }
  return typeof value === "number" && DURATION_KEYS.has(key) ? writeDuration(value) : value;
}

function put(tree: Tree, path: readonly (string | number)[], text: string): void {
  let place: Record<string | number, unknown> = tree;
  for (const part of path.slice(0, -1)) {
    const next = place[part];
    if (next === null || typeof next !== "object") return; // The schema dropped or turned this part: nothing of it is shown.
    place = next as Record<string | number, unknown>;
  }
  const last = path.at(-1);
  if (last !== undefined && Object.hasOwn(place, last)) place[last] = text;
}

/** Subscribers whose URL lets anybody who knows it post, or listen. */
const SECRET_PATHS: ReadonlySet<string> = new Set(["ntfy", "webhook", "heartbeat"]);

function maskUrls(value: unknown, path: readonly (string | number)[], shown: ReadonlySet<string>): void {
  if (value === null || typeof value !== "object") return;
  const place = value as Record<string | number, unknown>;
  const keys = Array.isArray(value) ? value.keys() : Object.keys(value);
  for (const key of keys) {
    const here = [...path, key];
    const item = place[key];
    if (typeof item === "string" && key === "url" && !shown.has(here.join("\0"))) {
      place[key] = maskUrl(item, isReceiver(path) && SECRET_PATHS.has(String(path.at(-1))));
    } else maskUrls(item, here, shown);
  }
}

/** Those of the hub, and those of the edge. */
const isReceiver = ([first, second]: readonly (string | number)[]): boolean =>
  first === "notify" || (first === "edge" && second === "notify");

/** Hides the credentials of a URL, and all that follows the host when that is a secret too. */
export function maskUrl(url: string, hidePath: boolean): string {
  const match = /^([a-z]+:\/\/)(?:[^@/?#]*@)?([^/?#]*)(.*)$/i.exec(url);
  if (match === null) return "***";
  const [, scheme, host, rest] = match;
  const tail = hidePath && rest !== "" && rest !== "/" ? "/***" : (rest ?? "").replace(/\?.*/, "?***");
  return `${scheme}${host}${tail}`;
}
