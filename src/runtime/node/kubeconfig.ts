import { readFileSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { parse } from "yaml";

/** What it takes to talk to one API server. */
export interface KubeAccess {
  /** Origin, such as https://192.168.8.246:6443. */
  readonly origin: string;
  /** A path before every other, without a slash at its end; mostly empty. */
  readonly prefix: string;
  readonly ca: string | null;
  readonly insecure: boolean;
  readonly serverName: string | null;
  readonly token: string | null;
  readonly certificate: { readonly cert: string; readonly key: string } | null;
}

export class KubeconfigError extends Error {
  /** Whether it is there and must not be used, rather than not there yet. */
  readonly isUnsafe: boolean;
  constructor(message: string, isUnsafe = false) {
    super(message);
    this.name = "KubeconfigError";
    this.isUnsafe = isUnsafe;
  }
}

const BYTES_MAX = 1_048_576;

interface Named<T> {
  readonly name?: string;
  readonly cluster?: T;
  readonly user?: T;
  readonly context?: T;
}

type Fields = Readonly<Record<string, unknown>>;

/**
 * Reads a kubeconfig: the current context's server, authority, and a token or client certificate, inline or in files beside it.
 * An `exec` plugin or a password is not supported: the host starts no program that a file names. Throws KubeconfigError.
 */
export function readKubeconfig(path: string): KubeAccess {
  let text: string;
  try {
    const stat = statSync(path);
    if ((stat.mode & 0o077) !== 0) {
      throw new KubeconfigError(
        `${path} can be read by others (mode ${(stat.mode & 0o777).toString(8).padStart(4, "0")}): chmod 600 ${path}`,
        true,
      );
    }
    if (stat.size > BYTES_MAX) throw new KubeconfigError(`${path} is larger than ${BYTES_MAX} bytes`);
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof KubeconfigError) throw error;
    throw new KubeconfigError(`${path} cannot be read (${(error as NodeJS.ErrnoException).code ?? "?"})`);
  }
  return parseKubeconfig(text, (file) => readFileSync(resolve(dirname(path), file), "utf8"));
}

export function parseKubeconfig(text: string, readText: (file: string) => string): KubeAccess {
  let config: Fields;
  try {
    // A warning would show lines of the file, which may hold a token, on stderr.
    const value: unknown = parse(text, { maxAliasCount: 0, logLevel: "error" });
    if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error("not a map");
    config = value as Fields;
  } catch (error) {
    throw new KubeconfigError(`the kubeconfig is not YAML: ${(error as Error).message.split("\n")[0]}`);
  }
  const contextName = config["current-context"];
  const context = pick(
    config,
    "contexts",
    typeof contextName === "string" && contextName !== "" ? contextName : null,
    "context",
  );
  const cluster = pick(config, "clusters", text1(context["cluster"]), "cluster");
  const user = pick(config, "users", text1(context["user"]), "user");

  const server = text1(cluster["server"]);
  const url = server !== null && /^https?:\/\//.test(server) && URL.canParse(server) ? new URL(server) : null;
  if (url === null) throw new KubeconfigError("the kubeconfig names no server");
  const cert = inlineOrFile(user, "client-certificate", readText);
  const key = inlineOrFile(user, "client-key", readText);
  const tokenFile = text1(user["tokenFile"]);
  const token = text1(user["token"]) ?? (tokenFile === null ? null : readPart(tokenFile, readText).trim());
  if (token === null && (cert === null || key === null)) {
    const plugin = user["exec"] === undefined ? "" : "; an exec plugin is not run";
    throw new KubeconfigError(`the kubeconfig's user has neither a token nor a client certificate${plugin}`);
  }
  return {
    origin: url.origin,
    prefix: url.pathname.replace(/\/+$/, ""),
    ca: inlineOrFile(cluster, "certificate-authority", readText),
    insecure: cluster["insecure-skip-tls-verify"] === true,
    serverName: text1(cluster["tls-server-name"]),
    token,
    certificate: cert === null || key === null ? null : { cert, key },
  };
}

function pick(
  config: Fields,
  list: "contexts" | "clusters" | "users",
  name: string | null,
  key: "context" | "cluster" | "user",
): Fields {
  const entries = Array.isArray(config[list]) ? (config[list] as Named<Fields>[]) : [];
  const found =
    name === null ? (entries.length === 1 ? entries[0] : undefined) : entries.find((entry) => entry?.name === name);
  const fields = found?.[key];
  if (typeof fields !== "object" || fields === null)
    throw new KubeconfigError(`the kubeconfig has no ${key}${name === null ? "" : ` named ${name}`}`);
  return fields;
}

function text1(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}

function inlineOrFile(fields: Fields, key: string, readText: (file: string) => string): string | null {
  const inline = text1(fields[`${key}-data`]);
  if (inline !== null) return Buffer.from(inline, "base64").toString("utf8");
  const file = text1(fields[key]);
  return file === null ? null : readPart(file, readText);
}

function readPart(file: string, readText: (file: string) => string): string {
  try {
    return readText(file);
  } catch (error) {
    throw new KubeconfigError(
      `${file}, which the kubeconfig names, cannot be read (${(error as NodeJS.ErrnoException).code ?? "?"})`,
    );
  }
}
