/**
 * Where Node keeps hairpin's compiled modules between two commands: half of what a command takes is reading TypeScript.
 *
 * Plain JavaScript for Node 18 and later: the launcher asks it.
 */
import { mkdirSync, statSync } from "node:fs";
import { join } from "node:path";

/** Written by others than the owner: group and all. */
const OTHERS = 0o022;

/**
 * A directory that belongs to this user alone, in a home that does too, since code is read from it; null where there is none.
 * `sudo` may leave the home of another user in the environment, and root must not run what that user wrote.
 */
export function moduleCache(env = process.env) {
  const home = env["HOME"];
  const me = process.getuid?.();
  if (!home || me === undefined) return null;
  const directory = join(home, ".cache", "hairpin");
  try {
    if (!isOurs(home, me)) return null;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    return isOurs(join(home, ".cache"), me) && isOurs(directory, me) ? directory : null;
  } catch {
    return null;
  }
}

function isOurs(path, me) {
  const { uid, mode } = statSync(path);
  return uid === me && (mode & OTHERS) === 0;
}
