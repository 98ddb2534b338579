import { readFileSync } from "node:fs";

/** What a user chooses in Home Assistant, as the supervisor writes it to /data/options.json. */
export interface AppOptions {
  readonly joinToken: string;
  readonly logLevel: string | null;
  readonly whoHas: boolean;
  readonly healButton: boolean;
  /** Minutes; 0: Home Assistant is not told. */
  readonly hubGoneMinutes: number;
}

const LEVELS = ["debug", "info", "warn", "error"];
const MINUTES_MAX = 1_440;
const BYTES_MAX = 65_536;
export const HUB_GONE_MINUTES = 3;

/** Reads the options; a string says everything that is wrong with them, and shows none of them. */
export function readAppOptions(path: string): AppOptions | string {
  let value: unknown;
  try {
    const text = readFileSync(path, "utf8");
    if (text.length > BYTES_MAX) return `${path} is too large`;
    value = JSON.parse(text);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === undefined ? `${path} is not JSON` : `${path} cannot be read (${code})`;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return `${path} holds no options`;
  const { join_token, log_level, who_has, heal_button, hub_gone_minutes } = value as Readonly<Record<string, unknown>>;
  const wrong: string[] = [];
  if (typeof join_token !== "string" || join_token.trim() === "")
    wrong.push("join_token: paste what `hairpin token vantage NAME` printed at the hub");
  if (log_level !== undefined && !LEVELS.includes(String(log_level))) wrong.push(`log_level: ${LEVELS.join(", ")}`);
  for (const [key, given] of Object.entries({ who_has, heal_button }))
    if (given !== undefined && typeof given !== "boolean") wrong.push(`${key}: true or false`);
  const minutes = hub_gone_minutes ?? HUB_GONE_MINUTES;
  if (typeof minutes !== "number" || !Number.isInteger(minutes) || minutes < 0 || minutes > MINUTES_MAX)
    wrong.push(`hub_gone_minutes: a whole number from 0 (never) to ${MINUTES_MAX}`);
  if (wrong.length > 0) return `options of the app: ${wrong.join("; ")}`;
  return {
    joinToken: join_token as string,
    logLevel: (log_level as string | undefined) ?? null,
    whoHas: who_has !== false,
    healButton: heal_button !== false,
    hubGoneMinutes: minutes as number,
  };
}
