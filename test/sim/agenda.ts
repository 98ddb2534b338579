/** Simulated time: one queue of what is to happen, for all machines. Nothing here knows a real clock. */
export interface Agenda {
  /** Milliseconds since the simulation began; the true time that invariants are measured in. */
  now(): number;
  /** Runs once, exactly then. */
  in(millis: number, run: () => void): () => void;
  /** A process's own timer: never early, and in quiet stretches as late as the pace says. `phase` orders processes within a beat. */
  timer(millis: number, phase: number, run: () => void): () => void;
  /** Everything from now on for so long runs at the given pace (0: to the millisecond), unless a quicker one is wanted. */
  wantPace(grid: number, forMillis: number): void;
  pace(): number;
  /** Runs the next thing; false when nothing is left before `end`. */
  step(end: number): boolean;
  /** How much time was simulated at each pace, and how many things ran. */
  spent(): { readonly byPace: ReadonlyMap<number, number>; readonly steps: number };
}

interface Entry {
  readonly due: number;
  at: number;
  readonly order: number;
  readonly phase: number | null;
  readonly run: () => void;
  live: boolean;
}

const before = (a: Entry, b: Entry): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);

/** Paces from quick to slow: what is wanted last longest wins only when nothing quicker is wanted. */
export const PACES = [0, 10_000, 20_000, 60_000, 300_000] as const;

export function createAgenda(quiet: number): Agenda {
  let now = 0;
  let order = 0;
  let grid = 0;
  let heap: Entry[] = [];
  let steps = 0;
  const until = new Map<number, number>();
  const byPace = new Map<number, number>();

  const place = (entry: Entry, from: number): number => {
    if (entry.phase === null || grid === 0) return Math.max(from, entry.due);
    const phase = entry.phase * Math.min(1, grid / 60_000);
    return Math.max(from, Math.ceil((entry.due - phase) / grid) * grid + phase);
  };
  const up = (index: number) => {
    let child = index;
    const entry = heap[child]!;
    while (child > 0) {
      const parent = (child - 1) >> 1;
      if (!before(entry, heap[parent]!)) break;
      heap[child] = heap[parent]!;
      child = parent;
    }
    heap[child] = entry;
  };
  const pop = (): Entry => {
    const first = heap[0]!;
    const last = heap.pop()!;
    if (heap.length > 0) {
      let parent = 0;
      for (;;) {
        let child = 2 * parent + 1;
        if (child >= heap.length) break;
        if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
        if (!before(heap[child]!, last)) break;
        heap[parent] = heap[child]!;
        parent = child;
      }
      heap[parent] = last;
    }
    return first;
  };
  const push = (due: number, phase: number | null, run: () => void): (() => void) => {
    const entry: Entry = { due, at: 0, order: order++, phase, run, live: true };
    entry.at = place(entry, now);
    heap.push(entry);
    up(heap.length - 1);
    return () => {
      entry.live = false;
    };
  };
  const repace = () => {
    const wanted = PACES.find((pace) => (until.get(pace) ?? -1) > now) ?? quiet;
    if (wanted === grid) return;
    const wakes = grid >= 60_000;
    grid = wanted;
    const all = heap.filter((entry) => entry.live);
    heap = [];
    for (const entry of all) {
      // After a slow stretch the processes wake in their order, as at a beat: the hub hears the others before it judges their silence.
      entry.at = wakes && entry.phase !== null && entry.due < now ? now + entry.phase : place(entry, now);
      heap.push(entry);
      up(heap.length - 1);
    }
  };

  return {
    now: () => now,
    in: (millis, run) => push(now + Math.max(0, millis), null, run),
    timer: (millis, phase, run) => push(now + Math.max(0, millis), millis < 900 ? null : phase, run),
    wantPace(pace, forMillis) {
      until.set(pace, Math.max(until.get(pace) ?? 0, now + forMillis));
      if (pace < grid) repace();
    },
    pace: () => grid,
    step(end) {
      repace();
      while (heap.length > 0 && !heap[0]!.live) pop();
      const to = heap.length === 0 ? end : Math.min(end, heap[0]!.at);
      byPace.set(grid, (byPace.get(grid) ?? 0) + (to - now));
      if (heap.length === 0 || heap[0]!.at > end) {
        now = end;
        return false;
      }
      const entry = pop();
      now = Math.max(now, entry.at);
      steps++;
      entry.run();
      return true;
    },
    spent: () => ({ byPace, steps }),
  };
}
