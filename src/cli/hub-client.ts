import { request as httpRequest, type IncomingMessage, type RequestOptions } from "node:http";
import { request as httpsRequest } from "node:https";
import { resolve } from "node:path";
import type { Command } from "commander";
import type { House } from "../core/config/house.ts";
import { readSecret, SecretError } from "../runtime/node/secret-file.ts";
import { defaultConfig } from "./command-line.ts";

/** The way to a hub: its unix socket, whose file mode is the permission, or its URL with a token. */
export interface HubAddress {
  readonly socketPath: string | null;
  readonly url: string;
  readonly token: string | null;
  /** For the whole exchange, with the connecting, in milliseconds; without it a hub is waited for as long as it is heard. */
  readonly patience?: number;
}

/** A hub that cannot be reached or asked: exit code 3, cannot tell. */
export class HubError extends Error {
  override name = "HubError";
  /** Why there was no answer, without the address; the message where there was one. */
  readonly why: string;

  constructor(message: string, why = message) {
    super(message);
    this.why = why;
  }
}

const ANSWER_MAX = 16 * 1_048_576;
const TIMEOUT_MS = 15_000;

export function withHub(program: Command): Command {
  return program
    .option("--config <file>", "the configuration that says where the hub listens", defaultConfig())
    .option("--url <url>", "the hub's URL, instead of --config")
    .option("--token-file <file>", "a file with a token of hub.tokens");
}

export interface HubFlags {
  readonly config: string;
  readonly url?: string;
  readonly tokenFile?: string;
}

/**
 * Finds the hub. From a configuration the unix socket is preferred; over TCP the first token is used that carries the scope and
 * whose file this user may read.
 */
export async function findHub(flags: HubFlags, scope: string): Promise<HubAddress> {
  const given = flags.tokenFile === undefined ? null : readSecret(flags.tokenFile);
  if (flags.url?.startsWith("unix:")) return { socketPath: flags.url.slice(5), url: "http://hairpin", token: given };
  if (flags.url !== undefined) {
    if (!/^https?:\/\/[^/]+/.test(flags.url))
      throw new HubError(`--url: an http:// or https:// URL is wanted, not ${flags.url}`);
    return { socketPath: null, url: flags.url.replace(/\/+$/, ""), token: given };
  }
  const { loadConfig } = await import("../runtime/node/config-file.ts");
  const { house, dir } = loadConfig(flags.config, { missingFiles: "warning" });
  return hubOf(house, dir, scope, given);
}

/** The same, of a configuration that has been read. `given`: a token that was named by hand. */
export function hubOf(house: House, dir: string, scope: string, given: string | null): HubAddress {
  const listens = Array.isArray(house.hub.listen) ? house.hub.listen : [house.hub.listen];
  const socket = listens.find((listen) => listen.startsWith("unix:"));
  if (socket !== undefined) return { socketPath: socket.slice(5), url: "http://hairpin", token: given };
  const address = listens[0]!.replace(/^0\.0\.0\.0:/, "127.0.0.1:").replace(/^\[::\]:/, "[::1]:");
  const url = house.hub.url ?? `${house.hub.tls === undefined ? "http" : "https"}://${address}`;
  return { socketPath: null, url: url.replace(/\/+$/, ""), token: given ?? tokenFor(house, dir, scope) };
}

/** The first token that carries the scope and whose file this user may read. */
export function tokenFor({ hub }: House, dir: string, scope: string): string | null {
  for (const { scopes, token_file } of hub.tokens) {
    const secret = scopes.some((has) => has === scope) ? secretOrNull(resolve(dir, token_file)) : null;
    if (secret !== null) return secret;
  }
  return null;
}

function secretOrNull(path: string): string | null {
  try {
    return readSecret(path);
  } catch (error) {
    if (error instanceof SecretError) return null;
    throw error;
  }
}

