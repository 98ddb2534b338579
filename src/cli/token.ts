import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { JoinToken } from "../core/plan.ts";
import { loadConfig } from "../runtime/node/config-file.ts";
import { readWebhookSecret } from "../runtime/node/hub-keys.ts";
import { commandLine, defaultConfig } from "./command-line.ts";

/** A Standard Webhooks secret of 32 random bytes. */
export const newKey = (): string => `whsec_${randomBytes(32).toString("base64")}`;

/** `hairpin token vantage NAME` prints a join token; `hairpin token revoke NAME` makes the one given out worthless. */
export async function run(argv: readonly string[]): Promise<number> {
  const program = commandLine("token", "Make or revoke the join token of a vantage. Prints only the token on stdout.")
    .argument("<action>", "vantage or revoke")
    .argument("<name>", "a vantage of the configuration")
    .option("--config <file>", "the configuration", defaultConfig());
  program.parse([...argv], { from: "user" });
  const { config: file } = program.opts<{ config: string }>();
  const [action, name] = program.args;
  if (action !== "vantage" && action !== "revoke") return refuse("vantage NAME or revoke NAME is wanted");
  const { house, dir } = loadConfig(file, { missingFiles: "warning" });
  const vantage = house.vantages.find((known) => known.name === name);
  if (vantage === undefined) {
    const known = house.vantages.map((one) => one.name).join(", ") || "none";
    return refuse(`no vantage ${JSON.stringify(name)} in ${file} (there: ${known}); add it under vantages first`);
  }
  const path = resolve(dir, vantage.key_file);
  if (action === "revoke") {
    writeKey(path);
    process.stderr.write(
      `The key of ${vantage.name} was replaced: tokens given out before are worthless within a second. hairpin token vantage ${vantage.name} prints the new one.\n`,
    );
    return 0;
  }
  const hub = house.hub.url ?? urlOf(house.hub.listen, house.hub.tls !== undefined);
  if (hub === null)
    return refuse("hub.url is missing: the address that vantages dial, such as http://192.168.8.246:8787");
  if (!existsSync(path)) {
    writeKey(path);
    process.stderr.write(`Made the key ${path}. A hub that runs already must be restarted to know a new vantage.\n`);
  }
  const token: JoinToken = { hub, site: house.site, vantage: vantage.name, key: readWebhookSecret(path) };
  process.stdout.write(`hairpin1.${Buffer.from(JSON.stringify(token)).toString("base64url")}\n`);
  return 0;
}

function refuse(message: string): number {
  process.stderr.write(`hairpin token: ${message}\n`);
  return 2;
}

/** Written beside and renamed: a hub that reads it meanwhile sees the old key or the new one, never half of one. */
function writeKey(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const draft = `${path}.${process.pid}.new`;
  writeFileSync(draft, `${newKey()}\n`, { mode: 0o600, flag: "wx" });
  renameSync(draft, path);
}

/** Where the hub listens, when that is an address that can be dialled. */
function urlOf(listen: string | readonly string[], tls: boolean): string | null {
  const entries = typeof listen === "string" ? [listen] : listen;
  const address = entries.find((entry) => !entry.startsWith("unix:") && !/^(0\.0\.0\.0|\[::\]):/.test(entry));
  return address === undefined ? null : `${tls ? "https" : "http"}://${address}`;
}
