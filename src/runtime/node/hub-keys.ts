import { statSync } from "node:fs";
import { resolve } from "node:path";
import type { House } from "../../core/config/house.ts";
import { isSecret } from "../../core/standard-webhooks.ts";
import type { Token } from "../../hooks/deps.ts";
import { monoMillis } from "./clock.ts";
import { readSecret, SecretError } from "./secret-file.ts";

/** How often a key file is looked at again: a token revoked is void after this long, without a restart. */
const LOOK_EVERY_MS = 1_000;

export interface Keys {
  vantageKeys(vantage: string): readonly string[];
  tokens(): readonly Token[];
}

/**
 * Reads every secret of the hub at the start, and refuses to start without one of them. Afterwards files that change are read
 * again; one that has become bad or is gone opens nothing.
 */
export function openKeys(house: House, dir: string, told: (message: string) => void): Keys {
  const vantages = new Map(
    house.vantages.map(({ name, key_file }) => [name, fileSecret(resolve(dir, key_file), true, told)] as const),
  );
  const tokens = house.hub.tokens.map((token) => ({
    token,
    secret: fileSecret(resolve(dir, token.token_file), false, told),
  }));
  distinct([
    ...[...vantages].map(([name, read]) => [`vantage ${name}`, read()] as const),
    ...tokens.map(({ token, secret }) => [`token ${token.name}`, secret()] as const),
  ]);
  return {
    vantageKeys: (name) => {
      const secret = vantages.get(name)?.() ?? null;
      return secret === null ? [] : [secret];
    },
    tokens: () =>
      tokens.flatMap(({ token, secret }) => {
        const value = secret();
        return value === null ? [] : [{ name: token.name, scopes: token.scopes, from: token.from, secret: value }];
      }),
  };
}

/** One key per sender and purpose: with a shared one, a vantage could speak for another (I9). */
function distinct(secrets: readonly (readonly [string, string | null])[]): void {
  const seen = new Map<string, string>();
  for (const [owner, secret] of secrets) {
    if (secret === null) continue;
    const other = seen.get(secret);
    if (other !== undefined)
      throw new SecretError(owner, `${owner} and ${other} have the same secret: each needs its own`);
    seen.set(secret, owner);
  }
}

/** A Standard Webhooks secret from a file. Throws SecretError when it is of another form. */
export function readWebhookSecret(path: string): string {
  const secret = readSecret(path);
  if (!isSecret(secret))
    throw new SecretError(path, `${path} holds no key of the form whsec_…: hairpin token vantage NAME makes one`);
  return secret;
}

function fileSecret(path: string, isKey: boolean, told: (message: string) => void): () => string | null {
  const read = () => (isKey ? readWebhookSecret(path) : readSecret(path));
  let value: string | null = read();
  let stamp = stampOf(path);
  let lookedAt = monoMillis();
  return () => {
    const now = monoMillis();
    if (now - lookedAt < LOOK_EVERY_MS) return value;
    lookedAt = now;
    const latest = stampOf(path);
    if (latest === stamp) return value;
    stamp = latest;
    try {
      value = read();
      told(`${path} has changed and was read again`);
    } catch (error) {
      value = null;
      told((error as Error).message);
    }
    return value;
  };
}

function stampOf(path: string): string {
  try {
    const { mtimeMs, ino, size, mode } = statSync(path);
    return `${mtimeMs}.${ino}.${size}.${mode}`;
  } catch {
    return "gone";
  }
}