function open(
  hub: HubAddress,
  method: string,
  path: string,
  body: unknown,
  headers: Readonly<Record<string, string>>,
): Promise<IncomingMessage> {
  const url = new URL(`${hub.url}${path}`);
  const payload = body === undefined ? null : JSON.stringify(body);
  const options: RequestOptions = {
    method,
    path: `${url.pathname}${url.search}`,
    ...(hub.socketPath === null
      ? { hostname: url.hostname.replace(/^\[|\]$/g, ""), port: url.port || undefined }
      : { socketPath: hub.socketPath }),
    headers: {
      host: hub.socketPath === null ? url.host : "hairpin",
      ...(payload === null
        ? {}
        : { "content-type": "application/json", "content-length": String(Buffer.byteLength(payload)) }),
      ...(hub.token === null ? {} : { authorization: `Bearer ${hub.token}` }),
      ...headers,
    },
    ...(hub.patience === undefined ? {} : { signal: AbortSignal.timeout(hub.patience) }),
  };
  return new Promise((done, fail) => {
    const request = (url.protocol === "https:" ? httpsRequest : httpRequest)(options, done);
    request.setTimeout(TIMEOUT_MS, () => request.destroy(new Error("no answer in 15 s")));
    request.once("error", (error: NodeJS.ErrnoException) => {
      const why =
        error.code === "ABORT_ERR" ? `no answer in ${(hub.patience ?? 0) / 1_000} s` : (error.code ?? error.message);
      fail(new HubError(`no answer from the hub at ${hub.socketPath ?? hub.url}: ${why}`, why));
    });
    request.end(payload ?? undefined);
  });
}

export interface HubReply {
  readonly status: number;
  readonly body: unknown;
}

/** Asks the hub one thing. Throws HubError when there is no answer; what the answer says is for the caller. */
export async function askHub(
  hub: HubAddress,
  method: "GET" | "POST",
  path: string,
  body?: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<HubReply> {
  const reply = await open(hub, method, path, body, headers);
  const parts: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of reply as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > ANSWER_MAX) throw new HubError("the hub's answer is too large");
      parts.push(chunk);
    }
  } catch (error) {
    if (error instanceof HubError) throw error;
    throw new HubError(`the hub's answer broke off: ${(error as NodeJS.ErrnoException).code ?? "unknown"}`);
  }
  const text = Buffer.concat(parts).toString("utf8");
  try {
    return { status: reply.statusCode ?? 0, body: text === "" ? null : JSON.parse(text) };
  } catch {
    throw new HubError(`what answers at ${hub.url} is not a hub`);
  }
}

/** The hub's Server-Sent Events, one `data` at a time, until the connection ends. */
export async function* streamHub(hub: HubAddress, path: string): AsyncGenerator<string> {
  const reply = await open(hub, "GET", path, undefined, { accept: "text/event-stream" });
  if (reply.statusCode !== 200) throw new HubError(`the hub answered ${reply.statusCode}`);
  reply.socket.setTimeout(60_000);
  let rest = "";
  for await (const chunk of reply.setEncoding("utf8") as AsyncIterable<string>) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > 1_048_576) throw new HubError("an event that is too large");
    for (const line of lines) if (line.startsWith("data: ")) yield line.slice(6);
  }
}

/** Runs a command's body; a hub that cannot be asked is exit code 3. */
export async function tellHub(work: () => Promise<number>): Promise<number> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof HubError)) throw error;
    process.stderr.write(`hairpin: ${error.message}\n`);
    return 3;
  }
}

/** Says on stderr why the hub refused. */
export function sayProblem(reply: HubReply): number {
  const { detail, title } = (reply.body ?? {}) as { detail?: string; title?: string };
  const hint = reply.status === 401 ? "; give --token-file, or run this where the hub's unix socket is" : "";
  process.stderr.write(`hairpin: the hub answered ${reply.status}: ${safe(detail ?? title ?? "")}${hint}\n`);
  return 1;
}

/** Text from the network without what would move a terminal's cursor or turn its lines around (fault 17). */
export function safe(text: unknown): string {
  return String(text ?? "").replaceAll(
    /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}

export function printTable(rows: readonly (readonly string[])[]): void {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => safe(row[column]).length))) ?? [];
  for (const row of rows)
    process.stdout.write(
      `${row
        .map((cell, column) => safe(cell).padEnd(widths[column]!))
        .join("  ")
        .trimEnd()}\n`,
    );
}
