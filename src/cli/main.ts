import { existsSync, readFileSync } from "node:fs";
import { nearest } from "../core/config/nearest.ts";

/** What a command's file offers: its own arguments in, the exit code out. */
interface CommandModule {
  readonly run: (argv: readonly string[]) => Promise<number>;
}
/** Every command with its line in the list. Its file is `src/cli/<command>.ts`; one that is not there is not offered. */
const ABOUT: Readonly<Record<string, string>> = {
  lab: "build a simulated house in namespaces, break it, and show the repair",
  check: "one round of probes from this machine now; changes nothing",
  doctor: "the whole path from here, layer by layer, in sentences; changes nothing",
  hub: "run the hub: takes observations, diagnoses, decides, tells",
  host: "run the host process: guards the link and runs the repairs",
  vantage: "run a vantage: probes on schedule and reports to the hub",
  init: "write hairpin.yaml and its keys; never overwrites",
  token: "make or revoke the join token of a vantage",
  status: "what is broken, since when, and how it is known",
  events: "what happened; --follow goes on",
  explain: "why it did or did not heal",
  heal: "ask for a repair now",
  pause: "maintenance: nothing new is repaired until it ends",
  resume: "end the maintenance",
  "reset-breaker": "close the breaker again, after you have looked",
  deliveries: "what was sent to whom, and what was not",
  "test-notification": "send a test to every subscriber",
  link: "show the link, or make it true once",
  edge: "the verifier outside: deploy it, add this site, ask it for a repair",
  config: "check or show the configuration, or print its schema",
  kubeconfig: "rights for the host in the cluster: write its kubeconfig, check what it may",
  backup: "one file with configuration, keys, the hub's store and the host's journal; or restore one",
  uninstall: "take hairpin off this host; the link stays",
};

/** Loaded only when asked for: a vantage must not carry the hub's schemas in memory. */
function load(name: string): Promise<CommandModule> {
  return import(`./${name}.ts`) as Promise<CommandModule>;
}

function commandNames(): readonly string[] {
  return Object.keys(ABOUT).filter((name) => existsSync(new URL(`./${name}.ts`, import.meta.url)));
}

/** Exit codes: 0 fine, 1 something failed, 2 usage or configuration, 3 cannot tell, 70 a bug of ours (sysexits.h EX_SOFTWARE). */
const USAGE = 2;
const BUG = 70;

function usage(): string {
  const names = commandNames();
  const width = Math.max(...names.map((name) => name.length));
  const lines = names.map((name) => `  ${name.padEnd(width)}  ${ABOUT[name]}`);
  return [
    "hairpin: says which hop to a MetalLB address broke, and puts back what a machine may put back.",
    "",
    "Usage: hairpin COMMAND [flags]",
    "       hairpin COMMAND --help",
    "",
    "Commands:",
    ...lines,
    "",
  ].join("\n");
}

function version(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return String((JSON.parse(text) as { version: unknown }).version);
}

async function main(argv: readonly string[]): Promise<number> {
  const [name, ...rest] = argv;
  if (name === undefined || name === "--help" || name === "-h" || name === "help") {
    const asked = rest[0];
    if (name === "help" && asked !== undefined) return main([asked, "--help"]);
    process.stdout.write(usage());
    return 0;
  }
  if (name === "--version" || name === "-V") {
    process.stdout.write(`hairpin ${version()} on Node ${process.versions.node}\n`);
    return 0;
  }
  const names = commandNames();
  if (!names.includes(name)) {
    const close = nearest(name, names);
    process.stderr.write(
      `hairpin: there is no command ${JSON.stringify(name)}; did you mean ${close}? hairpin --help lists all\n`,
    );
    return USAGE;
  }
  return (await load(name)).run(rest);
}

/**
 * Errors that are answers to a person, told apart by name: importing their classes would load what most commands do not need.
 * Anything else is a bug: its stack is printed, and the supervisor starts the process again.
 */
function exitCodeOf(error: unknown): number {
  const { name, message, exitCode } = error as { name?: string; message?: string; exitCode?: number };
  if (name === "CommanderError") return exitCode === 0 ? 0 : USAGE;
  if (name === "ConfigError" || name === "SecretError") {
    process.stderr.write(`${message}\n`);
    return USAGE;
  }
  const stack = error instanceof Error ? error.stack : String(error);
  process.stderr.write(`hairpin: this is a bug of hairpin's:\n${stack}\n`);
  return BUG;
}

for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    // The reader of a pipe went away, as in `hairpin events | head`: there is nobody left to tell.
    if (error.code === "EPIPE") process.exit(0);
    throw error;
  });
}
process.on("uncaughtException", (error) => process.exit(exitCodeOf(error)));
// Writes to files, pipes and terminals are synchronous on Linux, so nothing is cut off; idle keep-alive sockets would hold an exit.
main(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (error: unknown) => process.exit(exitCodeOf(error)),
);
