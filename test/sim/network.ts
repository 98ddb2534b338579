import type { Agenda } from "./agenda.ts";
import type { Chance } from "./chance.ts";
import type { Life } from "./life.ts";
import type { Witness } from "./witness.ts";

/** What a channel does to messages. Loss and duplication are probabilities, delay is the most that is added, in milliseconds. */
export interface Impairment {
  loss: number;
  delay: number;
  twice: number;
  down: boolean;
}

export type Reply<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly detail: string };

export interface Network {
  impair(channel: string, change: Partial<Impairment>): void;
  heal(channel: string): void;
  /**
   * One request and its answer. `serve` gives null where nobody listens. A request that arrives twice is served twice; the second
   * answer goes nowhere. Without a `timeout` the caller waits as long as something may still come.
   */
  call<T>(
    channel: string,
    caller: Life,
    timeout: number | null,
    serve: (twin: boolean) => { readonly life: Life; readonly answer: Promise<T> } | null,
  ): Promise<Reply<T>>;
}

/** A twin of a message may come this much later: longer than any repair takes, so that it meets a finished one. */
const TWIN_MAX = 150_000;
/** What a caller without a time-out waits when its message was lost. */
const LOST = 5_000;

export function createNetwork(agenda: Agenda, chance: Chance, witness: Witness): Network {
  const channels = new Map<string, Impairment>();
  const streams = new Map<string, Chance>();
  const streamOf = (channel: string): Chance => {
    const known = streams.get(channel) ?? chance.fork(channel);
    streams.set(channel, known);
    return known;
  };

  /** Carries one message: zero, one or two arrivals. Returns false when it was lost. */
  const carry = (channel: string, arrive: (twin: boolean) => void): boolean => {
    const bad = channels.get(channel);
    const luck = streamOf(channel);
    const wait = luck.between(0.1, 2);
    if (bad === undefined) {
      agenda.in(wait, () => arrive(false));
      return true;
    }
    if (bad.twice > 0 && luck.flip(bad.twice)) {
      witness.count("messages doubled");
      agenda.in(luck.between(1, luck.flip(0.5) ? 2_000 : TWIN_MAX), () => arrive(true));
    }
    if (bad.down || luck.flip(bad.loss)) {
      witness.count("messages lost");
      return false;
    }
    if (bad.delay > 0) witness.count("messages delayed");
    agenda.in(wait + luck.between(0, bad.delay), () => arrive(false));
    return true;
  };

  return {
    impair: (channel, change) =>
      void channels.set(channel, { loss: 0, delay: 0, twice: 0, down: false, ...channels.get(channel), ...change }),
    heal: (channel) => void channels.delete(channel),
    call: (channel, caller, timeout, serve) =>
      new Promise((resolve) => {
        let open = true;
        const give = (reply: Parameters<typeof resolve>[0]) => {
          if (!open) return;
          open = false;
          cancel();
          if (caller.alive) resolve(reply);
        };
        const nothing = () => give({ ok: false, detail: "ETIMEDOUT" });
        const cancel = timeout === null ? () => {} : agenda.in(timeout, nothing);
        const lost = () => void (timeout === null && agenda.in(LOST, nothing));
        const back = (reply: Parameters<typeof resolve>[0]) => {
          if (open && !carry(channel, () => give(reply))) lost();
        };
        const arrive = (twin: boolean) => {
          const served = serve(twin);
          if (served === null) return twin ? undefined : back({ ok: false, detail: "ECONNREFUSED" });
          const forget = served.life.atDeath(() => !twin && back({ ok: false, detail: "ECONNRESET" }));
          void served.answer.then((value) => {
            forget();
            if (served.life.alive && !twin) back({ ok: true, value });
          });
        };
        if (!carry(channel, arrive)) lost();
      }),
  };
}
