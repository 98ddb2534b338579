import type { Context } from "hono";
import type { ZodError } from "zod";
import type { Vars } from "./deps.ts";
import { readJson } from "./json.ts";
import { invalid, problem } from "./problem.ts";

export type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly response: Response };

/** A schema of zod, or of its small edition that the Worker carries. */
interface Schema<T> {
  safeParse(
    value: unknown,
  ):
    | { readonly success: true; readonly data: T }
    | { readonly success: false; readonly error: Pick<ZodError, "issues"> };
}

/** Parses the body that the guard has read, strictly. An empty one stands for `{}` where that is allowed. */
export function parseBody<T>(c: Context<Vars>, schema: Schema<T>, emptyAllowed: boolean): Parsed<T> {
  const text = c.get("body");
  const read = text === "" && emptyAllowed ? ({ ok: true, value: {} } as const) : readJson(text);
  if (!read.ok) {
    const detail = `${read.path || "the body"}: ${read.message}`;
    return { ok: false, response: problem(c, 422, { detail, errors: [{ path: read.path, message: read.message }] }) };
  }
  const parsed = schema.safeParse(read.value);
  return parsed.success ? { ok: true, value: parsed.data } : { ok: false, response: invalid(c, parsed.error) };
}
