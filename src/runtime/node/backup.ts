import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { z } from "zod";
import type { LoadedConfig } from "./config-file.ts";
import { referencesOf } from "./config-references.ts";
import { writePrivateFile } from "./private-file.ts";
import { copyStore, moveEpochsOn, StoreCopyError } from "./store-copy.ts";
import { readTar, type TarEntry, TarError, writeTar } from "./tar.ts";

/** A backup that could not be made or unpacked; one line for each thing that stood in the way. */
export class BackupError extends Error {
  override name = "BackupError";
}

const STORE = "hub/hub.sqlite";
const MANIFEST = "manifest.json";
const CONFIG = "hairpin.yaml";
const FILE_MAX = 64 * 1_048_576;
const ARCHIVE_MAX = 768 * 1_048_576;

/** What a backup says of itself: its first entry. `from` is where a file came from, as an absolute path. */
const manifestSchema = z.object({
  schema: z.literal("hairpin/backup/1"),
  made_at: z.string(),
  site: z.string(),
  hub: z.string().nullable(),
  files: z.array(z.object({ path: z.string(), from: z.string(), bytes: z.number(), sha256: z.string() })),
});
export type BackupManifest = z.output<typeof manifestSchema>;

export interface MadeBackup {
  readonly manifest: BackupManifest;
  /** What the configuration names and is not here, in sentences. */
  readonly absent: readonly string[];
}

interface Source {
  readonly path: string;
  readonly from: string;
  readonly bytes: Buffer;
}

/**
 * Writes one gzipped tar archive, mode 0600: hairpin.yaml, every file it refers to, the hub's store as of one moment, the journal of
 * the host. Whatever is there and cannot be read stops it: a backup without its keys would be found out when it is needed.
 * Throws BackupError.
 */
