import type { LinkConfig } from "../core/config/schema.ts";
import { ensureLink, type Judgement, judge, type LinkTools, sightOf } from "../host/link.ts";
import { bootUnit } from "../host/persistence.ts";
import type { Links } from "../host/port.ts";
import { loadConfig } from "../runtime/node/config-file.ts";
import { createProcesses } from "../runtime/node/exec.ts";
import { createLinks } from "../runtime/node/link-facts.ts";
import { commandLine, defaultConfig } from "./command-line.ts";

interface Flags {
  readonly config: string;
  readonly json?: boolean;
  readonly print?: boolean;
}

const FAILED = 1;
const USAGE = 2;
const CANNOT_TELL = 3;

/** `hairpin link show | ensure | persist`. Needs neither hub nor host process; `ensure` is idempotent beside a running guard. */
export async function run(argv: readonly string[]): Promise<number> {
  let code = 0;
  const program = commandLine("link", "the link as it is, made true once, or made to survive a reboot");
  const add = (name: string, about: string) =>
    program
      .command(name)
      .description(about)
      .option("--config <file>", "the configuration", defaultConfig())
      .option("--json", "print one JSON document");
  add("show", "compare the declared link with the one that is there; changes nothing").action(async (flags: Flags) => {
    code = await eachLink(flags, false);
  });
  add("ensure", "create the link, set it up, or make it anew where it has drifted").action(async (flags: Flags) => {
    code = await eachLink(flags, true);
  });
  add("persist", "what makes the link at boot")
    .option("--print", "print the systemd units instead of asking for them to be installed")
    .action((flags: Flags) => {
      code = persist(flags);
    });
  await program.parseAsync([...argv], { from: "user" });
  return code;
}

function declared(flags: Flags): readonly LinkConfig[] {
  const { house } = loadConfig(flags.config, { missingFiles: "warning" });
  if (house.links.length === 0) process.stderr.write(`${flags.config}: no \`link:\` is declared\n`);
  return house.links;
}

async function eachLink(flags: Flags, ensure: boolean): Promise<number> {
  const links = declared(flags);
  if (links.length === 0) return USAGE;
  const processes = createProcesses();
  const ip = processes.path("ip");
  if (ip === null) {
    process.stderr.write("hairpin link needs `ip`: apt install iproute2\n");
    return CANNOT_TELL;
  }
  const kernel = createLinks({ ip, isAnnouncing: () => false });
  const tools: LinkTools = {
    processes,
    links: kernel,
    appeared: () => new Promise(() => {}),
    wait: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  };
  const findings = [];
  for (const link of links) findings.push(await (ensure ? makeTrue(link, tools) : show(link, kernel)));
  if (flags.json) process.stdout.write(`${JSON.stringify({ links: findings }, null, 2)}\n`);
  else for (const finding of findings) process.stdout.write(`${finding.text}\n`);
  return Math.max(...findings.map((finding) => finding.code));
}

async function look(link: LinkConfig, kernel: Links) {
  const table = await kernel.table();
  const sight = table === null ? null : sightOf(link, table, kernel);
  return { sight, judgement: judge(link, sight) };
}

async function show(link: LinkConfig, kernel: Links) {
  const { sight, judgement } = await look(link, kernel);
  const row = sight?.row ?? null;
  const code = judgement.kind === "right" ? 0 : judgement.kind === "unknown" ? CANNOT_TELL : FAILED;
  const facts =
    row === null
      ? ""
      : ` (MAC ${row.mac}, ${row.kind ?? "device"} ${row.mode ?? ""} on ${row.parent}, ifindex ${row.ifindex})`;
  return {
    link: link.name,
    judgement,
    row,
    sysctls: sight?.sysctls ?? null,
    parent: sight?.parent ?? null,
    code,
    text: `${link.name}: ${say(judgement, link, sight?.parent === null)}${facts}`,
  };
}

async function makeTrue(link: LinkConfig, tools: LinkTools) {
  const { sight, judgement } = await look(link, tools.links);
  if (sight?.parent === null) {
    return {
      link: link.name,
      ok: false,
      code: FAILED,
      text: `${link.name}: its parent ${link.parent} does not exist; nothing was changed`,
    };
  }
  const made = await ensureLink(link, judgement, tools, true);
  const commands = made.commands.map(
    (command) =>
      `\n  ${command.argv.join(" ")}  (${command.ms} ms, exit ${command.exit ?? "none"})${command.exit === 0 ? "" : ` ${command.output.trim()}`}`,
  );
  const outcome = made.ok
    ? made.changed
      ? `was not right (${say(judgement, link, false)}); made true`
      : "is as declared"
    : `could not be made true: ${made.detail ?? "?"}`;
  const advice = made.advice === null ? "" : `\n  type: ${made.advice}`;
  return {
    link: link.name,
    ...made,
    judgement,
    code: made.ok ? 0 : FAILED,
    text: `${link.name} ${outcome}${commands.join("")}${advice}`,
  };
}

function say(judgement: Judgement, link: LinkConfig, parentMissing: boolean): string {
  switch (judgement.kind) {
    case "right":
      return "as declared";
    case "unknown":
      return "the kernel could not be asked";
    case "missing":
      return parentMissing ? `missing, and so is its parent ${link.parent}` : "missing";
    case "down":
      return "down";
    case "drifted":
    case "settings":
      return judgement.what.join(", ");
    case "foreign":
      return judgement.what;
  }
}

function persist(flags: Flags): number {
  const links = declared(flags);
  if (links.length === 0) return USAGE;
  const files = links.flatMap((link) => bootUnit(link));
  if (flags.json) process.stdout.write(`${JSON.stringify({ files }, null, 2)}\n`);
  else for (const file of files) process.stdout.write(`# ${file.path}\n${file.text}\n`);
  if (flags.print || flags.json) return 0;
  process.stderr.write(
    "Nothing was written. Put these files in place, then: systemctl daemon-reload && systemctl enable --now hairpin-link-NAME\n",
  );
  return USAGE;
}
