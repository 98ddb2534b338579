import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { foundFrom, keysOf, type Proposal, propose, writeConfig } from "../runtime/node/config-proposal.ts";
import { commandLine } from "./command-line.ts";

interface Flags {
  readonly dir: string;
  readonly yes?: boolean;
  readonly json?: boolean;
}

/** `hairpin init`: writes hairpin.yaml and the keys, from what this machine looks like. Never overwrites anything. */
export async function run(argv: readonly string[]): Promise<number> {
  const program = commandLine("init", "write hairpin.yaml (which only observes) and its keys; never overwrites")
    .option("--dir <dir>", "where to write", ".")
    .option("-y, --yes", "take every proposal without asking")
    .option("--json", "print what was written as one JSON document");
  program.parse([...argv], { from: "user" });
  const flags = program.opts<Flags>();
  const file = join(flags.dir, "hairpin.yaml");
  if (existsSync(file)) {
    process.stderr.write(
      `hairpin init: ${file} is there already, nothing was changed; hairpin config check --config ${file} reads it\n`,
    );
    return 2;
  }
  // Without root nothing may be written outside of one's own directories.
  const isRoot = process.getuid?.() === 0;
  const data = isRoot ? "/var/lib/hairpin" : "data";
  const socket = isRoot ? "/run/hairpin/hub.sock" : join(resolve(flags.dir), "hub.sock");
  const proposed = propose(foundFrom(ip("-d", "link"), ip("addr"), ip("route"), hostname()), data, socket);
  const ask = process.stdin.isTTY === true && process.stdout.isTTY === true && !flags.yes && !flags.json;
  const proposal = ask ? await interview(proposed) : proposed;

  if (proposal === null) {
    process.stderr.write("\nhairpin init: nothing was written\n");
    return 1;
  }
  const written = writeAll(flags.dir, file, proposal);
  if (flags.json) process.stdout.write(`${JSON.stringify({ file, ...written, link: proposal.link }, null, 2)}\n`);
  else report(flags.dir, file, proposal, written);
  return 0;
}

/** One document of iproute2; null where it is missing or refuses: then nothing is proposed. */
function ip(...args: string[]): unknown {
  try {
    const run = spawnSync("ip", ["-j", ...args], { encoding: "utf8", timeout: 10_000, maxBuffer: 4_194_304 });
    return run.status === 0 ? JSON.parse(run.stdout) : null;
  } catch {
    return null;
  }
}

/** Asks what cannot be seen from here. Null when the person leaves (Ctrl-D): then nothing is written. */
async function interview(proposed: Proposal): Promise<Proposal | null> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  // One iterator for all questions: lines that are pasted ahead must not be lost between two of them.
  const lines = terminal[Symbol.asyncIterator]();
  const question = async (text: string, fallback: string, wanted: RegExp): Promise<string> => {
    for (;;) {
      terminal.setPrompt(`${text}${fallback === "" ? "" : ` [${fallback}]`}: `);
      terminal.prompt();
      const line = await lines.next();
      if (line.done) throw new Left();
      const answer = line.value.trim() || fallback;
      if (wanted.test(answer)) return answer;
      process.stdout.write("  not of the expected form\n");
    }
  };
  const ipv4 = /^(\d{1,3}(\.\d{1,3}){3})?$/;
  try {
    const site = await question("Name of the site", proposed.site, /^[A-Za-z0-9_-]{1,64}$/);
    const dns = await question("Address of your DNS service on MetalLB (empty: none)", "", ipv4);
    const https = await question("Address of your HTTPS ingress on MetalLB (empty: none)", "", ipv4);
    const host = https === "" ? "" : await question("A host name that it serves", "", /^[A-Za-z0-9][A-Za-z0-9.-]*$/);
    return { ...proposed, site, dns: dns || null, https: https === "" ? null : { address: https, host } };
  } catch (error) {
    if (error instanceof Left) return null;
    throw error;
  } finally {
    terminal.close();
  }
}

/** The person left in the middle of the questions. */
class Left extends Error {}

interface Written {
  readonly keys: readonly string[];
  readonly kept: readonly string[];
}

/** Keys first: a configuration must never be there without the keys it names. `wx` refuses what exists, also in a race. */
function writeAll(dir: string, file: string, proposal: Proposal): Written {
  const keys: string[] = [];
  const kept: string[] = [];
  for (const key of keysOf(proposal)) {
    const path = join(dir, key);
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    try {
      writeFileSync(path, `whsec_${randomBytes(32).toString("base64")}\n`, { flag: "wx", mode: 0o600 });
      keys.push(key);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      kept.push(key);
    }
  }
  writeFileSync(file, writeConfig(proposal), { flag: "wx", mode: 0o644 });
  return { keys, kept };
}

function report(dir: string, file: string, { link }: Proposal, { keys, kept }: Written): void {
  const said = [
    `wrote ${file} (heal.mode: observe) and ${keys.length} keys in ${join(dir, "keys")}`,
    ...kept.map((key) => `kept ${key}, which was there already`),
    link === null
      ? "found no macvlan here: hairpin only watches until link, speaker and host are filled in"
      : `found ${link.name} (${link.mac}) on ${link.parent}: proposed as the link`,
    "",
    "Next, after filling in your addresses under targets:",
    `  hairpin config check --config ${file}`,
    `  hairpin hub --config ${file}`,
    `  hairpin token vantage lan --config ${file}`,
    "",
  ];
  process.stdout.write(said.join("\n"));
}