export function makeBackup(loaded: LoadedConfig, file: string, out: string, force: boolean): MadeBackup {
  const { house, dir } = loaded;
  const absent: string[] = [];
  const refused: string[] = [];
  const sources: Source[] = [{ path: CONFIG, from: resolve(file), bytes: Buffer.from(loaded.text) }];
  const take = (path: string, from: string, what: string) => {
    if (sources.some((known) => known.path === path)) return;
    try {
      if (statSync(from).size > FILE_MAX) throw new Error(`larger than ${FILE_MAX} bytes`);
      sources.push({ path, from, bytes: readFileSync(from) });
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === "ENOENT") absent.push(`${what} ${from} is not here`);
      else
        refused.push(
          `${what} ${from} cannot be read (${code ?? message})${code === "EACCES" ? "; type this as root" : ""}`,
        );
    }
  };
  for (const reference of referencesOf(loaded.config)) {
    const from = resolve(dir, reference.file);
    const inside = relative(dir, from);
    const path = inside.startsWith("..") || inside.startsWith("/") ? `elsewhere${from}` : inside;
    take(path, from, reference.path.join("."));
  }
  for (const [name, host] of Object.entries(house.hosts))
    take(`host/${name}/journal`, join(resolve(dir, host.journal), "journal"), `the journal of host ${name}`);

  const scratch = scratchBeside(out);
  try {
    const data = resolve(dir, house.hub.data);
    const store = copyStore(data, scratch);
    if (store === null) absent.push(`the hub's store ${join(data, "hub.sqlite")} is not here`);
    else sources.push({ path: STORE, from: join(data, "hub.sqlite"), bytes: store.bytes });
    if (refused.length > 0) throw new BackupError(refused.join("\n"));
    const manifest: BackupManifest = {
      schema: "hairpin/backup/1",
      made_at: new Date().toISOString(),
      site: house.site,
      hub: store?.hub ?? null,
      files: sources.map(({ path, from, bytes }) => ({ path, from, bytes: bytes.length, sha256: digest(bytes) })),
    };
    writePrivateFile(out, pack(manifest, sources), { force });
    return { manifest, absent };
  } catch (error) {
    throw said(error, out);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function scratchBeside(out: string): string {
  try {
    mkdirSync(dirname(resolve(out)), { recursive: true });
    return mkdtempSync(`${resolve(out)}.`);
  } catch (error) {
    throw said(error, out);
  }
}

function said(error: unknown, out: string): unknown {
  if (error instanceof StoreCopyError || error instanceof TarError) return new BackupError(error.message);
  const { code } = error as NodeJS.ErrnoException;
  if (code === "EEXIST") return new BackupError(`${out} is there already and was left alone; --force replaces it`);
  if (code !== undefined && /^E[A-Z]+$/.test(code)) return new BackupError(`${out}: ${(error as Error).message}`);
  return error;
}

const digest = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

function pack(manifest: BackupManifest, sources: readonly Source[]): Buffer {
  const text = Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`);
  const entries: TarEntry[] = [
    { path: MANIFEST, mode: 0o600, bytes: text },
    ...sources.map(({ path, bytes }) => ({ path, mode: 0o600, bytes })),
  ];
  return gzipSync(writeTar(entries, Date.parse(manifest.made_at) / 1_000));
}

/**
 * Unpacks a backup below a directory that is not there yet, or empty: nothing is ever overwritten. Everything is checked against its
 * digest before the first file is written; the store is made the latest of its hub. Throws BackupError.
 */
export function restoreBackup(archive: string, to: string): BackupManifest {
  const { manifest, entries } = unpack(archive);
  const there = existsSync(to) ? (statSync(to).isDirectory() ? readdirSync(to).length : 1) : 0;
  if (there > 0) throw new BackupError(`${to} is there and not empty: nothing was restored. Name a new directory`);
  try {
    mkdirSync(to, { recursive: true, mode: 0o700 });
    for (const { path, bytes } of entries) {
      const target = join(to, path);
      mkdirSync(dirname(target), { recursive: true, mode: 0o700 });
      writeFileSync(target, bytes, { flag: "wx", mode: 0o600 });
    }
    if (entries.some((entry) => entry.path === STORE)) moveEpochsOn(join(to, STORE));
  } catch (error) {
    throw new BackupError(`${to}: ${(error as Error).message}`);
  }
  return manifest;
}

function unpack(archive: string): { readonly manifest: BackupManifest; readonly entries: readonly TarEntry[] } {
  const wrong = (why: string) => new BackupError(`${archive} is not a backup of hairpin, or is damaged: ${why}`);
  let entries: readonly TarEntry[];
  let bytes: Buffer;
  try {
    if (statSync(archive).size > ARCHIVE_MAX) throw new Error("it is too large");
    bytes = readFileSync(archive);
  } catch (error) {
    throw new BackupError(
      `${archive} cannot be read (${(error as NodeJS.ErrnoException).code ?? (error as Error).message})`,
    );
  }
  try {
    entries = readTar(gunzipSync(bytes, { maxOutputLength: ARCHIVE_MAX }));
  } catch (error) {
    throw wrong((error as Error).message);
  }
  const parsed = manifestSchema.safeParse(jsonOf(entries[0]?.path === MANIFEST ? entries[0].bytes : null));
  if (!parsed.success) throw wrong("its first entry is not a manifest of this version");
  const files = entries.slice(1);
  const listed = new Map(parsed.data.files.map((entry) => [entry.path, entry.sha256]));
  const bad = files.find((entry) => listed.get(entry.path) !== digest(entry.bytes));
  if (bad !== undefined) throw wrong(`${bad.path} is not what the manifest says`);
  if (files.length !== listed.size) throw wrong("a file of the manifest is missing");
  return { manifest: parsed.data, entries: files };
}

function jsonOf(bytes: Buffer | null): unknown {
  try {
    return bytes === null ? null : JSON.parse(bytes.toString("utf8"));
  } catch {
    return null;
  }
}
