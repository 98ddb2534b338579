import { existsSync, renameSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import type { FleetList } from "../core/edge/fleet.ts";
import type { SiteStatus } from "../core/edge/port.ts";
import type { EdgeNotify, SiteSettingsInput } from "../core/edge/wire.ts";
import { readWebhookSecret, readWebhookSecrets } from "../runtime/node/hub-keys.ts";
import { readSecret } from "../runtime/node/secret-file.ts";
import { askEdge, sayRefusal } from "./edge-client.ts";
import { confirm } from "./edge-confirm.ts";
import {
  ADMIN_FILE,
  EdgeUsage,
  type Place,
  type PlaceFlags,
  placeOf,
  READ_FILE,
  readText,
  siteKeys,
  tokenFor,
} from "./edge-place.ts";
import { printJson, printTable, safe } from "./hub-client.ts";
import { newKey } from "./token.ts";

export interface SiteFlags extends PlaceFlags {
  readonly keyFile?: string;
  readonly siteToken?: readonly string[];
  readonly yes?: boolean;
  readonly retire?: boolean;
  readonly fleet?: boolean;
  readonly search?: string;
}

function keyFileOf(place: Place, flags: SiteFlags): string {
  if (flags.keyFile !== undefined) return resolve(flags.keyFile);
  if (place.house?.edge === undefined || (flags.site !== undefined && flags.site !== place.house.site))
    throw new EdgeUsage("hairpin edge: --key-file is wanted: the file with this site's key, made when it is not there");
  return resolve(place.dir, place.house.edge.key_file);
}

/** Receivers of the edge's own alerts, with their secrets: the house cannot be asked for them when it is dark. */
function notifyOf({ house, dir }: Place): readonly EdgeNotify[] {
  return (house?.edge?.notify ?? []).map((entry): EdgeNotify => {
    if ("ntfy" in entry) {
      const { url, token_file } = entry.ntfy;
      return {
        kind: "ntfy",
        url,
        ...(token_file === undefined ? {} : { token: readSecret(resolve(dir, token_file)) }),
      };
    }
    const { url, secret_file, template_file } = entry.webhook;
    return {
      kind: "webhook",
      url,
      ...(secret_file === undefined ? {} : { secret: readWebhookSecret(resolve(dir, secret_file)) }),
      ...(template_file === undefined ? {} : { template: readText(resolve(dir, template_file)) }),
    };
  });
}

async function putSite(
  place: Place,
  flags: SiteFlags,
  keys: readonly string[],
): Promise<{ code: number; outcome: string }> {
  const isOwn = place.house?.site === place.site;
  const settings: SiteSettingsInput = {
    keys: [...keys],
    tokens: (flags.siteToken ?? []).map((file) => readSecret(file)),
    notify: isOwn ? [...notifyOf(place)] : [],
    ...(isOwn && place.house?.edge !== undefined ? { silence_ms: place.house.edge.silence } : {}),
  };
  const admin = tokenFor(place, flags.tokenFile, [ADMIN_FILE]);
  const reply = await askEdge("PUT", `${place.url}/v1/sites/${place.site}`, admin, JSON.stringify(settings));
  if (reply.status !== 200 && reply.status !== 201) return { code: sayRefusal(reply), outcome: "refused" };
  return { code: 0, outcome: String((reply.body as { outcome?: unknown }).outcome ?? "") };
}

/** `hairpin edge add-site`: gives the edge this site's key, and whom to tell when it is dark. Repeating it changes nothing else. */
export async function addSite(flags: SiteFlags): Promise<number> {
  const place = await placeOf(flags);
  const file = keyFileOf(place, flags);
  const { keys, made } = siteKeys(file);
  const { code, outcome } = await putSite(place, flags, keys);
  if (code !== 0) return code;
  const receivers = place.house?.site === place.site ? (place.house.edge?.notify.length ?? 0) : 0;
  if (flags.json) printJson({ site: place.site, outcome, url: place.url, key_file: file, key_made: made, receivers });
  else {
    process.stdout.write(
      `${place.site} is ${outcome} at ${place.url}; its key is ${file}${made ? ", made just now" : ""}.\n`,
    );
    if (receivers === 0)
      process.stdout.write(
        "Nobody is told when it goes dark: list ntfy or a webhook in edge.notify, and add the site again.\n",
      );
    process.stdout.write("A hub that runs without this edge so far must be restarted. Then: hairpin edge doctor\n");
  }
  return 0;
}

/** `hairpin edge rotate`: a new key beside the old, at both ends; `--retire` drops the old. In between both are good. */
export async function rotate(flags: SiteFlags): Promise<number> {
  const place = await placeOf(flags);
  const file = keyFileOf(place, flags);
  if (!existsSync(file))
    throw new EdgeUsage(`hairpin edge: ${file} is not there: hairpin edge add-site makes the first key`);
  const known = readWebhookSecrets(file);
  const keys = flags.retire ? [known[0]!] : [newKey(), ...known].slice(0, 3);
  // Where the key is dropped the house goes first, where one comes the edge does: at no time does one sign what the other refuses.
  if (flags.retire) writeKeys(file, keys);
  const { code } = await putSite(place, flags, keys);
  if (code !== 0) return code;
  if (!flags.retire) writeKeys(file, keys);
  if (flags.json) printJson({ site: place.site, key_file: file, keys: keys.length });
  else if (flags.retire) process.stdout.write("Only the newest key is accepted now.\n");
  else
    process.stdout.write(
      "A new key signs beside the old one; the hub reads it within a second. When `hairpin edge doctor` is content: hairpin edge rotate --retire\n",
    );
  return 0;
}

/** Written beside and renamed: a hub that reads it meanwhile sees the old keys or the new ones. */
function writeKeys(path: string, keys: readonly string[]): void {
  const draft = `${path}.${process.pid}.new`;
  writeFileSync(draft, `${keys.join("\n")}\n`, { mode: 0o600, flag: "wx" });
  renameSync(draft, path);
}

/** `hairpin edge remove-site`: the edge forgets it, with every row. */
export async function removeSite(flags: SiteFlags): Promise<number> {
  const place = await placeOf(flags);
  const admin = tokenFor(place, flags.tokenFile, [ADMIN_FILE]);
  if (!(await confirm(flags.yes === true, `The edge forgets ${place.site}: its key, its history, its alerts.`)))
    return 2;
  const reply = await askEdge("DELETE", `${place.url}/v1/sites/${place.site}`, admin);
  if (reply.status !== 204) return sayRefusal(reply);
  if (flags.json) printJson({ site: place.site, outcome: "removed" });
  else
    process.stdout.write(
      `${place.site} is removed. Take edge out of hairpin.yaml too, or its heartbeats are refused.\n`,
    );
  return 0;
}

/** `hairpin edge test`: the edge sends a test to every receiver of this site, from where its alerts will come. */
export async function test(flags: SiteFlags): Promise<number> {
  const place = await placeOf(flags);
  const admin = tokenFor(place, flags.tokenFile, [ADMIN_FILE]);
  const reply = await askEdge("POST", `${place.url}/v1/sites/${place.site}/test-notifications`, admin);
  if (reply.status !== 202) return sayRefusal(reply);
  const receivers = Number((reply.body as { receivers?: unknown }).receivers ?? 0);
  if (flags.json) printJson({ site: place.site, receivers });
  else if (receivers === 0)
    process.stdout.write("There is nobody to tell: list ntfy or a webhook in edge.notify, and add the site again.\n");
  else
    process.stdout.write(
      `A test is on its way to ${receivers} ${receivers === 1 ? "receiver" : "receivers"}; hairpin edge doctor says when one did not arrive.\n`,
    );
  return receivers === 0 ? 1 : 0;
}

/** `hairpin edge status`: what the edge knows of this site, or of all of them. 0 when all is well, 1 when not. */
export async function status(flags: SiteFlags): Promise<number> {
  const place = await placeOf(flags);
  const token = tokenFor(place, flags.tokenFile, [READ_FILE, ADMIN_FILE]);
  return flags.fleet ? fleet(place, token, flags) : oneSite(place, token, flags);
}

async function fleet(place: Place, token: string, flags: SiteFlags): Promise<number> {
  const query = flags.search === undefined ? "" : `?q=${encodeURIComponent(flags.search)}`;
  const reply = await askEdge("GET", `${place.url}/v1/sites${query}`, token);
  if (reply.status !== 200) return sayRefusal(reply);
  const list = reply.body as FleetList;
  if (flags.json) printJson(list);
  else {
    const rows = list.sites.map(({ site, state, cause, since, summary }) => [
      site,
      state,
      cause ?? "-",
      since,
      summary,
    ]);
    printTable([["SITE", "STATE", "CAUSE", "SINCE", "SUMMARY"], ...rows]);
    process.stdout.write(
      `${list.total} sites: ${Object.entries(list.counts)
        .map(([state, n]) => `${n} ${safe(state)}`)
        .join(", ")}\n`,
    );
  }
  return list.sites.every(({ state }) => state === "ok") ? 0 : 1;
}

async function oneSite(place: Place, token: string, flags: SiteFlags): Promise<number> {
  const reply = await askEdge("GET", `${place.url}/v1/sites/${place.site}/status`, token);
  if (reply.status !== 200) return sayRefusal(reply);
  const known = reply.body as SiteStatus;
  if (flags.json) printJson(known);
  else {
    process.stdout.write(
      `${safe(known.site)}: ${safe(known.state).toUpperCase()}${known.cause ? ` (${safe(known.cause)})` : ""} since ${safe(known.since)}\n`,
    );
    process.stdout.write(
      `${safe(known.summary)}\nlast heard ${safe(known.last_seen ?? "never")}, dark at ${safe(known.dark_at ?? "-")}\n`,
    );
    for (const { id, ok, failure, ms, observed_at } of known.outside)
      process.stdout.write(
        `  ${safe(id)}  ${ok ? "ok" : safe(failure ?? "failed")}${ms === null ? "" : ` ${Math.round(ms)} ms`}  ${safe(observed_at)}\n`,
      );
    for (const { id, state, result } of known.heals)
      process.stdout.write(
        `  heal ${safe(id)}  ${safe(state)}${result === null ? "" : `: ${safe(result.state)}, ${safe(result.detail)}`}\n`,
      );
    for (const { event, timestamp, title } of known.events)
      process.stdout.write(`  ${safe(timestamp)}  ${safe(event)}  ${safe(title)}\n`);
  }
  return known.state === "ok" ? 0 : 1;
}
