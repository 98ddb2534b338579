import { statSync } from "node:fs";
import { resolve } from "node:path";
import { isSecret } from "../../core/standard-webhooks.ts";
import type { LoadedConfig } from "./config-file.ts";
import { referencesOf } from "./config-references.ts";
import { KubeconfigError, readKubeconfig } from "./kubeconfig.ts";
import { readPassword, readSecrets, SecretError } from "./secret-file.ts";

/** Something about a secret file, at the key that names it. Never its content. */
export interface SecretFinding {
  readonly path: readonly (string | number)[];
  readonly message: string;
  /** Whether the process that needs it will refuse to start, or to use it. */
  readonly isProblem: boolean;
}

/** Files that are no secrets. */
const OPEN: ReadonlySet<string> = new Set(["ca_file", "cert_file", "template_file"]);
/** Keys whose file signs webhooks; but `tls.key_file` is a private key in PEM form. */
const SIGNING: ReadonlySet<string> = new Set(["key_file", "secret_file"]);

/**
 * Reads every secret that the configuration names as the processes will, and says which of them would be refused: missing, readable
 * by others, too short, a well-known default, of the wrong form. A file that this user may not read cannot be judged, which is said.
 */
export function secretFindings({ config, dir }: LoadedConfig): readonly SecretFinding[] {
  return referencesOf(config).flatMap(({ path, file }) => {
    const key = String(path.at(-1));
    if (OPEN.has(key)) return [];
    const absolute = resolve(dir, file);
    if (statSync(absolute, { throwIfNoEntry: false }) === undefined) return []; // Told as missing, with every other file.
    const wrong = judge(absolute, key, path);
    return wrong === null ? [] : [{ path, ...wrong }];
  });
}

function judge(file: string, key: string, path: readonly (string | number)[]): Omit<SecretFinding, "path"> | null {
  try {
    if (key === "kubeconfig_file") readKubeconfig(file);
    else if (key === "password_file") readPassword(file);
    else if (path.at(-2) === "tls") return privateKey(file);
    else if (SIGNING.has(key) && !readSecrets(file).every(isSecret))
      return {
        isProblem: true,
        message: `${file} holds no key of the form whsec_…: hairpin token vantage NAME makes one`,
      };
    else readSecrets(file);
    return null;
  } catch (error) {
    if (!(error instanceof SecretError) && !(error instanceof KubeconfigError)) throw error;
    const isForeign = /\((EACCES|EPERM)\)/.test(error.message);
    return {
      isProblem: !isForeign,
      message: isForeign ? `${error.message}: it was not judged; type this as its owner, or as root` : error.message,
    };
  }
}

/** The hub takes it as it is; that others can read it is worth a word. */
function privateKey(file: string): Omit<SecretFinding, "path"> | null {
  const mode = statSync(file).mode & 0o777;
  if ((mode & 0o077) === 0) return null;
  const octal = mode.toString(8).padStart(4, "0");
  return { isProblem: false, message: `${file} can be read by others (mode ${octal}): chmod 600 ${file}` };
}
