import { stringify } from "yaml";
import { ConfigError, type LoadedConfig, loadConfig, located, sayProblem } from "../runtime/node/config-file.ts";
import { describedSchema, referenceMarkdown } from "../runtime/node/config-reference.ts";
import { secretFindings } from "../runtime/node/config-secrets.ts";
import { effective, forHost } from "../runtime/node/config-show.ts";
import { commandLine, defaultConfig } from "./command-line.ts";

interface Flags {
  readonly config: string;
  readonly json?: boolean;
  readonly for?: string;
  readonly secrets?: boolean;
}

/**
 * `hairpin config check | show | schema`. Files that are referred to may be missing here: the machine that needs them refuses to
 * start. Secrets that are here and that it would refuse are mistakes.
 */
export async function run(argv: readonly string[]): Promise<number> {
  let code = 0;
  const program = commandLine("config", "check or show the configuration, or print its JSON Schema");
  const configured = (name: string, about: string) =>
    program
      .command(name)
      .description(about)
      .argument("[file]", "the same as --config FILE")
      .option("--config <file>", "the configuration", defaultConfig())
      .option("--json", "print one JSON document");
  configured("check", "find every mistake, with its line and the nearest known key")
    .option("--no-secrets", "do not read the secret files: away from the machine that has them")
    .action((file: string | undefined, flags: Flags) => {
      code = check({ ...flags, config: file ?? flags.config });
    });
  configured("show", "print the effective configuration, without secrets")
    .option("--for <process>", "only what this process needs: host")
    .action((file: string | undefined, flags: Flags) => {
      code = show({ ...flags, config: file ?? flags.config });
    });
  program
    .command("schema")
    .description("print the JSON Schema of hairpin.yaml, for editors")
    .option("--json", "it is JSON anyway")
    .option("--markdown", "the same for people, as docs/configuration.md has it")
    .action(({ markdown }: { markdown?: boolean }) => {
      process.stdout.write(markdown ? referenceMarkdown() : `${JSON.stringify(describedSchema(), null, 2)}\n`);
    });
  await program.parseAsync([...argv], { from: "user" });
  return code;
}

function check(flags: Flags): number {
  let loaded: LoadedConfig;
  let warnings: LoadedConfig["warnings"];
  try {
    loaded = loadConfig(flags.config, { missingFiles: "warning" });
    const found = flags.secrets === false ? [] : secretFindings(loaded);
    const refused = found.filter((finding) => finding.isProblem);
    if (refused.length > 0) throw new ConfigError(flags.config, located(loaded, refused));
    warnings = [...loaded.warnings, ...located(loaded, found)];
  } catch (error) {
    if (!(error instanceof ConfigError) || !flags.json) throw error;
    print({ ok: false, file: flags.config, problems: error.problems, warnings: [] });
    return 2;
  }
  const { house } = loaded;
  if (flags.json) print({ ok: true, file: flags.config, problems: [], warnings });
  else {
    for (const warning of warnings) process.stdout.write(`${sayProblem(flags.config, warning)} (warning)\n`);
    const counts = `${house.targets.length} targets, ${house.vantages.length} vantages, heal.mode ${house.heal.mode}`;
    process.stdout.write(`${flags.config}: valid; ${counts}\n`);
  }
  return 0;
}

function show(flags: Flags): number {
  if (flags.for !== undefined && flags.for !== "host") {
    process.stderr.write(`hairpin config show: --for knows host only, not ${JSON.stringify(flags.for)}\n`);
    return 2;
  }
  const loaded = loadConfig(flags.config, { missingFiles: "warning" });
  const tree = flags.for === "host" ? forHost(loaded) : effective(loaded);
  if (flags.json) print(tree);
  else process.stdout.write(stringify(tree, { lineWidth: 0 }));
  return 0;
}

function print(document: unknown): void {
  process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
}
