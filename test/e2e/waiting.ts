/** Waits for a condition that something else brings about. Every wait has an end, and says what it waited for. */
export async function until<T>(look: () => T | null | Promise<T | null>, limitMs: number, what: string): Promise<T> {
  const end = performance.now() + limitMs;
  let problem = "";
  while (performance.now() < end) {
    try {
      const found = await look();
      if (found !== null && found !== false && found !== undefined) return found;
      problem = "";
    } catch (error) {
      problem = `: ${(error as Error).message}`;
    }
    await pause(50);
  }
  throw new Error(`not within ${Math.round(limitMs / 1_000)} s: ${what}${problem}`);
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
