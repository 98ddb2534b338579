import { lookup, promises } from "node:dns";
import { isIP } from "node:net";
import { monoMillis } from "./clock.ts";

/** What was resolved last, kept beyond this process: the very DNS that is guarded may be what is down. */
export interface AnswerMemory {
  get(name: string): readonly string[] | null;
  set(name: string, addresses: readonly string[]): void;
}

export interface HubResolver {
  resolve(name: string): Promise<readonly string[]>;
}

const FRESH_MS = 30_000;
const ADDRESSES_MAX = 4;
const NAMES_MAX = 64;

/**
 * Resolves outgoing names by the servers of hub.resolvers and nobody else, never through a guarded address. When they do not
 * answer, or say that the name does not exist, the last good answer is used: a receiver seldom moves, and an alert that is not sent is the worse
 * mistake. Without resolvers the system's are asked.
 */
export function createResolver(servers: readonly string[], memory: AnswerMemory): HubResolver {
  const fresh = new Map<string, { at: number; addresses: readonly string[] }>();
  const resolver = servers.length === 0 ? null : new promises.Resolver({ timeout: 1_500, tries: 2 });
  resolver?.setServers([...servers]);

  async function ask(name: string): Promise<readonly string[]> {
    if (resolver === null) return system(name);
    const [v4, v6] = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)]);
    const found = [...(v4.status === "fulfilled" ? v4.value : []), ...(v6.status === "fulfilled" ? v6.value : [])];
    if (found.length > 0) return found;
    throw v4.status === "rejected" ? v4.reason : new Error(`${name} has no address`);
  }

  return {
    async resolve(name) {
      const bare = name.replace(/^\[|\]$/g, "");
      if (isIP(bare) !== 0) return [bare];
      const known = fresh.get(bare);
      if (known !== undefined && monoMillis() - known.at < FRESH_MS) return known.addresses;
      try {
        const addresses = [...new Set(await ask(bare))].slice(0, ADDRESSES_MAX);
        fresh.set(bare, { at: monoMillis(), addresses });
        if (fresh.size > NAMES_MAX) fresh.delete(fresh.keys().next().value!);
        if (JSON.stringify(memory.get(bare)) !== JSON.stringify(addresses)) memory.set(bare, addresses);
        return addresses;
      } catch (error) {
        const last = memory.get(bare);
        if (last !== null && last.length > 0) return last;
        throw error;
      }
    },
  };
}

function system(name: string): Promise<readonly string[]> {
  return new Promise((resolve, reject) => {
    lookup(name, { all: true }, (error, found) =>
      error ? reject(error) : resolve(found.map(({ address }) => address)),
    );
  });
}
