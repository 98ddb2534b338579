import { statSync } from "node:fs";
import { resolve } from "node:path";
import type { House } from "../../core/config/house.ts";
import { isSecret } from "../../core/standard-webhooks.ts";
import type { Token } from "../../hooks/deps.ts";
import { monoMillis } from "./clock.ts";
import { readSecrets, SecretError } from "./secret-file.ts";

/** How often a key file is looked at again: a token revoked is void after this long, without a restart. */
const LOOK_EVERY_MS = 1_000;

export interface Keys {
  vantageKeys(vantage: string): readonly string[];
  tokens(): readonly Token[];
  /** The keys of the site at the edge, and of the people who may ask for a repair through it; none without `edge`. */
  edgeKeys(): readonly string[];
  healKeys(): readonly { readonly name: string; readonly secrets: readonly string[] }[];
}

/**
 * Reads every secret of the hub at the start, and refuses to start without one of them. Afterwards files that change are read
 * again; one that has become bad or is gone opens nothing.
 */
export function openKeys(house: House, dir: string, told: (message: string) => void): Keys {
  const vantages = new Map(
    house.vantages.map(({ name, key_file }) => [name, fileSecrets(resolve(dir, key_file), true, told)] as const),
  );
  const tokens = house.hub.tokens.map((token) => ({
    token,
    secrets: fileSecrets(resolve(dir, token.token_file), false, told),
  }));
  const edge = house.edge === undefined ? null : fileSecrets(resolve(dir, house.edge.key_file), true, told);
  const people = (house.edge?.heal_keys ?? []).map(({ name, key_file }) => ({
    name,
    secrets: fileSecrets(resolve(dir, key_file), true, told),
  }));
  distinct([
    ...(edge === null ? [] : [["the edge", edge()] as const]),
    ...people.map(({ name, secrets }) => [`edge.heal_keys ${name}`, secrets()] as const),
    ...[...vantages].map(([name, read]) => [`vantage ${name}`, read()] as const),
    ...tokens.map(({ token, secrets }) => [`token ${token.name}`, secrets()] as const),
  ]);
  return {
    vantageKeys: (name) => vantages.get(name)?.() ?? [],
    edgeKeys: () => edge?.() ?? [],
    healKeys: () => people.map(({ name, secrets }) => ({ name, secrets: secrets() })),
    tokens: () =>
      tokens.flatMap(({ token, secrets }) =>
        secrets().map((secret) => ({ name: token.name, scopes: token.scopes, from: token.from, secret })),
      ),
  };
}

/** One key per sender and purpose: with a shared one, a vantage could speak for another (I9). */
function distinct(owners: readonly (readonly [string, readonly string[]])[]): void {
  const seen = new Map<string, string>();
  for (const [owner, secrets] of owners)
    for (const secret of secrets) {
      const other = seen.get(secret);
      if (other !== undefined)
        throw new SecretError(owner, `${owner} and ${other} have the same secret: each needs its own`);
      seen.set(secret, owner);
    }
}

/** The Standard Webhooks secret of a file. Throws SecretError when it is of another form. */
export function readWebhookSecret(path: string): string {
  return readWebhookSecrets(path)[0]!;
}

/** All of them: the first signs, each of them is accepted. */
export function readWebhookSecrets(path: string): readonly string[] {
  const secrets = readSecrets(path);
  if (!secrets.every(isSecret))
    throw new SecretError(path, `${path} holds no key of the form whsec_…: hairpin token vantage NAME makes one`);
  return secrets;
}

function fileSecrets(path: string, isKey: boolean, told: (message: string) => void): () => readonly string[] {
  const read = () => (isKey ? readWebhookSecrets(path) : readSecrets(path));
  let value: readonly string[] = read();
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
      value = [];
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
