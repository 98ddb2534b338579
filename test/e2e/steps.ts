/** Prints each step with its seconds, and remembers whether all came. */
export class Steps {
  readonly #began = Date.now();
  readonly #label: string;
  failed = 0;
  passed = 0;

  constructor(label: string) {
    this.#label = label;
  }

  /** Runs a step; a failure is told, and the story goes on to its end so that everything is cleaned up. */
  async step<T>(what: string, run: () => Promise<T>): Promise<T> {
    const began = Date.now();
    try {
      const value = await run();
      this.passed++;
      this.#say("ok  ", what, began, typeof value === "string" ? value : "");
      return value;
    } catch (error) {
      this.failed++;
      this.#say("FAIL", what, began, (error as Error).message);
      throw error;
    }
  }

  #say(mark: string, what: string, began: number, more: string): void {
    const at = ((began - this.#began) / 1_000).toFixed(1).padStart(6);
    const took = ((Date.now() - began) / 1_000).toFixed(1).padStart(5);
    console.log(`${this.#label}  ${at} s  ${mark} ${took} s  ${what}${more === "" ? "" : `: ${more}`}`);
  }
}

/** Waits until it holds; the error says what did not come, and what was there instead. */
export async function until<T>(
  what: string,
  look: () => Promise<T | null | undefined | false> | T | null | undefined | false,
  limitMs = 60_000,
  instead: () => unknown = () => "",
): Promise<T> {
  const end = Date.now() + limitMs;
  for (;;) {
    const value = await Promise.resolve()
      .then(look)
      .catch(() => null);
    if (value) return value;
    if (Date.now() > end) throw new Error(`no ${what} in ${limitMs / 1_000} s ${JSON.stringify(await instead())}`);
    await new Promise((next) => setTimeout(next, 100));
  }
}
