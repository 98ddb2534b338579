/**
 * `npm run test:faults`: runs the tests that prove rows 10 to 43 of faults.md and prints a mark for each row. A row whose test is
 * gone or renamed is not ok: the table is checked, not believed. `partly`: what is missing is said. Exit 1 on any `fail` or `missing`.
 */
import { run } from "node:test";
import { fileURLToPath } from "node:url";
import { ROWS, type Row } from "./table.ts";

interface Outcome {
  readonly name: string;
  readonly file: string;
  readonly state: "ok" | "fail" | "skipped";
  readonly why: string;
}

const TESTS = fileURLToPath(new URL("..", import.meta.url));
const files = [...new Set(ROWS.flatMap(({ proofs }) => proofs.map(([file]) => `${TESTS}${file}`)))];

async function outcomes(): Promise<readonly Outcome[]> {
  const found: Outcome[] = [];
  const stream = run({ files, concurrency: 2 });
  const keep = (
    state: Outcome["state"],
    data: { name: string; file?: string; skip?: string | boolean },
    why: string,
  ) => {
    const file = (data.file ?? "").slice(TESTS.length);
    const skipped = data.skip === undefined || data.skip === false ? null : String(data.skip);
    found.push({ name: data.name, file, state: skipped === null ? state : "skipped", why: skipped ?? why });
  };
  stream.on("test:pass", (data) => keep("ok", data, ""));
  stream.on("test:fail", (data) =>
    keep("fail", data, String(data.details.error.cause ?? data.details.error).slice(0, 200)),
  );
  for await (const _ of stream) {
    // Read to its end; the listeners have it all.
  }
  return found;
}

function judge(
  { proofs }: Row,
  all: readonly Outcome[],
): { readonly mark: Outcome["state"] | "missing"; readonly why: string } {
  const mine = proofs.map(([file, name]) => {
    const ran = all.filter((outcome) => outcome.file === file && outcome.name.startsWith(name));
    return { label: `${file}: ${name}`, ran };
  });
  const gone = mine.find(({ ran }) => ran.length === 0);
  if (gone !== undefined) return { mark: "missing", why: `no test ${gone.label}` };
  const each = mine.flatMap(({ ran }) => ran);
  const failed = each.find(({ state }) => state === "fail");
  if (failed !== undefined) return { mark: "fail", why: `${failed.name}: ${failed.why}` };
  const skipped = each.filter(({ state }) => state === "skipped");
  if (skipped.length === each.length) return { mark: "skipped", why: skipped[0]!.why };
  return { mark: "ok", why: skipped.map(({ name, why }) => `skipped: ${name} (${why})`).join("; ") };
}

const cell = (text: string, width: number) =>
  text.length > width ? `${text.slice(0, width - 1)}…` : text.padEnd(width);

const began = performance.now();
const all = await outcomes();
let bad = 0;
const counts: Record<string, number> = {};
for (const row of ROWS) {
  const judged = judge(row, all);
  const { why } = judged;
  const mark = judged.mark === "ok" && row.open !== undefined ? "partly" : judged.mark;
  if (mark === "fail" || mark === "missing") bad++;
  counts[mark] = (counts[mark] ?? 0) + 1;
  const proof = row.proofs.map(([file]) => file.replace(/^.*\/|\.test\.ts$/g, ""));
  const notes = [why, row.elsewhere ?? "", row.open === undefined ? "" : `not here yet: ${row.open}`]
    .filter((note) => note !== "")
    .join("; ");
  process.stdout.write(
    `${String(row.row).padStart(2)}  ${cell(mark, 7)}  ${cell(row.fault, 56)}  ${cell(row.must, 48)}  ${[...new Set(proof)].join(", ")}${notes === "" ? "" : `\n             ${notes}`}\n`,
  );
}
const said = Object.entries(counts).map(([mark, count]) => `${count} ${mark}`);
process.stdout.write(
  `${ROWS.length} rows: ${said.join(", ")}; ${all.length} tests, ${((performance.now() - began) / 1_000).toFixed(0)} s\n`,
);
process.exit(bad > 0 ? 1 : 0);
