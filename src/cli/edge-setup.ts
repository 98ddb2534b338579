import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { House } from "../core/config/house.ts";
import { loadConfig } from "../runtime/node/config-file.ts";
import { readSecret } from "../runtime/node/secret-file.ts";
import { confirm } from "./edge-confirm.ts";
import { type Pace, sayCost } from "./edge-cost.ts";
import { ADMIN_FILE, EdgeUsage, makeSecretFile, NOT_DEPLOYED, newToken, READ_FILE } from "./edge-place.ts";
import { findWrangler, runWrangler } from "./edge-wrangler.ts";
import { printJson } from "./hub-client.ts";
import { newKey } from "./token.ts";

export interface SetupFlags {
  readonly config: string;
  readonly healKey?: readonly string[];
  readonly wrangler?: string;
  readonly env: string;
  readonly yes?: boolean;
  readonly json?: boolean;
}

/** What init writes. */
const PACE = { every: 30_000, silence: 180_000, probes: false };

const paceOf = ({ edge }: House): Pace =>
  edge === undefined ? PACE : { every: edge.every, silence: edge.silence, probes: edge.checks.length > 0 };

/** `hairpin edge init`: writes the block `edge` and the keys; what is there stays. Nothing leaves this machine. */
export async function init(flags: SetupFlags): Promise<number> {
  const { house, dir } = loadConfig(flags.config, { missingFiles: "warning" });
  process.stderr.write(`${sayCost(paceOf(house))}\n`);
  const people = flags.healKey ?? [];
  for (const name of people)
    if (!/^[A-Za-z0-9_-]{1,64}$/.test(name)) throw new EdgeUsage(`hairpin edge init: --heal-key: a name, not ${name}`);
  const wanted: [string, string][] = [
    [house.edge?.key_file ?? "keys/edge", newKey()],
    [ADMIN_FILE, newToken()],
    [READ_FILE, newToken()],
    ...people.map((name): [string, string] => [`keys/edge-heal-${name}`, newKey()]),
    ...(house.edge?.heal_keys ?? []).map(({ key_file }): [string, string] => [key_file, newKey()]),
  ];
  const made = wanted.filter(([file, text]) => makeSecretFile(resolve(dir, file), text)).map(([file]) => file);
  const isWritten = house.edge === undefined;
  if (isWritten) append(flags.config, people);
  if (flags.json) printJson({ config: flags.config, written: isWritten, keys_made: made });
  else {
    process.stdout.write(
      isWritten
        ? `Wrote the block edge at the end of ${flags.config}.\n`
        : `${flags.config} has an edge already: it stays as it is.\n`,
    );
    process.stdout.write(made.length === 0 ? "Every key was there.\n" : `Made ${made.join(", ")} beside it.\n`);
    for (const name of people)
      process.stdout.write(
        `keys/edge-heal-${name} is for ${name} alone: it goes to where ${name} types hairpin edge heal, and never to the edge.\n`,
      );
    process.stdout.write("Next: edge.notify (whom the edge tells when the house is dark), then hairpin edge deploy\n");
  }
  return 0;
}

/** At the end of the file, as text: comments and layout are the owner's. */
function append(file: string, people: readonly string[]): void {
  const text = readFileSync(file, "utf8");
  const keys = people.map((name) => `{ name: ${name}, key_file: keys/edge-heal-${name} }`).join(", ");
  const block = [
    "",
    "# The edge verifier outside of the house (docs/edge.md): notices when all of it is dark, and looks at the public names.",
    "edge:",
    `  url: "${NOT_DEPLOYED}"   # hairpin edge deploy writes the real one`,
    "  key_file: keys/edge",
    "  every: 30s",
    "  silence: 3m                     # after so long without a heartbeat the site is dark",
    "  checks: []                      # - https: { host: auth.example.com }   # public names, as the world sees them",
    '  notify: []                      # - ntfy: { url: "https://ntfy.sh/TOPIC" }   # whom the edge itself tells',
    `  heal_keys: [${keys}]                   # - { name: alice, key_file: keys/edge-heal-alice }`,
    "",
  ].join("\n");
  writeFileSync(file, `${text.replace(/\n*$/, "\n")}${block}`);
  loadConfig(file, { missingFiles: "warning" });
}

/** `hairpin edge deploy`: the Worker to Cloudflare, its tokens as secrets, its URL into hairpin.yaml. */
export async function deploy(flags: SetupFlags): Promise<number> {
  const { house, dir } = loadConfig(flags.config, { missingFiles: "warning" });
  if (house.edge === undefined)
    throw new EdgeUsage(`hairpin edge: ${flags.config} has no edge: hairpin edge init writes it`);
  const wrangler = findWrangler(flags.wrangler);
  const tokens = [["ADMIN_TOKENS", ADMIN_FILE] as const, ["READ_TOKENS", READ_FILE] as const].map(
    ([name, file]) => [name, readSecret(resolve(dir, file))] as const,
  );
  if (!(await confirm(flags.yes === true, sayCost(paceOf(house))))) return 2;
  const deployed = await runWrangler(wrangler, ["deploy", "--env", flags.env], null);
  if (deployed.code !== 0) return failed("deploy", deployed.code);
  // Until these are set nobody can add a site or read one: the Worker is there and refuses everything.
  for (const [name, secret] of tokens) {
    const put = await runWrangler(wrangler, ["secret", "put", name, "--env", flags.env], `${secret}\n`);
    if (put.code !== 0) return failed(`secret put ${name}`, put.code);
  }
  const found = /https:\/\/[a-z0-9.-]+\.workers\.dev/.exec(deployed.stdout)?.[0] ?? null;
  const url = house.edge.url === NOT_DEPLOYED ? found : house.edge.url;
  const isWritten = found !== null && house.edge.url === NOT_DEPLOYED && writeUrl(flags.config, found);
  if (flags.json) printJson({ url, deployed_at: found, written: isWritten, secrets: tokens.map(([name]) => name) });
  else {
    process.stdout.write(`Deployed${url === null ? "" : ` at ${url}`}; its tokens are set.\n`);
    if (url === null)
      process.stdout.write(`wrangler did not say where: write the URL into edge.url of ${flags.config}.\n`);
    else if (isWritten) process.stdout.write(`${flags.config} names it now.\n`);
    process.stdout.write("Next: hairpin edge add-site, and restart the hub.\n");
  }
  return 0;
}

function failed(what: string, code: number): number {
  process.stderr.write(
    `hairpin edge: wrangler ${what} ended with ${code}; what it says stands above. Nothing else was done.\n`,
  );
  return 1;
}

function writeUrl(file: string, url: string): boolean {
  if (!existsSync(dirname(resolve(file)))) return false;
  const text = readFileSync(file, "utf8");
  if (!text.includes(NOT_DEPLOYED)) return false;
  writeFileSync(file, text.replace(NOT_DEPLOYED, url));
  return true;
}
