import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { JoinToken } from "../core/plan.ts";
import { ConfigError, loadConfig } from "../runtime/node/config-file.ts";
import { readWebhookSecret, readWebhookSecrets } from "../runtime/node/hub-keys.ts";
import { commandLine, defaultConfig } from "./command-line.ts";

/** A Standard Webhooks secret of 32 random bytes. */
export const newKey = (): string => `whsec_${randomBytes(32).toString("base64")}`;

const ACTIONS = ["vantage", "rotate", "retire", "revoke"] as const;

/**
 * `hairpin token vantage NAME` prints a join token. `rotate` makes a new key beside the one in use, so that nothing is lost while
 * the vantage changes over, and `retire` drops the older one; `revoke` makes every token given out worthless at once.
 */
export async function run(argv: readonly string[]): Promise<number> {
  const program = commandLine(
    "token",
    "Make, change or revoke the join token of a vantage. Prints only the token on stdout.",
  )
    .argument("[action]", "vantage: print it; rotate: a new one beside the old; retire: drop the old; revoke: drop all")
    .argument("[name]", "a vantage of the configuration")
    .option("--config <file>", "the configuration", defaultConfig());
  program.parse([...argv], { from: "user" });
  const { config: file } = program.opts<{ config: string }>();
  const [action, name] = program.args;
  if (!ACTIONS.some((known) => known === action) || name === undefined) return wrongUsage(file, action, name);
  const { house, dir } = loadConfig(file, { missingFiles: "warning" });
  const vantage = house.vantages.find((known) => known.name === name);
  if (vantage === undefined) {
    const known = house.vantages.map((one) => one.name).join(", ") || "none";
    return refuse(`no vantage ${JSON.stringify(name)} in ${file} (there: ${known}); add it under vantages first`);
  }
  const path = resolve(dir, vantage.key_file);
  if (action === "revoke") {
    writeKey(path, [newKey()]);
    process.stderr.write(
      `The key of ${vantage.name} was replaced: tokens given out before are worthless within a second. hairpin token vantage ${vantage.name} prints the new one.\n`,
    );
    return 0;
  }
  if (action === "retire") {
    const [current] = readWebhookSecrets(path);
    writeKey(path, [current!]);
    process.stderr.write(`Only the newest key of ${vantage.name} is accepted now.\n`);
    return 0;
  }
  const hub = house.hub.url ?? urlOf(house.hub.listen, house.hub.tls !== undefined);
  if (hub === null)
    return refuse("hub.url is missing: the address that vantages dial, such as http://192.168.8.246:8787");
  if (!existsSync(path)) {
    writeKey(path, [newKey()]);
    process.stderr.write(`Made the key ${path}. A hub that runs already must be restarted to know a new vantage.\n`);
  }
  if (action === "rotate") {
    writeKey(path, [newKey(), readWebhookSecret(path)]);
    process.stderr.write(
      `${vantage.name} has a new key; the one before is accepted too. Give the token below to the vantage, and then: hairpin token retire ${vantage.name}\n`,
    );
  }
  const token: JoinToken = { hub, site: house.site, vantage: vantage.name, key: readWebhookSecret(path) };
  process.stdout.write(`hairpin1.${Buffer.from(JSON.stringify(token)).toString("base64url")}\n`);
  return 0;
}

/** What to type instead, with a vantage of this very configuration where it can be read. */
function wrongUsage(file: string, action: string | undefined, name: string | undefined): number {
  const known = vantagesOf(file);
  const guess = [name, action].find((word) => word !== undefined && known.includes(word)) ?? known[0] ?? "NAME";
  const verb = ACTIONS.find((each) => each === action) ?? "vantage";
  const what = ACTIONS.some((each) => each === action)
    ? `which vantage? There: ${known.join(", ") || "none"}`
    : `${ACTIONS.map((each) => `token ${each} NAME`).join(", ")}: one of these is wanted`;
  return refuse(`${what}. Type: hairpin token ${verb} ${guess}`);
}

function vantagesOf(file: string): readonly string[] {
  try {
    return loadConfig(file, { missingFiles: "warning" }).house.vantages.map((vantage) => vantage.name);
  } catch (error) {
    if (error instanceof ConfigError) return [];
    throw error;
  }
}

function refuse(message: string): number {
  process.stderr.write(`hairpin token: ${message}\n`);
  return 2;
}

/** Written beside and renamed: a hub that reads it meanwhile sees the old key or the new one, never half of one. */
function writeKey(path: string, keys: readonly string[]): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const draft = `${path}.${process.pid}.new`;
  writeFileSync(draft, `${keys.join("\n")}\n`, { mode: 0o600, flag: "wx" });
  renameSync(draft, path);
}

/** Where the hub listens, when that is an address that can be dialled. */
function urlOf(listen: string | readonly string[], tls: boolean): string | null {
  const entries = typeof listen === "string" ? [listen] : listen;
  const address = entries.find((entry) => !entry.startsWith("unix:") && !/^(0\.0\.0\.0|\[::\]):/.test(entry));
  return address === undefined ? null : `${tls ? "https" : "http"}://${address}`;
}
