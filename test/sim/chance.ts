/** Chance from a seed. Every user has a stream of its own by name, so that leaving one fault out does not reshuffle the others. */
export interface Chance {
  /** A fraction of 1. */
  next(): number;
  /** A whole number from `low` to `high`, both included. */
  int(low: number, high: number): number;
  between(low: number, high: number): number;
  flip(probability: number): boolean;
  pick<T>(list: readonly T[]): T;
  fork(name: string): Chance;
}

/** FNV-1a over the text, from a start that carries the parent's seed. */
export function hashOf(text: string, start = 2_166_136_261): number {
  let hash = start | 0;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 16_777_619);
  return hash >>> 0;
}

/** mulberry32 (Tommy Ettinger): 32 bits of state, good enough to spread faults, and the same on every machine. */
export function chanceOf(seed: number): Chance {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let word = state;
    word = Math.imul(word ^ (word >>> 15), word | 1);
    word ^= word + Math.imul(word ^ (word >>> 7), word | 61);
    return ((word ^ (word >>> 14)) >>> 0) / 4_294_967_296;
  };
  const chance: Chance = {
    next,
    int: (low, high) => low + Math.floor(next() * (high - low + 1)),
    between: (low, high) => low + next() * (high - low),
    flip: (probability) => next() < probability,
    pick: (list) => list[Math.floor(next() * list.length)]!,
    fork: (name) => chanceOf(hashOf(name, Math.imul(seed + 1, 0x9e3779b1))),
  };
  return chance;
}
