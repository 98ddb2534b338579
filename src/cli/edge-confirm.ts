import { createInterface } from "node:readline/promises";

/** Asks a person before something that cannot be taken back. Without a terminal only `--yes` is an answer. */
export async function confirm(yes: boolean, what: string): Promise<boolean> {
  process.stderr.write(`${what}\n`);
  if (yes) return true;
  if (process.stdin.isTTY !== true) {
    process.stderr.write(
      "hairpin edge: nothing was done; there is no terminal to ask on: --yes says that you mean it\n",
    );
    return false;
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await terminal.question("Go on? [y/N] ");
  terminal.close();
  if (/^y(es)?$/i.test(answer.trim())) return true;
  process.stderr.write("hairpin edge: nothing was done\n");
  return false;
}
