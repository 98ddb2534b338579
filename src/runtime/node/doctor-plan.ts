import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Plan } from "../../core/plan.ts";
import { parsePlan } from "../../engine/vantage-plan.ts";

/** A file larger than this is not ours (vantage-disk). */
const FILE_MAX = 1_048_576;

export interface SavedPlan {
  readonly plan: Plan;
  readonly file: string;
  readonly savedAt: string;
}

/** The last plan that a vantage here got from its hub, kept with its tag (engine/vantage-plans); a string says why there is none. Nothing is created. */
export function readSavedPlan(directory: string): SavedPlan | string {
  const file = join(directory, "plan.json");
  try {
    const { mtimeMs, size } = statSync(file);
    if (size > FILE_MAX) return `${file} is larger than ${FILE_MAX} bytes: it is no plan`;
    const stored = JSON.parse(readFileSync(file, "utf8")) as { readonly plan?: unknown } | null;
    const plan = parsePlan(stored?.plan);
    if (typeof plan === "string") return `${file}: ${plan}`;
    return { plan, file, savedAt: `${new Date(mtimeMs).toISOString().slice(0, 16)}Z` };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return `${file} is not there`;
    return code === undefined ? `${file} is no JSON` : `${file} cannot be read (${code})`;
  }
}
