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

/** While a key is being changed the new one stands first and the old one after it; more than these are a mistake. */
const SECRETS_MAX = 4;

/** The secret of a file: its first line. Throws SecretError as readSecrets does. */
export function readSecret(path: string): string {
  return readSecrets(path)[0]!;
}

/**
 * Reads the secrets of a file, one a line: the first is the one to use, the others are still accepted. Refuses one that is missing, readable by group or others, short, or a well-known default, because
 * each of these is found by an attacker before it is found by the owner (fault 40). Throws SecretError.
 */
export function readSecrets(path: string): readonly [string, ...string[]] {
  const secrets = readLines(path);
  for (const secret of secrets) refuseWeak(path, secret);
  return secrets;
}

/** A password that somebody else checks, such as a broker's: how long it is, is not ours to judge. Otherwise as readSecret. */
export function readPassword(path: string): string {
  const [password] = readLines(path);
  if (password === "") throw new SecretError(path, `the secret ${path} is empty`);
  return password;
}

function readLines(path: string): readonly [string, ...string[]] {
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
  const lines = text.split("\n").map((line) => line.trim());
  const secrets = lines.filter((line, index) => line !== "" || index === 0) as [string, ...string[]];
  if (secrets.length > SECRETS_MAX)
    throw new SecretError(
      path,
      `the secret ${path} has more than ${SECRETS_MAX} lines: one secret a line, the newest first`,
    );
  return secrets;
}

function refuseWeak(path: string, text: string): void {
  if (text.length < CHARS_MIN)
    throw new SecretError(path, `the secret ${path} is shorter than ${CHARS_MIN} characters`);
  const bare = text.replace(/^whsec_/, "");
  if (DEFAULTS.test(bare) || /^(.)\1+=*$/.test(bare))
    throw new SecretError(path, `the secret ${path} is a well-known default: make a new one`);
}
