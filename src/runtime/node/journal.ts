import {
  closeSync,
  existsSync,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statfsSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import type { JournalDisk } from "../../host/port.ts";

const NAME = "journal";
/** A journal beyond this was not written by us: it is rewritten at 1 MiB. */
const BYTES_MAX = 64 * 1_048_576;

/**
 * The journal's file. Written and flushed synchronously: the guard waits for nothing else between the kernel's word and its
 * command, and a thread pool would only add its own delay to that of the disk.
 */
export function openJournalDisk(directory: string): JournalDisk & { readonly close: () => void } {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const path = join(directory, NAME);
  let fd: number | null = null;
  const file = (): number => {
    // Opened once and kept. Appending even if somebody else truncates it, so that no hole appears.
    fd ??= openSync(path, "a+", 0o600);
    return fd;
  };
  const syncDirectory = () => {
    const handle = openSync(directory, "r");
    try {
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
  };
  const write = (handle: number, bytes: Uint8Array) => {
    for (let offset = 0; offset < bytes.length; ) offset += writeSync(handle, bytes, offset);
  };
  return {
    read: () => {
      if (!existsSync(path)) return null;
      if (fstatSync(file()).size > BYTES_MAX) throw new Error(`${path} is larger than ${BYTES_MAX} bytes`);
      return readFileSync(path);
    },
    append: (bytes) => write(file(), bytes),
    sync: () => fdatasyncSync(file()),
    syncDirectory,
    truncate: (length) => ftruncateSync(file(), length),
    replace: (bytes) => {
      const fresh = `${path}.new`;
      const handle = openSync(fresh, "w", 0o600);
      try {
        write(handle, bytes);
        fsyncSync(handle);
      } finally {
        closeSync(handle);
      }
      renameSync(fresh, path);
      syncDirectory();
      if (fd !== null) closeSync(fd);
      fd = null;
    },
    free: () => {
      const stat = statfsSync(directory);
      return stat.bavail * stat.bsize;
    },
    close: () => {
      if (fd !== null) closeSync(fd);
      fd = null;
    },
  };
}
