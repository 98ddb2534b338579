import {
  closeSync,
  fchownSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";

/** Who the file shall belong to; numeric, as chown takes it. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

export interface PrivateFileOptions {
  /** Replace what is there. */
  readonly force?: boolean;
  readonly owner?: Owner | null;
}

/**
 * Writes a file that only its owner reads (0600), in one move: a reader sees nothing, or all of it. Without `force` an existing file
 * stays as it is and EEXIST is thrown, also when somebody else made it a moment ago.
 */
export function writePrivateFile(path: string, bytes: Uint8Array | string, options: PrivateFileOptions = {}): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  const draft = `${path}.${process.pid}.new`;
  const handle = openSync(draft, "wx", 0o600);
  try {
    try {
      const all = typeof bytes === "string" ? Buffer.from(bytes) : bytes;
      for (let offset = 0; offset < all.length; ) offset += writeSync(handle, all, offset);
      if (options.owner != null) fchownSync(handle, options.owner.uid, options.owner.gid);
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
    // A link is never made over something else; a rename is.
    if (options.force === true) renameSync(draft, path);
    else linkSync(draft, path);
  } finally {
    rmSync(draft, { force: true });
  }
}
