import { join, resolve } from "node:path";
import { BackupError, type BackupManifest, makeBackup, restoreBackup } from "../runtime/node/backup.ts";
import { loadConfig } from "../runtime/node/config-file.ts";
import { commandLine, defaultConfig } from "./command-line.ts";
import { printJson, safe } from "./hub-client.ts";

interface Flags {
  readonly config: string;
  readonly restore?: string;
  readonly to?: string;
  readonly force?: boolean;
  readonly json?: boolean;
}

const [FAILED, USAGE] = [1, 2] as const;

/** `hairpin backup [FILE]`, also while the hub runs; `hairpin backup --restore FILE --to DIR`. */
export async function run(argv: readonly string[]): Promise<number> {
  const program = commandLine(
    "backup",
    "One file (tar.gz, mode 0600) with hairpin.yaml, its keys, the hub's store and the host's journal. It holds secrets.",
  )
    .argument("[file]", "what to write (default: hairpin-SITE-DATE.tar.gz here)")
    .option("--config <file>", "the configuration", defaultConfig())
    .option("--force", "replace a file that is there")
    .option("--restore <file>", "unpack this backup instead; never overwrites")
    .option("--to <dir>", "with --restore: a directory that is not there yet, or empty")
    .option("--json", "print one JSON document");
  program.parse([...argv], { from: "user" });
  const flags = program.opts<Flags>();
  const [file] = program.args;
  if (
    (flags.restore === undefined) !== (flags.to === undefined) ||
    (flags.restore !== undefined && file !== undefined)
  ) {
    process.stderr.write("hairpin backup: type hairpin backup [FILE], or hairpin backup --restore FILE --to DIR\n");
    return USAGE;
  }
  try {
    return flags.restore === undefined ? make(file ?? null, flags) : restore(flags.restore, flags.to!, flags);
  } catch (error) {
    if (!(error instanceof BackupError)) throw error;
    for (const line of error.message.split("\n")) process.stderr.write(`hairpin backup: ${safe(line)}\n`);
    return FAILED;
  }
}

function make(file: string | null, flags: Flags): number {
  const loaded = loadConfig(flags.config, { missingFiles: "warning" });
  const stamp = new Date().toISOString().slice(0, 16).replaceAll(/[-:]/g, "");
  const out = file ?? `hairpin-${loaded.house.site}-${stamp}.tar.gz`;
  const { manifest, absent } = makeBackup(loaded, flags.config, out, flags.force === true);
  const names = [...new Set(loaded.interpolated.flatMap(({ written }) => written.match(/\$\{[A-Za-z0-9_]+\}/g) ?? []))];
  const notes = [
    ...absent,
    ...(names.length === 0 ? [] : [`values from the environment are not in it: ${names.join(", ")}`]),
  ];
  if (flags.json) printJson({ file: resolve(out), ...manifest, absent: notes });
  else {
    const hub = manifest.hub === null ? "" : `, hub ${manifest.hub}`;
    process.stdout.write(
      `wrote ${out} (mode 0600): ${manifest.files.length} files of site ${manifest.site}${hub}. It holds secrets: whoever reads it can speak for every part of this house\n`,
    );
    for (const note of notes) process.stdout.write(`  not in it: ${safe(note)}\n`);
    process.stdout.write(`hairpin backup --restore ${out} --to DIR unpacks it\n`);
  }
  return 0;
}

function restore(archive: string, to: string, flags: Flags): number {
  const manifest = restoreBackup(archive, to);
  const next = nextOf(manifest, resolve(to));
  if (flags.json) printJson({ directory: resolve(to), ...manifest, next });
  else {
    process.stdout.write(
      `restored ${manifest.files.length} files of site ${manifest.site}, as of ${manifest.made_at}, into ${to} (they hold secrets)\n`,
    );
    for (const line of next) process.stdout.write(`${safe(line)}\n`);
  }
  return 0;
}

/** What has to be done before the copy is used: one store is one hub, and a host obeys one hub at a time. */
function nextOf({ site, hub, files }: BackupManifest, to: string): readonly string[] {
  const moved = files.filter(
    ({ path }) => !["hairpin.yaml", "hub/hub.sqlite"].includes(path) && /^(elsewhere|host)\//.test(path),
  );
  const store = files.find(({ path }) => path === "hub/hub.sqlite");
  return [
    ...(store === undefined
      ? ["It has no store: a hub that runs from it is a new one."]
      : [
          `This is hub ${hub ?? "(without a name yet)"} of site ${site}. Stop that hub first, wherever it runs: systemctl stop hairpin-hub`,
          "  Of two that run, the host obeys the one it heard last, and refuses the other (other_hub).",
          `  Then put ${join(to, "hub/hub.sqlite")} where ${store.from} was (with no -wal beside it), or write hub.data: ${join(to, "hub")}`,
          "  Its epoch was moved on: the host takes it for the latest, and refuses the older one (old_epoch) once this one has repaired something.",
          "  Alerts that were waiting are sent again.",
        ]),
    ...moved.map(({ path, from }) =>
      path.startsWith("host/")
        ? `${join(to, path)} was ${from}: only for a host that lost its own, while hairpin-host is stopped`
        : `${join(to, path)} was ${from}`,
    ),
    `hairpin config check --config ${join(to, "hairpin.yaml")}`,
  ];
}
