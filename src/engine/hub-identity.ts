import type { HubInstance } from "../core/repair.ts";
import type { HubStore } from "./store.ts";

const NAME_LENGTH = 6;
const PROCESS_LENGTH = 8;

/**
 * Who this hub is to a host: the name of its store, made once, and of this process. A store that was lost is another hub, with
 * incidents and epochs of its own; a restored copy is the same one, which the epoch and the process tell from the older.
 */
export interface HubIdentity {
  readonly name: string;
  readonly instance: HubInstance;
  /** Writes a new name down; throws StoreError when it cannot, and then the next start is another hub. */
  readonly save: () => void;
}

export function hubIdentity(store: HubStore, randomId: (length: number) => string): HubIdentity {
  const name = store.meta<string>("hub") ?? letters(randomId(NAME_LENGTH));
  return {
    name,
    instance: `${name}.${letters(randomId(PROCESS_LENGTH))}`,
    save: () => {
      if (store.meta<string>("hub") === null) store.setMeta("hub", name);
    },
  };
}

/** Ids of hosts and incidents are written in one case. */
function letters(id: string): string {
  return id.toLowerCase().replace(/[^a-z0-9]/g, "0");
}
