import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { Command } from "commander";
import type { House } from "../core/config/house.ts";
import { readWebhookSecrets } from "../runtime/node/hub-keys.ts";
import { readSecret, SecretError } from "../runtime/node/secret-file.ts";
import { defaultConfig } from "./command-line.ts";

/** What init writes and deploy replaces: nobody answers there (RFC 2606). */
export const NOT_DEPLOYED = "https://hairpin-edge.invalid";

/** Wrong usage, told in one sentence: exit code 2. Main knows it by the name. */
export class EdgeUsage extends Error {
  override name = "ConfigError";
}

export interface PlaceFlags {
  readonly config: string;
  readonly url?: string;
  readonly site?: string;
  readonly tokenFile?: string;
  readonly json?: boolean;
}

/** Which edge, which site: from hairpin.yaml, or, on a machine that has none, from flags alone. */
export interface Place {
  readonly url: string;
  readonly site: string;
  readonly house: House | null;
  /** Where relative paths of the configuration begin. */
  readonly dir: string;
  readonly file: string;
}

export function withPlace(program: Command): Command {
  return program
    .option("--config <file>", "the configuration with `site` and `edge`", defaultConfig())
    .option("--url <url>", "the edge's URL, instead of edge.url")
    .option("--site <name>", "the site, instead of the configuration's")
    .option("--json", "print one JSON document");
}

/** Finds edge and site. Throws EdgeUsage when neither file nor flags say which. */
export async function placeOf(flags: PlaceFlags): Promise<Place> {
  const isBare = flags.url !== undefined && flags.site !== undefined && !existsSync(flags.config);
  const loaded = isBare
    ? null
    : (await import("../runtime/node/config-file.ts")).loadConfig(flags.config, { missingFiles: "warning" });
  const house = loaded?.house ?? null;
  const url = flags.url ?? house?.edge?.url;
  if (url === undefined)
    throw new EdgeUsage(`hairpin edge: ${flags.config} has no edge; hairpin edge init writes it, or give --url`);
  if (!/^https?:\/\/[^/\s]+/.test(url))
    throw new EdgeUsage(`hairpin edge: --url: an https:// URL is wanted, not ${url}`);
  if (url === NOT_DEPLOYED)
    throw new EdgeUsage("hairpin edge: the Worker has not been deployed yet: hairpin edge deploy");
  if (isOpenWire(url))
    process.stderr.write(`hairpin edge: ${url} is not encrypted: whoever listens on the way reads the token\n`);
  const site = flags.site ?? house?.site ?? "";
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(site))
    throw new EdgeUsage("hairpin edge: --site: letters, digits, - and _ only, at most 64");
  return { url: url.replace(/\/+$/, ""), site, house, dir: loaded?.dir ?? process.cwd(), file: flags.config };
}

const isOpenWire = (url: string): boolean => /^http:\/\/(?!127\.|\[::1\]|localhost)/.test(url);

/** Files beside the configuration, under the names that init gives them. */
export const ADMIN_FILE = "keys/edge-admin";
export const READ_FILE = "keys/edge-read";

/** The token to ask the edge with: the one given, else the first of init's that this user may read. */
export function tokenFor(place: Place, given: string | undefined, files: readonly string[]): string {
  if (given !== undefined) return readSecret(given);
  for (const file of files) {
    const path = resolve(place.dir, file);
    if (!existsSync(path)) continue;
    try {
      return readSecret(path);
    } catch (error) {
      if (!(error instanceof SecretError)) throw error;
    }
  }
  const names = files.map((file) => resolve(place.dir, file)).join(" or ");
  throw new EdgeUsage(`hairpin edge: no token: ${names} cannot be read; give --token-file`);
}

/** Makes a file of 0600 with this text, unless it is there. True when it was made. */
export function makeSecretFile(path: string, text: string): boolean {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  try {
    writeFileSync(path, `${text}\n`, { flag: "wx", mode: 0o600 });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    return false;
  }
}

export const newToken = (): string => randomBytes(32).toString("base64url");

/** The site's keys at the edge, the newest first; made when there is none. */
export function siteKeys(path: string): { readonly keys: readonly string[]; readonly made: boolean } {
  const made = makeSecretFile(path, `whsec_${randomBytes(32).toString("base64")}`);
  return { keys: readWebhookSecrets(path).slice(0, 3), made };
}

export function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new SecretError(path, `${path} cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
}
