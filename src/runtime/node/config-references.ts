import type { Config } from "../../core/config/schema.ts";

/** A file that the configuration refers to. */
export interface Reference {
  readonly path: readonly (string | number)[];
  /** As it is written there: relative to the configuration's directory, or absolute. */
  readonly file: string;
}

/** Every `*_file` of a configuration, in its order. */
export function referencesOf(config: Config): readonly Reference[] {
  const found: Reference[] = [];
  const look = (value: unknown, path: readonly (string | number)[]): void => {
    if (Array.isArray(value)) for (const [index, item] of value.entries()) look(item, [...path, index]);
    else if (value !== null && typeof value === "object") {
      for (const [key, item] of Object.entries(value)) look(item, [...path, key]);
    } else if (typeof value === "string" && String(path.at(-1)).endsWith("_file")) found.push({ path, file: value });
  };
  look(config, []);
  return found;
}
