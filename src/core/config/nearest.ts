/** The number of single-letter changes (insert, delete, replace, swap of neighbours) between two words. */
export function editDistance(from: string, to: string): number {
  const rows: number[][] = [Array.from({ length: to.length + 1 }, (_, column) => column)];
  for (let i = 1; i <= from.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= to.length; j += 1) {
      const same = from[i - 1] === to[j - 1];
      let cost = Math.min(rows[i - 1]![j]! + 1, row[j - 1]! + 1, rows[i - 1]![j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1]) {
        cost = Math.min(cost, rows[i - 2]![j - 2]! + 1);
      }
      row.push(cost);
    }
    rows.push(row);
  }
  return rows[from.length]![to.length]!;
}

/** Words longer than this are cut before they are compared: the work grows with the square of the length. */
const LENGTH_MAX = 64;

/** The known word with the fewest changes from what was typed; the first of equals. Null when nothing is known. */
export function nearest(typed: string, known: readonly string[]): string | null {
  const word = typed.slice(0, LENGTH_MAX).toLowerCase();
  let best: { readonly word: string; readonly distance: number } | null = null;
  for (const candidate of known) {
    const distance = editDistance(word, candidate.slice(0, LENGTH_MAX).toLowerCase());
    if (best === null || distance < best.distance) best = { word: candidate, distance };
  }
  return best?.word ?? null;
}

/** Whether two words are so close that one is likely the other mistyped: a third of the letters, at least two. */
export function isClose(typed: string, candidate: string): boolean {
  return (
    editDistance(typed.slice(0, LENGTH_MAX).toLowerCase(), candidate) <= Math.max(2, Math.floor(candidate.length / 3))
  );
}

/** "did you mean address?" for a likely slip, otherwise the list of what is known, the nearest first. */
export function suggestion(typed: string, known: readonly string[]): string {
  const best = nearest(typed, known);
  if (best === null) return "nothing is known here";
  if (isClose(typed, best)) return `did you mean ${best}?`;
  return `known here: ${[best, ...known.filter((word) => word !== best)].join(", ")}`;
}
