import { readdirSync, readFileSync } from "node:fs";

/** A process, told from a later one of the same number by when it started. */
export interface Seen {
  readonly pid: number;
  readonly parent: number;
  readonly started: string;
}

function look(pid: number): Seen | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? null : { pid, parent: Number(fields[1]), started: fields[19] ?? "" };
  } catch {
    return null;
  }
}

/** Every living process below this one. */
export function descendants(root: number): readonly Seen[] {
  const all = readdirSync("/proc").flatMap((entry) => (/^\d+$/.test(entry) ? (look(Number(entry)) ?? []) : []));
  const below = (pid: number): readonly Seen[] =>
    all.filter((each) => each.parent === pid).flatMap((each) => [each, ...below(each.pid)]);
  return below(root);
}

export function alive(processes: readonly Seen[]): readonly Seen[] {
  return processes.filter((each) => look(each.pid)?.started === each.started);
}

/** Waits until the condition holds; how long it took, in milliseconds. Throws after `limit`. */
export async function until(holds: () => boolean, limit: number, what: string): Promise<number> {
  const start = performance.now();
  while (!holds()) {
    if (performance.now() - start > limit) throw new Error(`not within ${limit} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return performance.now() - start;
}
