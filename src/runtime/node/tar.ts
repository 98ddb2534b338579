/** One regular file of an archive. `path` is relative, with slashes; `mode` are its permission bits. */
export interface TarEntry {
  readonly path: string;
  readonly mode: number;
  readonly bytes: Buffer;
}

/** An archive that is not one, or not of the plain kind that is written here. */
export class TarError extends Error {
  override name = "TarError";
}

const BLOCK = 512;
const NAME_MAX = 100;
const PREFIX_MAX = 155;
const ENTRIES_MAX = 1_000;

/** Writes a POSIX ustar archive (IEEE 1003.1, pax interchange format) of regular files; `tar tf` reads it. */
export function writeTar(entries: readonly TarEntry[], mtime: number): Buffer {
  const blocks: Buffer[] = [];
  for (const entry of entries) {
    blocks.push(header(entry, mtime), entry.bytes, Buffer.alloc(padding(entry.bytes.length)));
  }
  return Buffer.concat([...blocks, Buffer.alloc(2 * BLOCK)]);
}

const padding = (size: number): number => (BLOCK - (size % BLOCK)) % BLOCK;

function header({ path, mode, bytes }: TarEntry, mtime: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  const [prefix, name] = split(path);
  block.write(name, 0);
  block.write(octal(mode, 7), 100);
  block.write(octal(0, 7), 108);
  block.write(octal(0, 7), 116);
  block.write(octal(bytes.length, 11), 124);
  block.write(octal(Math.floor(mtime), 11), 136);
  block.write("        ", 148);
  block.write("0", 156);
  block.write("ustar\u000000", 257);
  block.write(prefix, 345);
  block.write(`${octal(checksum(block), 6)}\0 `, 148);
  return block;
}

const octal = (value: number, digits: number): string => value.toString(8).padStart(digits, "0");

/** The sum of the header's bytes with its own field taken as spaces. */
function checksum(block: Buffer): number {
  let sum = 0;
  for (let at = 0; at < BLOCK; at++) sum += at >= 148 && at < 156 ? 32 : block[at]!;
  return sum;
}

/** Long paths are split at a slash between the two fields that ustar has for them. */
function split(path: string): readonly [string, string] {
  const size = (text: string) => Buffer.byteLength(text);
  if (size(path) <= NAME_MAX) return ["", path];
  for (let at = path.indexOf("/"); at !== -1; at = path.indexOf("/", at + 1)) {
    const [prefix, name] = [path.slice(0, at), path.slice(at + 1)];
    if (size(prefix) <= PREFIX_MAX && size(name) <= NAME_MAX) return [prefix, name];
  }
  throw new TarError(`the path ${path} is too long for the archive`);
}

/** Reads such an archive. Throws TarError for anything else than regular files at safe relative paths. */
export function readTar(archive: Buffer): readonly TarEntry[] {
  const entries: TarEntry[] = [];
  for (let at = 0; at + BLOCK <= archive.length; ) {
    const block = archive.subarray(at, at + BLOCK);
    if (block.every((byte) => byte === 0)) return entries;
    if (entries.length >= ENTRIES_MAX) throw new TarError(`more than ${ENTRIES_MAX} files`);
    if (text(block, 257, 5) !== "ustar" || Number.parseInt(text(block, 148, 8), 8) !== checksum(block))
      throw new TarError("a header that is damaged");
    if (!["0", ""].includes(text(block, 156, 1))) throw new TarError("an entry that is no regular file");
    const prefix = text(block, 345, PREFIX_MAX);
    const path = `${prefix === "" ? "" : `${prefix}/`}${text(block, 0, NAME_MAX)}`;
    if (!isSafe(path)) throw new TarError(`the path ${JSON.stringify(path)} leads elsewhere`);
    const size = Number.parseInt(text(block, 124, 12), 8);
    const start = at + BLOCK;
    if (!Number.isSafeInteger(size) || start + size > archive.length) throw new TarError("it ends too early");
    const mode = Number.parseInt(text(block, 100, 8), 8) & 0o777;
    entries.push({ path, mode, bytes: archive.subarray(start, start + size) });
    at = start + size + padding(size);
  }
  throw new TarError("it ends too early");
}

function text(block: Buffer, start: number, length: number): string {
  const field = block.subarray(start, start + length);
  const end = field.indexOf(0);
  return field.subarray(0, end === -1 ? length : end).toString("utf8");
}

/** Below where it is unpacked, and nowhere else. */
function isSafe(path: string): boolean {
  return path !== "" && path.split("/").every((part) => part !== "" && part !== "." && part !== "..");
}
