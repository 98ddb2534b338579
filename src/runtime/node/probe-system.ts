import { lookup } from "node:dns";
import { Resolver } from "node:dns/promises";
import type { SystemAnswer, SystemResolvers } from "../../probes/port.ts";

/** An answer that comes later than this is none: the round goes on. */
const PATIENCE_MS = 3_000;

/**
 * The resolver of this machine, asked both ways. `servers` instead of the system's is for tests. libc's `getaddrinfo` holds a thread
 * of Node's few for as long as a dead resolver takes, and cannot be given up: so one runs at a time, and those that are too late when
 * their turn comes are not begun.
 */
export function createSystemResolvers(choice: { readonly servers?: readonly string[] } = {}): SystemResolvers {
  let turn: Promise<unknown> = Promise.resolve();

  function byLibc(name: string, family: 4 | 6, signal: AbortSignal): Promise<SystemAnswer> {
    return within(signal, (isOver) => {
      const mine = turn.then(() => (isOver() ? SILENT : lookUp(name, family)));
      turn = mine;
      return mine;
    });
  }

  return {
    async ask(name, type, signal) {
      // A new one each time: it reads resolv.conf as it is now.
      const resolver = new Resolver({ timeout: 1_000, tries: 2 });
      if (choice.servers !== undefined) resolver.setServers(choice.servers);
      const servers = resolver.getServers();
      const [cares, libc] = await Promise.all([
        within(signal, () => byCares(resolver, name, type)).finally(() => resolver.cancel()),
        byLibc(name, type === "A" ? 4 : 6, signal),
      ]);
      return { servers, cares, libc };
    },
  };
}

const SILENT: SystemAnswer = { ok: false, failure: "ETIMEOUT" };

/** The first of: the answer, the time-out, the signal. */
function within(signal: AbortSignal, ask: (isOver: () => boolean) => Promise<SystemAnswer>): Promise<SystemAnswer> {
  return new Promise((resolve) => {
    let over = false;
    const end = (answer: SystemAnswer) => {
      over = true;
      clearTimeout(timer);
      signal.removeEventListener("abort", silent);
      resolve(answer);
    };
    const silent = () => end(SILENT);
    const timer = setTimeout(silent, PATIENCE_MS);
    signal.addEventListener("abort", silent, { once: true });
    if (signal.aborted) silent();
    else void ask(() => over).then(end);
  });
}

async function byCares(resolver: Resolver, name: string, type: "A" | "AAAA"): Promise<SystemAnswer> {
  try {
    return { ok: true, records: type === "A" ? await resolver.resolve4(name) : await resolver.resolve6(name) };
  } catch (error) {
    return failed(error);
  }
}

function lookUp(name: string, family: 4 | 6): Promise<SystemAnswer> {
  return new Promise((resolve) => {
    lookup(name, { family, all: true }, (error, found) =>
      resolve(error === null ? { ok: true, records: found.map(({ address }) => address) } : failed(error)),
    );
  });
}

function failed(error: unknown): SystemAnswer {
  return { ok: false, failure: (error as NodeJS.ErrnoException).code ?? "EFAIL" };
}
