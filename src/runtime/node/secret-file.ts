import { readFileSync, statSync } from "node:fs";

/** A secret that must not be used: the message names the file and what to type, never the content. */
export class SecretError extends Error {
  readonly path: string;
  constructor(path: string, message: string) {
    super(message);
    this.name = "SecretError";
    this.path = path;
  }
}

/** Shorter ones can be guessed through a network that answers a few hundred tries a minute. */
const CHARS_MIN = 16;
const BYTES_MAX = 4_096;
/** What manuals and examples print, and what people leave standing. */
const DEFAULTS =
  /^((change|me|replace|secret|password|passwd|default|example|token|hairpin|test|admin|placeholder|your|here|key|x|0|1)[-_ .]?)+$/i;

/**
 * Reads a secret from a file. Refuses one that is missing, readable by group or others, short, or a well-known default, because
 * each of these is found by an attacker before it is found by the owner (fault 40). Throws SecretError.
 */
export function readSecret(path: string): string {
  let mode: number;
  let text: string;
  try {
    const stat = statSync(path);
    if (!stat.isFile()) throw new SecretError(path, `${path} is not a file`);
    if (stat.size > BYTES_MAX) throw new SecretError(path, `${path} is larger than ${BYTES_MAX} bytes: not a secret`);
    mode = stat.mode & 0o777;
    text = readFileSync(path, "utf8").trim();
  } catch (error) {
    if (error instanceof SecretError) throw error;
    const code = (error as NodeJS.ErrnoException).code ?? "unreadable";
    throw new SecretError(
      path,
      code === "ENOENT" ? `the secret ${path} is missing` : `the secret ${path} cannot be read (${code})`,
    );
  }
  if ((mode & 0o077) !== 0) {
    throw new SecretError(
      path,
      `the secret ${path} can be read by others (mode ${mode.toString(8).padStart(4, "0")}): chmod 600 ${path}`,
    );
  }
  if (text.length < CHARS_MIN)
    throw new SecretError(path, `the secret ${path} is shorter than ${CHARS_MIN} characters`);
  const bare = text.replace(/^whsec_/, "");
  if (DEFAULTS.test(bare) || /^(.)\1+=*$/.test(bare))
    throw new SecretError(path, `the secret ${path} is a well-known default: make a new one`);
  return text;
}
